"""What somebody wrote, without the mail they answered: as Chinese and English mail programs quote it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_LONGEST_LINE: Final = 300  # characters; no line that introduces a quote is longer
_WRAPPED: Final = 3  # lines that such a line may be folded into
_ADDRESS_BLOCK: Final = 8  # lines in which the headers of the quoted mail stand

FORWARDED: Final = re.compile(r"(?i)\s*(?:fwd?|wg|转发|轉寄|轉發)\s*[:：]")

_INTRODUCTION: Final = re.compile(
    r"""(?ix)
    (?: 在\s?.{4,250}?(?:写道|寫道)\s?[:：]?                           # 163, Apple Mail, Foxmail
      | .{0,150}?[于於]\s?\d{4}\s?[年/-].{0,150}?(?:写道|寫道)\s?[:：]?  # Gmail
      | .{0,150}?\d{4}[年/-].{0,150}?(?:写道|寫道)\s?[:：]              # others
      | (?:on|at)\s.{4,250}?\bwrote\s?:                               # Gmail, Apple Mail, 163 in English
    )\s*"""
)
_BEGINS: Final = re.compile(r"(?i)(?:在\s?|on\s|at\s).*\d|.*(?:于|於)\s?\d{4}|[^@]*@.*?\d{4}年")
_ENDS: Final = re.compile(r"(?i)(?:写道|寫道|wrote)\s?[:：]?$")
# What names a day but no date. It counts only where nothing but the quote comes after it, and a person who
# tells what somebody wrote says "I", "my", "the display": programs write names.
_UNDATED: Final = re.compile(
    r"""(?x)
    (?: (?i:on|at)\s
        (?i:(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|today|yesterday)
        \s?,\s*+ (?!(?i:i|we|my|our|you|your|he|his|she|her|they|their)\b | (?:the|this|that|it|its|a|an)\b)
        [^.!?,<>]{1,100} (?:<[^\s<>]{3,150}>\s?)? \b(?i:wrote)\s?[:：]
      | 在?\s?(?:(?:星期|周|週|礼拜|禮拜)[一二三四五六日天]|今天|昨天|前天) \s?[,，]\s*+
        (?![我你您他她它咱]) [^。！？,，<>]{1,100} (?:<[^\s<>]{3,150}>\s?)? (?:写道|寫道)\s?[:：]
    )\s*"""
)
_ADDRESSED: Final = re.compile(  # a name with its mailbox, and no time at all
    r"(?i)[^.!?。！？<>]{0,100}<[^\s<>@]{1,100}@[^\s<>@]{1,100}>[^.!?。！？<>]{0,40}?(?:\bwrote|写道|寫道)\s?[:：]\s*"
)
_MOST_LINES: Final = 2_000  # nobody writes more above the quote

_RULER: Final = re.compile(
    r"(?i)[-_—\s]{2,}(?:原始邮件|原邮件|原始郵件|原郵件|回复的原邮件|回复邮件"
    r"|original message|original|reply message)[-_—\s]{2,}|_{20,}|-{2,}\s*on .{4,250}\bwrote\s?-{2,}"
)
_FIRST: Final = re.compile(r"(?i)[|*\s]*(?:发件人|發件人|寄件者|寄件人|from)[*\s]*[|:：]")
_OTHERS: Final = re.compile(
    r"(?i)[|*\s]*(发送时间|发送日期|發送日期|傳送時間|日期|时间|date|sent|收件人|收件者|to|主题|主題|主旨|subject"
    r"|抄送|副本|cc)[*\s]*[|:：]"
)
_QUOTED: Final = re.compile(r"\s*>")
_SIGNED_BY_A_PROGRAM: Final = re.compile(
    r"""(?ix)\s*(?:
    发自我的.{0,60} | 發自我的.{0,60} | 从我的.{1,40}发送 | 從我的.{1,40}傳送
    | 来自.{1,30}(?:邮箱|邮件|手机|客户端).{0,20}
    | 发自.{1,30}(?:邮箱|邮件|手机|客户端|大师) | 获取\s?outlook.{0,60} | 從?\s?取得\s?outlook.{0,60}
    | 从\s?windows\s?版.{0,20}发送
    | sent\ from\ (?:my\ .{1,40}|mail\ for\ windows.{0,40}|outlook.{0,40}|yahoo.{0,60})
    | get\ outlook\ for\ .{0,60}
    )\s*"""
)


def without_quotes(text: str) -> str:
    """What was newly written; all of it where nothing else would be left."""
    lines = text.splitlines()
    own = lines[: _beginning_of_quote(lines)]
    if not _says_something(own):  # the answer stands below the quote, or between its lines
        own = [
            line for at, line in enumerate(lines) if not _QUOTED.match(line) and not _introduces(lines, at)
        ]
    _drop_quoted_end(own)
    if undated := _undated(own):
        del own[-undated:]
        _drop_quoted_end(own)
    if own and len(own[-1]) <= _LONGEST_LINE and _SIGNED_BY_A_PROGRAM.fullmatch(own[-1]):
        own.pop()
    said = "\n".join(own).strip()
    return said or text.strip()


def _drop_quoted_end(own: list[str]) -> None:
    while own and (not own[-1].strip() or _QUOTED.match(own[-1])):
        own.pop()


def _undated(own: Sequence[str]) -> int:
    """How many lines at the end introduce a quote without saying its date."""
    for count in range(min(_WRAPPED, len(own)), 0, -1):
        folded = " ".join(each.strip() for each in own[-count:])
        if len(folded) <= _LONGEST_LINE and _UNDATED.fullmatch(folded):
            return count
    last = own[-1] if own else ""
    return 1 if len(last) <= _LONGEST_LINE and _ADDRESSED.fullmatch(last) else 0


def _beginning_of_quote(lines: Sequence[str]) -> int:
    """The line from which on everything is quoted; behind the last when nothing is."""
    first = range(min(len(lines), _MOST_LINES))
    return next((at for at in first if _introduces(lines, at)), len(lines))


def _introduces(lines: Sequence[str], at: int) -> bool:
    line = lines[at].strip()
    if not line or len(line) > _LONGEST_LINE:
        return False
    if line[0] in "-_—" and _RULER.fullmatch(line):
        return True
    if _FIRST.match(line):
        return _heads_a_mail(lines[at : at + _ADDRESS_BLOCK])
    if not _BEGINS.match(line):
        return False
    folded = ""
    for each in lines[at : at + _WRAPPED]:
        folded = f"{folded} {each.strip()}".strip()[:_LONGEST_LINE]
        if _ENDS.search(folded) and _INTRODUCTION.fullmatch(folded):
            return True
    return False


def _heads_a_mail(lines: Sequence[str]) -> bool:
    """Whether sender, time, receiver, subject stand there as programs copy them: two beside the sender."""
    found = {match[1].lower() for line in lines[1:] if (match := _OTHERS.match(line[:_LONGEST_LINE]))}
    return len(found) >= 2


def _says_something(lines: Sequence[str]) -> bool:
    return any(line.strip() and not _QUOTED.match(line) for line in lines)
