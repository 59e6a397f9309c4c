"""A replica with nothing in it but what the process tools need to be shown: ready, work, crash, stop.

PORT: where to listen. BREAKS: end with an error at once. STUBBORN: ignore SIGTERM.
AFTERCARE_CRASH_AT="work:2": die at the second POST to /work.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

left = int(os.environ.get("AFTERCARE_CRASH_AT", "work:0").partition(":")[2])


class Doors(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()

    def do_POST(self) -> None:
        global left
        left -= 1
        if left == 0:
            os._exit(86)
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    if "BREAKS" in os.environ:
        sys.exit("no configuration, no service")
    print("toy replica begins", flush=True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "STUBBORN" in os.environ else lambda *_: os._exit(0))
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Doors).serve_forever()
