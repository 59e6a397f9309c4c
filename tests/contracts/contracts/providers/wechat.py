"""WeChat in safe mode seals what it posts and signs that, not the XML around it."""

from contracts.providers import Genuine
from contracts.wechat import AES_KEY, RECEIVER, TOKEN, ids, sign, text

genuine = Genuine(
    channel="wechat",
    secrets={"token": TOKEN, "aes_key": AES_KEY, "app_id": RECEIVER},
    message=text,
    sign=sign,
    proof="msg_signature",
    ids=ids,
    covers_body=False,
)
