"""A server on this machine that takes a run of Weights & Biases, and then answers no more."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FallsSilent:
    """Speaks as much of the protocol as opening a run takes.

    Args:
      silent: from the start.

    Attributes:
      url: of the server.
    """

    def __init__(self, silent: bool = False) -> None:
        self._silent = threading.Event()
        if silent:
            self._silent.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if outer._silent.is_set():
                    threading.Event().wait()
                answer = json.dumps(_answer(json.loads(asked or "{}"))).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def fall_silent(self) -> None:
        """Takes requests from now on, and answers none."""
        self._silent.set()


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    if asked.get("operationName") == "UpsertBucket":
        bucket = {
            "id": "1",
            "name": asked["variables"]["name"],
            "displayName": "a run",
            "config": "{}",
            "project": {"id": "1", "name": "shop", "entity": {"id": "1", "name": "us"}},
        }
        return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
    return {"data": {"serverInfo": {"features": []}}}
