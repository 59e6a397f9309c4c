"""WeCom's customer service (微信客服) as its documentation describes it, as a server of this machine.

https://developer.work.weixin.qq.com/document/path/94670 (sync_msg) and .../94677 (send_msg): messages of the
last days behind a cursor, in pages, by an access token and, at any rate, by the token of an announcement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from contracts.providers.wecom_kf import event
from contracts.receiving import Posted
from contracts.wechat import RECEIVER
from shared.clock import clock

SECRET: Final = "kf-secret"
_MOST_REPLIES: Final = 5  # until the person writes again


@dataclass
class CustomerService:
    """What people wrote, by desk; `page` is how many it gives at once.

    fails     by the number of a fetch, from 1: an answer instead of the page, or None
    announced tokens that are good
    asked     what each fetch asked for
    sent      what we sent, by our id
    """

    page: int = 3
    fails: Callable[[int], tuple[int, str] | None] = lambda number: None
    written: list[dict[str, Any]] = field(default_factory=list)
    announced: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    access: int = 1

    def write(self, text: str, person: str = "wm1", desk: str = "wkdesk", **more: Any) -> None:
        """A person writes to a desk; or whatever `more` says it is."""
        self.written.append(
            {
                "msgid": f"msg_{len(self.written)}",
                "open_kfid": desk,
                "external_userid": person,
                "send_time": int(clock.now().timestamp()),
                "origin": 3,
                "msgtype": "text",
                "text": {"content": text},
                **more,
            }
        )

    def announce(self, desk: str = "wkdesk") -> bytes:
        """The event that is posted then, unsealed."""
        token = f"ENC{len(self.announced)}"
        self.announced.add(token)
        return event(0, token, desk)

    def react(self, posted: Posted) -> tuple[int, str]:
        """As a `WebReceiver` wants it."""
        address = urlsplit(posted.path)
        told = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/cgi-bin/gettoken":
            good = (told["corpid"], told["corpsecret"]) == (RECEIVER, SECRET)
            return _said(access_token=f"access{self.access}", expires_in=7200) if good else _fault(40001)
        if told["access_token"] != f"access{self.access}":
            return _fault(40014)
        if address.path == "/cgi-bin/kf/send_msg":
            return self._send(posted.json)
        assert address.path == "/cgi-bin/kf/sync_msg"
        self.asked.append(posted.json)
        return self.fails(len(self.asked)) or self._page(posted.json)

    def _page(self, asked: dict[str, Any]) -> tuple[int, str]:
        if asked.get("token") and asked["token"] not in self.announced:
            return _fault(95007)
        theirs = [each for each in self.written if each["open_kfid"] == asked["open_kfid"]]
        begin = int(asked["cursor"].removeprefix("c")) if asked.get("cursor") else 0
        end = min(len(theirs), begin + min(self.page, asked["limit"]))
        more = int(end < len(theirs))
        return _said(next_cursor=f"c{end}", has_more=more, msg_list=theirs[begin:end])

    def _send(self, asked: dict[str, Any]) -> tuple[int, str]:
        id = asked["msgid"]
        wrote = any(each["external_userid"] == asked["touser"] for each in self.written)
        if not re.fullmatch("[0-9a-zA-Z_-]{1,32}", id) or id in self.sent or not wrote:
            return _fault(40058)
        if len(self.sent) >= _MOST_REPLIES:
            return _fault(95001)
        self.sent[id] = asked
        return _said(msgid=id)


def _said(**told: Any) -> tuple[int, str]:
    return 200, json.dumps({"errcode": 0, "errmsg": "ok", **told})


def _fault(code: int) -> tuple[int, str]:
    return 200, json.dumps({"errcode": code, "errmsg": "no"})
