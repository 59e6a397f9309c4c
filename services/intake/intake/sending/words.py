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

# By template and language. {title}, {number} and {until} are facts, {text} is what a person wrote.
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
    "survey": {
        "zh-CN": "您好！感谢您使用我们的售后服务。请花一分钟评价本次服务：\n{link}",
        "en": "Hello! Thank you for letting us help you. How did we do? One minute is enough:\n{link}",
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
_NEEDS_LINK: Final = frozenset({"please_accept", "please_accept_reminder", "survey"})
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
    }
    return _filled(wanted, found)


def _promise(facts: Mapping[str, str], language: str) -> str:
    soon, until = _PROMISES[language]
    if not facts.get("until"):
        return soon
    by = Language(language).moment(datetime.fromisoformat(facts["until"]))
    return _filled(until, {"until": by, "zone": ZONE_NAMES[language]})


def _filled(text: str, facts: Mapping[str, str]) -> str:
    """By hand: what a person wrote may hold braces."""
    return re.sub(r"\{(\w+)\}", lambda found: facts.get(found[1], ""), text)
