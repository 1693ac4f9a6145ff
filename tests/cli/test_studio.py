"""`preheat studio`: what it prints, what it opens, the file that it writes."""

import http.client
import json
import os
import re
import signal

import pytest


def test_the_command_prints_the_address_and_ends_with_ctrl_c(start) -> None:
    process = start("studio", "warmup(5%) >> decay()", "--total", "10k", "--no-browser")
    line = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:(\d+)(/[\w-]+/)", line)
    connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=20)
    connection.request("GET", f"{address[2]}start.json")
    document = json.loads(connection.getresponse().read())["document"]
    connection.close()
    assert document["schedules"][0]["text"] == "warmup(5%) >> decay()"
    assert document["run"]["total"] == "10k"
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out.strip(), err) == (0, "preheat studio: ended", "")


def begun(ask, monkeypatch, *tokens: str) -> dict:
    """What the page would begin with."""
    found = []
    monkeypatch.setattr("preheat.studio.server.run", lambda start, port, browser: found.append(start))
    assert ask("studio", *tokens).code == 0
    return found[0]


def test_the_run_and_the_peak_are_those_of_the_command(ask, monkeypatch) -> None:
    tokens = ("warmup(3 epochs) >> decay()", "--total", "90 epochs", "--steps-per-epoch", "100", "--peak", "0.1")
    document = begun(ask, monkeypatch, *tokens)["document"]
    assert document["schedules"][0]["text"] == "warmup(3 epochs) >> decay()"
    assert (document["run"]["total"], document["run"]["steps_per_epoch"], document["peak"]) == (
        "90 epochs",
        "100",
        "0.1",
    )


def test_a_preset_beside_a_text_keeps_its_run_and_its_peak(ask, monkeypatch) -> None:
    document = begun(ask, monkeypatch, "decay()", "llama2_7b", "--total", "50k")["document"]
    assert document["run"]["total"] == "50k"
    assert document["schedules"][1]["peak"] == "3e-4"
    own = document["schedules"][1]["run"]
    assert own["tokens_per_step"] == "4000000"
    assert own["total"] == "50k"


def test_a_checkpoint_comes_with_its_plan_its_rates_and_its_position(ask, monkeypatch, tmp_path) -> None:
    import torch

    import preheat as ph
    from preheat.torch import Scheduler

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.2)
    scheduler = Scheduler(optimizer, "warmup(10) >> decay()", run=ph.Run(total=100))
    for _ in range(7):
        optimizer.step()
        scheduler.step()
    path = tmp_path / "last.pt"
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, path)
    start = begun(ask, monkeypatch, "--checkpoint", str(path))
    (written,) = start["document"]["schedules"]
    assert (written["name"], written["position"]) == ("last.pt", 7)
    assert (start["document"]["run"]["total"], start["document"]["peak"]) == ("100", "0.2")
    assert start["opened"]["notes"] == ["last.pt stands at update 7 of 100."]


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        (("warmpu(5%)",), "did you mean 'warmup'"),
        (("lama2_7b",), "did you mean 'llama2_7b'"),
        (("decay()", "--peak", "-1"), "--peak must be above 0"),
        (("decay()", "--port", "70000"), "port"),
        (("decay()", "--export", "page.html"), "add --total"),
        (
            ("decay()", "--total", "10", "--export", "no/such/folder/page.html"),
            "cannot write 'no/such/folder/page.html'",
        ),
        (("--checkpoint", "no-such.pt"), "there is no file no-such.pt"),
    ],
    ids=str,
)
def test_a_refusal_is_one_line_with_its_cure(ask, monkeypatch, tmp_path, tokens, says) -> None:
    monkeypatch.chdir(tmp_path)
    answer = ask("studio", *tokens, *([] if "--export" in tokens else ["--no-browser"]))
    assert answer.code == 2
    assert says in answer.err
    assert len(answer.err.splitlines()) == 1
