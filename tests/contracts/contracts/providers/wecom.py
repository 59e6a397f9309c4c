"""WeCom seals what it posts and signs that, not the XML around it."""

from contracts.providers import Genuine
from contracts.wechat import AES_KEY, RECEIVER, TOKEN, ids, sign, text

genuine = Genuine(
    channel="wecom",
    secrets={"token": TOKEN, "aes_key": AES_KEY, "corp_id": RECEIVER},
    message=text,
    sign=sign,
    proof="msg_signature",
    ids=ids,
    covers_body=False,
)
