"""`aftercare run --phones`: the suite by TLS on the local network, and a page that says how to trust it.

One process in front of the services: by TLS it passes everything on, and without TLS it serves one page and
the certificate of this installation's authority, which a telephone needs before it can use the rest.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from allinone import gateway
from allinone.certificates import Certificates
from shared.http.refusal import Protocol

CERTIFICATE: Final = "/phones/aftercare-authority.crt"
_PAGE: Final = """<!doctype html><html lang="{lang}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:17px/1.5 system-ui,sans-serif;max-width:40rem;margin:1.5rem auto;padding:0 1rem}}
a.do{{display:block;padding:.9rem;margin:1rem 0;text-align:center;border-radius:.5rem}}
a.do{{background:#0b57d0;color:#fff}}
code{{overflow-wrap:anywhere}}</style>
<h1>{title}</h1><p>{why}</p><ol><li><a class="do" href="{certificate}">{download}</a></li>
<li><b>iPhone, iPad:</b> {ios}</li><li><b>Android:</b> {android}</li>
<li>{compare}<br><code>{fingerprint}</code></li>
<li><a class="do" href="{app}">{open}</a></li></ol><p>{scope}</p></html>"""
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "Aftercare on this telephone",
        "why": "Without a network the app works only on an address that this telephone trusts.",
        "download": "Download the certificate",
        "ios": "Settings › Profile Downloaded › Install; then Settings › General › About › Certificate Trust "
        "Settings, and switch it on.",
        "android": "Settings › Security › Encryption & credentials › Install a certificate › CA certificate, "
        "and choose the file.",
        "compare": "Compare the SHA-256 fingerprint with the one in the terminal before you trust it:",
        "open": "Open the app",
        "scope": "It is good for addresses of local networks alone, for nothing on the internet.",
    },
    "zh-CN": {
        "title": "在本手机上使用售后系统",
        "why": "只有手机信任的地址，应用才能在没有网络时使用。",
        "download": "下载证书",
        "ios": "设置 › 已下载描述文件 › 安装；然后到 设置 › 通用 › 关于本机 › 证书信任设置，打开开关。",
        "android": "设置 › 安全 › 加密与凭据 › 安装证书 › CA 证书，选择下载的文件。",
        "compare": "信任之前，请与终端中显示的 SHA-256 指纹核对：",
        "open": "打开应用",
        "scope": "此证书仅对局域网地址有效，对互联网上的任何网站都无效。",
    },
}


@dataclass(frozen=True, slots=True)
class Front:
    """What stands between telephones and the services.

    suite  the port of the services on this machine
    url    the address that telephones use
    """

    certificates: Certificates
    suite: int
    url: str

    def secure(self) -> Starlette:
        """Everything, and the page."""
        app = gateway.build({"suite": self.suite})
        app.routes[:0] = self._routes()
        return app

    def plain(self) -> Starlette:
        """The page and the certificate, and nothing that anybody signs in to."""
        return Starlette(routes=self._routes())

    def _routes(self) -> list[Route]:
        return [Route("/phones", self._page), Route(CERTIFICATE, self._certificate)]

    async def _page(self, request: Request) -> Response:
        chinese = request.headers.get("accept-language", "zh").lower().startswith("zh")
        lang = "zh-CN" if chinese else "en"
        facts = {"fingerprint": self.certificates.fingerprint(), "app": f"{self.url}/dispatch/app"}
        shown = _PAGE.format(lang=lang, certificate=CERTIFICATE, **_WORDS[lang], **facts)
        return HTMLResponse(shown, headers={"vary": "accept-language", "cache-control": "no-cache"})

    async def _certificate(self, request: Request) -> Response:
        return Response(self.certificates.authority_der(), media_type="application/x-x509-ca-cert")


class _Beside(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(app: Starlette, host: str, port: int, certificates: Certificates | None = None) -> uvicorn.Server:
    """One of the two; by TLS 1.2 or newer where there are certificates."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=3,
        ssl_certfile=certificates.server if certificates else None,
        ssl_keyfile=certificates.key if certificates else None,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return _Beside(config)


async def serve(*servers: uvicorn.Server) -> None:
    """Until SIGTERM or SIGINT."""

    def end() -> None:
        for each in servers:
            each.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    await asyncio.gather(*(each.serve() for each in servers))


def shown(url: str, plain: str, fingerprint: str) -> str:
    """What the terminal says."""
    import io

    import segno  # only who lets telephones in needs it

    drawn = io.StringIO()
    segno.make(f"{plain}/phones", error="m", micro=False).terminal(drawn, compact=True)
    return (
        f"\nTelephones on this network: scan this, or open {plain}/phones\n{drawn.getvalue()}"
        f"They then use {url}/dispatch/app. The certificate's SHA-256, to compare:\n  {fingerprint}\n"
    )


def main() -> None:
    folder = Path(os.environ["PHONES_FOLDER"])
    made = Certificates(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    front = Front(made, int(os.environ["PHONES_SUITE"]), os.environ["PHONES_URL"])
    everywhere = "0.0.0.0"  # telephones come from the network
    secure = server(front.secure(), everywhere, int(os.environ["PHONES_PORT"]), made)
    plain = server(front.plain(), everywhere, int(os.environ["PHONES_PLAIN_PORT"]))
    asyncio.run(serve(secure, plain))


if __name__ == "__main__":
    main()
