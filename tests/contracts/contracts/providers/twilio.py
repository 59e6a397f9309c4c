"""Twilio posts forms, and signs the address with all of the form behind it, sorted."""

import re
from urllib.parse import parse_qsl, urlencode

from contracts.providers import Genuine, Signed
from contracts.signing import hmac, in_base64

TOKEN = "0123456789abcdef0123456789abcdef"


def sms(number: int, **more: str) -> dict[str, str]:
    """What comes with an SMS."""
    sid = f"SM{number:032x}"
    return {
        "ToCountry": "CN",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "SmsSid": sid,
        "SmsStatus": "received",
        "Body": "水泵漏水 😀 1+1=2 & more",
        "To": "+8613900000000",
        "From": f"+8613{number % 10**9:09d}",
        "MessageSid": sid,
        "AccountSid": "AC" + "0" * 32,
        "ApiVersion": "2010-04-01",
        "AWordOfTomorrow": "",
        **more,
    }


def signed(url: str, body: bytes, token: str = TOKEN) -> Signed:
    """By the rules: the address, then each name with its values, sorted, each of them once."""
    form = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    behind = "".join(name + value for name, value in sorted(set(form))).encode("latin-1")
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
        "x-twilio-signature": in_base64(hmac("sha1", token, url.encode() + behind)),
    }
    return Signed(body, headers)


def _ids(body: bytes) -> set[str]:
    """MessageSid, which SmsSid repeats, or CallSid; one that is not whole names nothing."""
    told = dict(reversed(parse_qsl(body.decode("latin-1"), keep_blank_values=True)))
    sid = told.get("MessageSid") or told.get("SmsSid") or told.get("CallSid") or ""
    return {sid} if re.fullmatch("[A-Z]{2}[0-9a-fA-F]{32}", sid) else set()


genuine = Genuine(
    channel="twilio",
    secrets={"auth_token": TOKEN},
    message=lambda number: urlencode(sms(number)).encode(),
    sign=signed,
    proof="x-twilio-signature",
    ids=_ids,
)
