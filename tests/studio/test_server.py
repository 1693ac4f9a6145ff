"""The page is for this machine and for itself alone; what goes wrong inside stays in the terminal."""

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

import preheat as ph
from preheat.studio import server as served
from preheat.studio.server import Server
from preheat.studio.starting import given, started

DRAW = {"document": {"schedules": [{"text": "warmup(5%) >> decay()"}], "run": {"total": "10k"}}, "points": 100}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(start={"document": {}, "opened": None}) as one:
        threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield one
        one.shutdown()


def ask(server: Server, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, dict, bytes]:
    """Status, headers and body; headers by their names with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    try:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, said)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()
    finally:
        connection.close()


def post(server: Server, question: str, given: object, **headers: str) -> tuple[int, dict, bytes]:
    said = {"Content_Type": "application/json", **headers}
    return ask(server, "POST", f"/{server.token}/ask/{question}", json.dumps(given), **said)


def test_the_page_and_its_files_and_nothing_else(server: Server) -> None:
    status, headers, body = ask(server, "GET", f"/{server.token}/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    names = re.findall(rb'(?:src|href)="(?!data:)([^"]+)"', body)
    assert len(names) >= 2
    for name in names:
        assert ask(server, "GET", f"/{server.token}/{name.decode()}")[0] == 200
    for path in (
        "/../server.py",
        "/%2e%2e/server.py",
        "/..%2fserver.py",
        "/studio.js/",
        "/__init__.py",
        "/ask/draw",
    ):
        assert ask(server, "GET", f"/{server.token}{path}")[0] == 404, path
    assert json.loads(ask(server, "GET", f"/{server.token}/start.json")[2]) == server.start


def test_without_its_last_slash_the_address_leads_to_the_page(server: Server) -> None:
    status, headers, _ = ask(server, "GET", f"/{server.token}")
    assert (status, headers["Location"]) == (308, f"/{server.token}/")
    assert post(server, "draw", DRAW)[0] == 200
    assert ask(server, "POST", f"/{server.token}", "{}", Content_Type="application/json")[0] == 404


@pytest.mark.parametrize(
    "line",
    [
        "GET *",
        "GET ?",
        "GET ",
        "GET //[",
        "GET http://elsewhere/",
        "POST *",
        "GET a",
        "HEAD /",
        "OPTIONS *",
        "GET /\xff/",
        "\0",
    ],
)
def test_of_an_odd_request_nothing_is_said_in_the_terminal(server: Server, line: str, capsys) -> None:
    head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nConnection: close\r\n\r\n"
    assert re.search(rb"40[034]|501|only the page|Bad ", sent(server, head)), line
    assert capsys.readouterr().err == ""


def test_a_length_of_thousands_of_digits_is_no_fault_of_ours(server: Server, capsys) -> None:
    head = f"POST /{server.token}/ask/draw HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
    found = sent(server, f"{head}Content-Type: application/json\r\nContent-Length: {'9' * 6000}\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 413")
    assert capsys.readouterr().err == ""


def sent(server: Server, text: str) -> bytes:
    """What comes back for a request as it is written."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(text.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("port", ["x", -1, 65_536, 1.5, None, True])
def test_a_port_is_a_number_of_one(port: object) -> None:
    with pytest.raises(ph.PreheatError, match="whole number from 0 to 65535"):
        Server(port)  # type: ignore[arg-type]


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_without_the_token_nothing_is_answered(server: Server) -> None:
    assert len(server.token) >= 20
    paths = ("/", "/studio.js", f"/{server.token[:-1]}/", f"/{server.token}x/", "/%00/", "//")
    for path in paths:
        assert ask(server, "GET", path)[0] == 404, path
    assert ask(server, "POST", "/ask/draw", "{}", Content_Type="application/json")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_another_host_origin_or_site_is_refused(server: Server, headers: dict[str, str]) -> None:
    assert ask(server, "GET", f"/{server.token}/", **headers)[0] == 403
    status, _, body = post(server, "draw", DRAW, **headers)
    assert status == 403
    assert b"curves" not in body


def test_a_path_that_is_no_ascii_is_not_found(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(f"GET /é/ HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 404 ")


def test_two_hosts_are_refused(server: Server) -> None:
    host = f"127.0.0.1:{server.server_port}"
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(f"GET /{server.token}/ HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


def test_the_page_itself_is_answered(server: Server) -> None:
    for host in (f"127.0.0.1:{server.server_port}", f"localhost:{server.server_port}"):
        status, _, body = post(server, "draw", DRAW, Host=host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin")
        assert status == 200
        assert json.loads(body)["curves"][0]["total"] == 10_000


def test_every_answer_forbids_what_the_page_does_not_need(server: Server) -> None:
    for status, headers, _ in (
        ask(server, "GET", f"/{server.token}/"),
        post(server, "draw", DRAW),
        ask(server, "GET", "/"),
        ask(server, "GET", f"/{server.token}/", Host="evil.example"),
    ):
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';"), status
        assert "unsafe" not in policy
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert "Python" not in headers["Server"]
        assert "Access-Control-Allow-Origin" not in headers


def test_a_question_is_json_of_a_size(server: Server) -> None:
    path = f"/{server.token}/ask/draw"
    assert ask(server, "POST", path, "{}", Content_Type="text/plain")[0] == 415
    assert ask(server, "POST", path, "{}")[0] == 415  # what a form of another site could send
    for body in ("[]", "{", "[" * 100_000, "\xff", '{"points": NaN}', '{"points": 1e400}'):
        assert ask(server, "POST", path, body, Content_Type="application/json")[0] == 400


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Content-Length: -1", 411),
        ("Transfer-Encoding: chunked", 411),
        ("X: y", 411),
        ("Content-Length: 99999999999", 413),
    ],
)
def test_a_question_says_how_long_it_is(server: Server, head: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        host = f"Host: 127.0.0.1:{server.server_port}\r\nContent-Type: application/json"
        connection.sendall(f"POST /{server.token}/ask/draw HTTP/1.1\r\n{host}\r\n{head}\r\n\r\n".encode())
        assert connection.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def test_a_refusal_is_an_answer_and_a_fault_is_told_in_the_terminal(server: Server, monkeypatch, capfd) -> None:
    status, _, body = post(server, "drow", {})
    assert status == 200
    assert "did you mean 'draw'?" in json.loads(body)["error"]["message"]

    def broken(question: str, given: object) -> dict:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(served, "answer", broken)
    status, _, body = post(server, "draw", DRAW)
    assert status == 500
    assert b"terminal" in body
    assert b"secret" not in body
    assert b"Traceback" not in body
    assert "a secret of the inside" in capfd.readouterr().err


def test_one_connection_is_kept_and_quick_enough_to_drag(server: Server) -> None:
    """30 questions a second of a million updates; the bound is generous, for a machine on which others work."""
    text = "warmup(2000) >> hold(60%) >> decay(shape=cosine)"
    document = {"schedules": [{"text": text}], "run": {"total": "1M"}, "peak": "3e-4"}
    body, times = json.dumps({"document": document, "points": 1500}), []
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    for _ in range(30):
        begin = time.perf_counter()
        connection.request("POST", f"/{server.token}/ask/draw", body, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        times.append(time.perf_counter() - begin)
    own = connection.sock.getsockname()
    connection.request("GET", f"/{server.token}/")
    connection.getresponse().read()
    assert connection.sock.getsockname() == own
    connection.close()
    assert len(json.loads(answer)["curves"][0]["at"]) > 1000
    assert sorted(times)[len(times) // 2] < 0.1


def test_a_port_that_is_taken_is_refused(server: Server) -> None:
    with pytest.raises(ph.PreheatError, match=f"port {server.server_port} cannot be used"):
        Server(server.server_port)
    with pytest.raises(ph.PreheatError, match="port"):
        Server(65536)


def test_what_is_given_in_python_is_what_the_page_begins_with() -> None:
    names = ("one", "two")
    start = started(given(["warmup(10) >> decay()", ph.presets["gpt3"]], ph.Run(total=100), 0.1, names))
    document = start["document"]
    assert [one["name"] for one in document["schedules"]] == ["one", "two"]
    assert (document["run"]["total"], document["peak"]) == ("100", "0.1")
    with pytest.raises(ph.PreheatError, match="1 name for 2 schedules"):
        given(["decay()", "hold()"], None, None, ("one",))
