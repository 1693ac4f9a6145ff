"""The page over HTTP, for this machine alone: on loopback, under a token, for no other origin or host."""

from __future__ import annotations

import hmac
import json
import math
import secrets
import sys
import traceback
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from preheat.core.checks import counted
from preheat.core.errors import PreheatError
from preheat.studio.link import link
from preheat.studio.opening import MOST_BYTES
from preheat.studio.service import answer

HOST = "127.0.0.1"
_DIGITS = 20  # of the length of a question: an int is not made of any number of them
_MOST = 2 * MOST_BYTES  # bytes of a question: a file in it is base64
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_JSON = "application/json"
_START = "start.json"
_OWN_SITE = ("same-origin", "none")  # none: typed, or opened by another program
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SAYS = {  # a refusal of HTTP, as the page shows it
    400: "this is no question of the page",
    403: "only the page itself may ask: open the address that preheat studio printed",
    404: "there is nothing here: open the address that preheat studio printed",
    411: "how long the question is has to be said before it",
    413: f"at most {MOST_BYTES >> 20} MiB can be opened from the page; open it by its path",
    415: f"a question of the page is {_JSON}",
    500: "something went wrong in preheat itself, and the terminal in which it runs shows what",
}
_LONGEST = 30_000  # characters of an address that every system hands to a browser


class Server(ThreadingHTTPServer):
    """The page and its questions at `address`, until it is shut down.

    port: 0 for any that is free.   token: without which nothing is answered; a random one by default.
    start: what the page begins with where its address holds no document: the document, and what was opened.
    """

    daemon_threads = True

    def __init__(self, port: int = 0, token: str | None = None, start: Mapping[str, Any] | None = None) -> None:
        counted(port, "port= is a whole number from 0 to 65535", most=65535, write="leave it out for any that is free")
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            write = "leave it out (--port), and one that is free is taken"
            raise PreheatError(f"port {port} cannot be used: {error.strerror}", write=write) from None
        self.token, self.start = token or secrets.token_urlsafe(16), start
        self.hosts = tuple(f"{name}:{self.server_port}" for name in (HOST, "localhost"))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in the terminal what went wrong; a browser that went away is nothing of that."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{self.hosts[0]}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[assignment]  a handler of this server alone
    protocol_version = "HTTP/1.1"  # one connection for all questions of a page
    disable_nagle_algorithm = True  # an answer leaves at once
    wbufsize = 1 << 16  # its head and its body together
    timeout = 600
    error_content_type, error_message_format = "text/plain;charset=utf-8", "%(message)s"

    def do_GET(self) -> None:
        name = self._asked()
        if name is None:
            return
        content = _page().get(name or "index.html")
        if name == _START:  # null where nothing was given: what is not found is an error in a browser's console
            content = (_JSON, json.dumps(self.server.start).encode())
        if content is None:
            self._refuse(404)
        else:
            self._send(*content)

    def do_POST(self) -> None:
        name = self._asked()
        if name is None:
            return
        before, _, question = name.partition("/")
        length = self.headers.get("Content-Length", "")
        if before != "ask":
            self._refuse(404)
        elif self.headers.get_content_type() != _JSON:
            self._refuse(415)
        elif not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            self._refuse(411)
        elif len(length) > _DIGITS or int(length) > _MOST:
            self._refuse(413)
        else:
            self._answer(question, self.rfile.read(int(length)))

    def _answer(self, question: str, body: bytes) -> None:
        try:
            given = json.loads(body, parse_float=_finite, parse_constant=_finite)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            return self._refuse(400)
        try:
            said = json.dumps(answer(question, given), allow_nan=False)
        except Exception:  # a fault of ours: the page is told that there is one, and the terminal which
            traceback.print_exc(file=sys.stderr)
            return self._refuse(500)
        return self._send(_JSON, said.encode())

    def _asked(self) -> str | None:
        """What is asked for, behind the token; None where it has been refused."""
        token, *rest = self.path.partition("?")[0].removeprefix("/").split("/", 1)
        known = hmac.compare_digest(token.encode(), self.server.token.encode())
        if not self._is_ours():
            self._refuse(403)
        elif not known or (not rest and self.command != "GET"):
            self._refuse(404)
        elif not rest:  # its last / is not there, without which the page's own files are not found
            self.send_response(308)
            self.send_header("Location", f"/{self.server.token}/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            return rest[0]
        return None

    def _is_ours(self) -> bool:
        """Whether the page itself asks, or whoever opens it: by this machine's own name, and no other site's page."""
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        sites = self.headers.get_all("Sec-Fetch-Site", [])
        known = len(hosts) == 1 and hosts[0].lower() in self.server.hosts
        own = all(origin.lower() == f"http://{hosts[0].lower()}" for origin in origins) if known else False
        return known and own and all(site in _OWN_SITE for site in sites) and self.path.startswith("/")

    def _refuse(self, status: int) -> None:
        self.send_error(status, _SAYS[status])

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        """Who answers: no versions of anything."""
        return "preheat"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what is printed is for who typed the command."""


def _finite(text: str) -> float:
    """A number that JSON can hold, so that what is sent can be answered with."""
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


@cache
def _page() -> dict[str, tuple[str, bytes]]:
    """The page's files by name, each with its type."""
    found = (file for file in (files("preheat.studio") / "page").iterdir() if file.is_file())
    return {
        file.name: (_TYPES[kind], file.read_bytes())
        for file in found
        if (kind := file.name.rpartition(".")[2]) in _TYPES
    }


def run(start: Mapping[str, Any], port: int = 0, *, browser: bool = True) -> None:
    """Print the page's address, open it, and answer until Ctrl-C.

    start: the document that the page begins with, and what was opened.   port: 0 for any that is free.
    """
    with Server(port, start=start) as server:
        print(f"preheat studio: {server.address}  (Ctrl-C ends it)", flush=True)
        if browser:
            whole = f"{server.address}#{link(start['document'])}"
            webbrowser.open(whole if len(whole) <= _LONGEST else server.address)
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)
        print("\npreheat studio: ended", flush=True)
