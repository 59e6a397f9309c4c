"""WeCom's customer service says only that there is something: sealed and signed as all of WeCom's calls."""

from contracts.providers import Genuine
from contracts.wechat import AES_KEY, RECEIVER, TOKEN, sign
from shared.clock import clock


def event(number: int, token: str = "", desk: str = "wkdesk") -> bytes:
    """The announcement, with the token that fetches what it is about."""
    return (
        f"<xml><ToUserName><![CDATA[{RECEIVER}]]></ToUserName>"
        f"<CreateTime>{int(clock.now().timestamp())}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        f"<Event><![CDATA[kf_msg_or_event]]></Event><Token><![CDATA[{token or f'ENC{number}'}]]></Token>"
        f"<OpenKfId><![CDATA[{desk}]]></OpenKfId></xml>"
    ).encode()


genuine = Genuine(
    channel="wecom_kf",
    secrets={"token": TOKEN, "aes_key": AES_KEY, "corp_id": RECEIVER},
    message=event,
    sign=sign,
    proof="msg_signature",
    ids=lambda body: set(),
    covers_body=False,
    announces=True,
)
