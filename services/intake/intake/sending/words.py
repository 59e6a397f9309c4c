"""What customers read who were told something by a program: in their own language, with the facts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from intake.requests.rules import own_words
from shared.errors import AftercareError
from shared.i18n.language import ZONE_NAMES, Language

ACKNOWLEDGEMENT: Final = "acknowledgement"
_WRITTEN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN: Final = re.compile(r"[A-Za-z]")

# By template and language. {title}, {number} and {until} are facts, {text} is what a person wrote; of a visit
# {was} is when it would have begun, {when} from when to when it is, and {because} why.
_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "please_accept": {
        "zh-CN": "您好！您反映的问题{about}我们已处理完毕。请打开下面的链接，确认问题是否已解决：\n{link}\n"
        "如果还没有解决，也请在该页面告诉我们，我们会继续处理。",
        "en": "Hello! The work on your request{about} is done. Please open this page and tell us whether it "
        "is solved:\n{link}\nIf it is not, say so there and we go on.",
    },
    "please_accept_reminder": {
        "zh-CN": "您好！您反映的问题{about}已处理完毕，尚未收到您的确认。"
        "请打开下面的链接，告诉我们问题是否已解决：\n{link}",
        "en": "Hello! We have not heard yet whether your request{about} is solved. Please tell us on this "
        "page:\n{link}",
    },
    "visit_times": {
        "zh-CN": "您好！关于您反映的问题{about}，我们将安排工程师上门。"
        "请打开下面的链接选择方便的上门时间：\n{link}",
        "en": "Hello! An engineer comes to you about your request{about}. Please choose a time on this "
        "page:\n{link}",
    },
    "visit_moved": {
        "zh-CN": "您好！您反映的问题{about}的上门时间有变：原定{was}，改为{when}（{zone}）。{because}\n"
        "如果新的时间不方便，请打开下面的链接另选时间：\n{link}",
        "en": "Hello! The visit about your request{about} has been moved from {was} to {when}, {zone}."
        "{because}\nIf the new time does not suit you, please choose another one on this page:\n{link}",
    },
    "visit_cancelled": {
        "zh-CN": "您好！您反映的问题{about}原定{was}（{zone}）的上门服务已取消。{because}\n"
        "请打开下面的链接选择新的上门时间：\n{link}",
        "en": "Hello! The visit about your request{about} on {was}, {zone}, does not take place.{because}\n"
        "Please choose another time on this page:\n{link}",
    },
    "visit_lapsed": {
        "zh-CN": "您好！您反映的问题{about}已更换工程师，原定{was}（{zone}）的上门时间无法保留，"
        "非常抱歉。\n请打开下面的链接选择新的上门时间：\n{link}",
        "en": "Hello! Another engineer takes care of your request{about}, and the visit on {was}, {zone}, "
        "cannot take place. We are sorry.\nPlease choose another time on this page:\n{link}",
    },
    "survey": {
        "zh-CN": "您好！感谢您使用我们的售后服务。请花一分钟评价本次服务：\n{link}",
        "en": "Hello! Thank you for letting us help you. How did we do? One minute is enough:\n{link}",
    },
    "remote_session": {
        "zh-CN": "您好！为处理您反映的问题{about}，工程师邀请您进行远程协助。请打开下面的链接加入：\n{link}\n"
        "链接仅供您本人使用，请勿转发。",
        "en": "Hello! To help with your request{about}, our engineer invites you to a session from afar. "
        "Please open this page to join:\n{link}\nIt is meant for you alone.",
    },
    "progress": {
        "zh-CN": "您好！您的服务请求有新进展：\n{text}",
        "en": "Hello! There is news about your request:\n{text}",
    },
    # The words of an incident are written in the customer's language when it is told.
    "incident": {"zh-CN": "{text}", "en": "{text}"},
    ACKNOWLEDGEMENT: {
        "zh-CN": "您好！我们已收到您的服务请求，编号：{number}。{promise}\n"
        "这是自动回复，直接回复本消息即可补充信息。",
        "en": "Hello! Your request has reached us under the number {number}. {promise}\nThis was sent "
        "automatically; answer it to add to your request.",
    },
}
_BY_PEOPLE: Final = frozenset({"progress", "incident"})
_NEEDS_LINK: Final = frozenset(
    {
        "please_accept",
        "please_accept_reminder",
        "survey",
        "remote_session",
        "visit_times",
        "visit_moved",
        "visit_cancelled",
        "visit_lapsed",
    }
)
_BECAUSE: Final = {"zh-CN": "原因：{reason}。", "en": " The reason: {reason}"}
_PROMISES: Final = {
    "zh-CN": ("我们会尽快回复您。", "我们将在{until}（{zone}）前回复您。"),
    "en": ("We answer as soon as we can.", "We answer by {until} {zone}."),
}
_ABOUT: Final = {"zh-CN": "“{title}”（工单号 {number}）", "en": " “{title}” (ticket {number})"}


class UnknownTemplate(AftercareError):
    """Nobody here knows what to say for {template}."""


def language_of(heard: str | None) -> str:
    """The language to answer in, by the script of the customer's last own words: Latin alone is English."""
    text = own_words(heard or "")
    return "en" if _LATIN.search(text) and not _WRITTEN.search(text) else "zh-CN"


def automatic(template: str | None) -> str:
    """What RFC 3834 calls a message that nobody wrote for this customer; empty where somebody did."""
    if template is None or template in _BY_PEOPLE:
        return ""
    return "auto-replied" if template == ACKNOWLEDGEMENT else "auto-generated"


def text_of(
    template: str | None,
    written: str,
    link: str | None,
    facts: Mapping[str, str],
    heard: str | None,
    public_url: str,
) -> str:
    """What is sent: what a person wrote as it is, else the template's text. Raises `UnknownTemplate`."""
    link = public_url.rstrip("/") + link if link and link.startswith("/") else link
    if template is None:
        return f"{written}\n{link}" if link else written
    language = language_of(heard)
    wanted = _TEXTS.get(template, {}).get(language)
    if wanted is None or (template in _NEEDS_LINK and not link):
        raise UnknownTemplate(template=template)
    about = ""
    if facts.get("title") and facts.get("number"):
        about = _filled(_ABOUT[language], facts)
    found = {
        **facts,
        "text": written,
        "link": link or "",
        "about": about,
        "promise": _promise(facts, language),
        **_of_visit(facts, language),
    }
    return _filled(wanted, found)


def _promise(facts: Mapping[str, str], language: str) -> str:
    soon, until = _PROMISES[language]
    if not facts.get("until"):
        return soon
    by = Language(language).moment(datetime.fromisoformat(facts["until"]))
    return _filled(until, {"until": by, "zone": ZONE_NAMES[language]})


def _of_visit(facts: Mapping[str, str], language: str) -> dict[str, str]:
    """The times of a visit as they are read, and why it is another one."""
    read = Language(language)
    told = {"zone": ZONE_NAMES[language], "because": "", "was": "", "when": ""}
    if facts.get("reason"):
        told["because"] = _filled(_BECAUSE[language], facts)
    if facts.get("was"):
        told["was"] = read.moment(datetime.fromisoformat(facts["was"]))
    if facts.get("starts_at") and facts.get("ends_at"):
        begins, ends = (datetime.fromisoformat(facts[name]) for name in ("starts_at", "ends_at"))
        told["when"] = f"{read.moment(begins)}–{read.time(ends)}"
    return told


def _filled(text: str, facts: Mapping[str, str]) -> str:
    """By hand: what a person wrote may hold braces."""
    return re.sub(r"\{(\w+)\}", lambda found: facts.get(found[1], ""), text)
