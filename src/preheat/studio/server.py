"""The page over HTTP, for this machine alone: on loopback, under a token, for no other origin or host."""

from __future__ import annotations

import json
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from preheat.studio.service import answer

MOST = 16 << 20  # bytes of a question: a config, or a small checkpoint
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_PAGE = files("preheat.studio") / "page"


class Server(ThreadingHTTPServer):
    """The page and its questions at `address`, until it is shut down."""

    daemon_threads = True

    def __init__(self, port: int = 0, token: str | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.token = token or secrets.token_urlsafe(16)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].removeprefix(f"/{self.server.token}/") or "index.html"
        path = _PAGE / name
        if not self.path.startswith(f"/{self.server.token}/") or "/" in name or not path.is_file():
            return self.send_error(404)
        return self._send(path.read_bytes(), _TYPES[name.rpartition(".")[2]])

    def do_POST(self) -> None:
        question = self.path.removeprefix(f"/{self.server.token}/ask/")
        given = json.loads(self.rfile.read(min(MOST, int(self.headers["Content-Length"]))))
        self._send(json.dumps(answer(question, given)).encode(), "application/json")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what is printed is for who typed the command."""
