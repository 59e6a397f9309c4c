"""What the HTTP server itself refuses, before there is a request to route, told as a problem too.

In English: of a request that cannot be read, the languages of its reader cannot be read either.
"""

from __future__ import annotations

import sys
from typing import ClassVar

from httptools import HttpParserCallbackError, HttpParserInvalidMethodError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shared.errors import AftercareError
from shared.http.clean import LONGEST_TARGET, TargetTooLong
from shared.http.problem import problem_of


class NotHttp(AftercareError):
    """What arrived is no request of HTTP/1.1: {fault}."""

    status: ClassVar = 400


class UnknownMethod(AftercareError):
    """There is no such method in HTTP; use one of GET, HEAD, POST, PUT, PATCH and DELETE."""

    status: ClassVar = 501


class Protocol(HttpToolsProtocol):
    """uvicorn's own, but for the form of its refusals."""

    def send_400_response(self, msg: str) -> None:
        """Called while the parser's error is handled: it says more than `msg` does."""
        response = problem_of(self._refusal(sys.exception())).response()
        told = (*self.server_state.default_headers, *response.raw_headers, (b"connection", b"close"))
        head = [STATUS_LINE[response.status_code], *(b"%s: %s\r\n" % header for header in told), b"\r\n"]
        self.transport.write(b"".join(head) + bytes(response.body))
        self.transport.close()

    def _refusal(self, error: BaseException | None) -> AftercareError:
        match error:
            case HttpParserInvalidMethodError():
                return UnknownMethod()
            case HttpParserCallbackError() if len(self.url) > LONGEST_TARGET:
                return TargetTooLong(limit=LONGEST_TARGET)
            case HttpParserCallbackError():
                return NotHttp(fault="its address cannot be read")
            case _:  # the parser's own texts name a rule and repeat nothing
                return NotHttp(fault=str(error))
