"""WeChat official accounts, applications and customer service of WeCom, by a token that lives two hours.

Source: https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Service_Center_messages.html,
.../Basic_Information/getStableAccessToken.html, .../Getting_Started/Global_Return_Code.html;
https://developer.work.weixin.qq.com/document/path/90236 (sending), .../94677 (customer service), .../91039
(token), .../90313 (errors)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from intake.channels.contract import Account
from intake.sending.contract import (
    Answered,
    HttpCall,
    Later,
    Outgoing,
    Refused,
    Renew,
    Sender,
    Sent,
    Ticket,
    base,
    posted,
    told,
    trouble,
)

_WECHAT: Final = "https://api.weixin.qq.com"
_WECOM: Final = "https://qyapi.weixin.qq.com"
_LONGEST: Final = 2048  # bytes
_LONGEST_ID: Final = 32  # bytes of an id of ours
_ENDED: Final = frozenset({40001, 40014, 42001})  # the token, not the secret it is got with
_WINDOW_OVER: Final = frozenset({45015, 45047})  # 45047: as many as may be sent until the customer writes
_PASSING: Final = frozenset({-1, 45009, 45011, 45033})


def compose_token_of_wechat(account: Account) -> HttpCall:
    """The stable one, which several processes may ask for without ending each other's."""
    secrets = account.secrets
    wanted = {"grant_type": "client_credential", "appid": secrets["app_id"], "secret": secrets["app_secret"]}
    return posted(f"{base(account, _WECHAT)}/cgi-bin/stable_token", wanted)


def compose_token_of_wecom(account: Account) -> HttpCall:
    asked = urlencode({"corpid": account.secrets["corp_id"], "corpsecret": account.secrets["secret"]})
    return HttpCall(f"{base(account, _WECOM)}/cgi-bin/gettoken?{asked}", method="GET")


def read_token(status: int, body: bytes) -> tuple[str, int] | Refused | Later:
    """What does not give a token now may when somebody has mended the account."""
    said = told(body)
    token, lasts = said.get("access_token"), said.get("expires_in")
    if isinstance(token, str) and token and isinstance(lasts, int):
        return token, lasts
    return Later(_detail(said) or str(status))


def compose_wechat(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    content = {"touser": outgoing.address, "msgtype": "text", "text": {"content": outgoing.text}}
    asked = urlencode({"access_token": token})
    return posted(f"{base(account, _WECHAT)}/cgi-bin/message/custom/send?{asked}", content)


def compose_wecom(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    content = {
        "touser": outgoing.address,
        "msgtype": "text",
        "agentid": _number(account.secrets["agent_id"]),
        "text": {"content": outgoing.text},
    }
    asked = urlencode({"access_token": token})
    return posted(f"{base(account, _WECOM)}/cgi-bin/message/send?{asked}", content)


def compose_wecom_kf(outgoing: Outgoing, account: Account, token: str) -> HttpCall:
    """To a person at one of the company's customer services, which the address names first.

    The id is ours and another in each round: the provider refuses one that it has had.
    """
    desk, _, person = outgoing.address.partition(":")
    content = {
        "touser": person,
        "open_kfid": desk,
        "msgid": hashlib.sha256(f"{outgoing.id}:{outgoing.round}".encode()).hexdigest()[:_LONGEST_ID],
        "msgtype": "text",
        "text": {"content": outgoing.text},
    }
    asked = urlencode({"access_token": token})
    return posted(f"{base(account, _WECOM)}/cgi-bin/kf/send_msg?{asked}", content)


def read(status: int, headers: Mapping[str, str], body: bytes) -> Answered:
    """200 whatever happened; `errcode` says what."""
    said = told(body)
    code = said.get("errcode")
    if status != 200 or not isinstance(code, int):
        return trouble(status if status != 200 else 502, headers, _detail(said))
    if code == 0 and said.get("invaliduser"):
        return Refused("invaliduser")
    if code == 0:
        return Sent(str(said["msgid"]) if said.get("msgid") else None)
    if code in _ENDED:
        return Renew(_detail(said))
    if code in _WINDOW_OVER:
        return Refused(_detail(said), "window_over")
    return Later(_detail(said)) if code in _PASSING else Refused(_detail(said))


def _detail(said: Mapping[str, Any]) -> str:
    return f"{said.get('errcode', '')} {said.get('errmsg', '')}".strip()[:300]


def _number(written: str) -> int | str:
    return int(written) if written.isascii() and written.isdigit() else written


TICKET_OF_WECOM: Final = Ticket(compose_token_of_wecom, read_token)


def window(address: str) -> timedelta | None:
    return timedelta(hours=48)


senders = (
    Sender(
        channel="wechat",
        needs=("app_id", "app_secret"),
        compose=compose_wechat,
        read=read,
        window=window,
        ticket=Ticket(compose_token_of_wechat, read_token),
        longest=_LONGEST,
        in_bytes=True,
    ),
    Sender(
        channel="wecom",
        needs=("corp_id", "secret", "agent_id"),
        compose=compose_wecom,
        read=read,
        ticket=TICKET_OF_WECOM,
        longest=_LONGEST,
        in_bytes=True,
    ),
    Sender(
        channel="wecom_kf",
        needs=("corp_id", "secret"),
        compose=compose_wecom_kf,
        read=read,
        window=window,
        ticket=TICKET_OF_WECOM,
        longest=_LONGEST,
        in_bytes=True,
    ),
)
