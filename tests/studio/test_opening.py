"""What is opened is what its source says, with its run, its peak and its findings; nothing of it is evaluated."""

import base64
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import preheat as ph
from preheat.compat import PEERS, peer, restate
from preheat.lab.records.record import read_record
from preheat.recipes.registry import RECIPES
from preheat.studio.catalogue import catalogue
from preheat.studio.document import document_from, fields_from
from preheat.studio.opening import MOST_POINTS, document_of
from preheat.studio.service import answer

EMPTY = {"schedules": [{"text": ""}]}
ARGUMENTS = {"learning_rate": 1e-4, "lr_scheduler_type": "cosine", "warmup_steps": 10, "max_steps": 100}


def opened(source: dict[str, Any], document: dict[str, Any] = EMPTY) -> dict[str, Any]:
    found = answer("open", {"source": source, "document": document})
    json.dumps(found, allow_nan=False)
    return found


def sent(name: str, content: bytes | str, document: dict[str, Any] = EMPTY) -> dict[str, Any]:
    data = content if isinstance(content, bytes) else content.encode()
    return opened({"kind": "file", "name": name, "content": base64.b64encode(data).decode()}, document)


def refused(found: dict[str, Any]) -> str:
    return found["error"]["message"]


def run_or_hint(made: Callable[[], ph.Run]) -> ph.Run | str:
    """The run; of one that needs what is not published, what that is."""
    try:
        return made()
    except ph.PreheatError as error:
        return error.hint


@pytest.mark.parametrize("name", list(ph.presets))
def test_a_preset_comes_with_its_run_and_its_peak(name: str) -> None:
    preset, found = ph.presets[name], opened({"kind": "preset", "name": name})
    assert ph.parse(found["schedules"][0]["text"]) == preset.schedule
    assert (float(found["peak"]) if found["peak"] else None) == preset.peak_lr
    assert run_or_hint(fields_from(found["run"]).run) == run_or_hint(preset.run)
    assert preset.note in found["notes"][0]
    assert preset.source in found["notes"]


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_is_its_docstrings_example(name: str) -> None:
    (written,) = opened({"kind": "recipe", "name": name})["schedules"]
    assert written["text"].startswith(f"{name}(")
    assert written["text"] in RECIPES[name].__doc__
    ph.parse(written["text"])


def test_a_peer_is_restated_from_arguments_as_text() -> None:
    source = {"kind": "peer", "library": "torch", "name": "OneCycleLR", "arguments": "max_lr=0.1, total_steps=100"}
    found, own = opened(source), restate("torch", "OneCycleLR", max_lr=0.1, total_steps=100)
    assert ph.parse(found["schedules"][0]["text"]) == own.target
    assert found["run"]["total"] == str(math.ceil(own.schedule.length))
    assert [one["code"] for one in found["findings"]] == [one.code for one in own.findings]
    assert all(one["means"] for one in found["findings"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("max_lr=__import__('os').system('touch ran'), total_steps=9", "no name of a scheduler"),
        ("max_lr=open('ran', 'w'), total_steps=9", "torch has no scheduler 'open'"),
        ("max_lr=(lambda: 1)(), total_steps=9", "no name of a scheduler"),
        ("max_lr=[x for x in (1,)], total_steps=9", "no literal"),
        ("max_lr=0.1, total_steps=9) or open('ran', 'w'", "no call of a scheduler"),
        ("max_lr=0.1, total_steps=9**9**9**9", "no literal"),
        ("max_lr=0.1, total_stesp=9", "did you mean 'total_steps'"),
        ("max_lr=0.1", "total_steps"),
        ("max_lr='a', total_steps=9", "max_lr"),
        ("max_lr={}, total_steps=[]", ""),
        ("(" * 10_000, "no expression"),
    ],
)
def test_arguments_are_literals_and_nothing_runs(arguments: str, says: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = opened({"kind": "peer", "library": "torch", "name": "OneCycleLR", "arguments": arguments})
    assert says in refused(found)
    assert list(tmp_path.iterdir()) == []


def test_every_scheduler_in_the_catalogue_opens_under_its_example() -> None:
    for library in catalogue()["peers"]:
        assert library["schedulers"], library["library"]
        for one in library["schedulers"]:
            source = {"kind": "peer", "library": library["library"], "name": one["name"], "arguments": one["example"]}
            found = opened(source)
            assert "error" not in found, (source, found)
            ph.parse(found["schedules"][0]["text"])


def test_the_catalogue_is_of_what_there_is() -> None:
    found = catalogue()
    assert [one["library"] for one in found["peers"]] == list(PEERS)
    have = {(one["library"], each["name"]) for one in found["peers"] for each in one["schedulers"]}
    missing = {(name, own) for name in PEERS for own in peer(name).functions} - have
    assert len(missing) <= 17, missing  # what takes a function of Python, or mappings of its library's own
    assert {one["name"] for one in found["presets"]} == set(ph.presets)
    assert {one["name"] for one in found["recipes"]} == set(RECIPES)
    run = ph.Run(total=10**9, steps_per_epoch=1000, samples_per_step=512, tokens_per_step=10**6)
    for one in (*found["words"], *found["recipes"], *found["presets"]):
        assert one["summary"], one
        ph.parse(one["text"]).bind(run)


def test_a_config_is_read_by_content_and_by_path(tmp_path: Path) -> None:
    path = tmp_path / "training_args.json"
    path.write_text(json.dumps(ARGUMENTS))
    by_path, by_content = opened({"kind": "path", "path": str(path)}), sent(path.name, path.read_bytes())
    assert by_path == by_content
    assert by_path["run"]["total"] == "100"
    target = ph.parse(by_path["schedules"][0]["text"])
    assert target.bind(ph.Run(total=100)).table(11)[10] == pytest.approx(1e-4)


def test_what_a_config_does_not_say_the_page_may() -> None:
    text = json.dumps({**ARGUMENTS, "max_steps": -1, "num_train_epochs": 1, "per_device_train_batch_size": 8})
    assert "total=" in refused(sent("training_args.json", text)) or "samples" in refused(
        sent("training_args.json", text)
    )
    found = sent("training_args.json", text, {"schedules": [{"text": "decay()"}], "run": {"total": "200"}})
    assert found["run"]["total"] == "200"
    found = sent(
        "training_args.json", json.dumps(ARGUMENTS), {"schedules": [{"text": "decay()"}], "run": {"total": "200"}}
    )
    assert found["run"]["total"] == "100"  # its own, where it says it


@pytest.mark.parametrize("name", ["../../evil.json", "/etc/passwd.json", "C:\\x\\evil.json", "a" * 5000 + ".json"])
def test_a_name_is_no_path(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = sent(name, json.dumps(ARGUMENTS))
    assert "error" not in found
    assert "/" not in found["schedules"][0]["name"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("", "{}", "a file has a name"),
        ("..", "{}", "a file has a name"),
        ("a\0b.json", "{}", "a file has a name"),
        ("x.json", "{", "cannot be read as json"),
        ("x.json", "[" * 100_000, "nested too deeply"),
        ("x.yaml", "!!python/object/apply:os.system ['touch ran']", "not readable as YAML"),
        ("x.py", "import os; os.system('touch ran')", "no config that is known"),
        ("x.bin", b"\x80\x02cos\nsystem\n(S'touch ran'\ntR.", "is not read"),
        ("x.jsonl", "{}", "not the record of a finished run"),
        ("x.txt", b"\xff\xfe\xff", "is no text"),
    ],
    ids=repr,
)
def test_a_file_is_data(name: str, content: bytes | str, says: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refused(sent(name, content))
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_large_content_is_refused(monkeypatch) -> None:
    assert "damaged" in refused(opened({"kind": "file", "name": "x.json", "content": "***"}))
    monkeypatch.setattr("preheat.studio.opening.MOST_BYTES", 10)
    assert "at most" in refused(sent("x.json", "x" * 11))


def test_a_checkpoint_holds_its_plan_its_bases_and_its_position(tmp_path: Path) -> None:
    import torch

    from preheat.torch import Scheduler

    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(2))], "lr": 0.2, "name": "body"},
        {"params": [torch.nn.Parameter(torch.zeros(2))], "lr": 0.02, "name": "head"},
    ]
    optimizer = torch.optim.SGD(groups)
    scheduler = Scheduler(optimizer, "warmup(10) >> decay()", run=ph.Run(total=100))
    for _ in range(7):
        optimizer.step()
        scheduler.step()
    path = tmp_path / "last.pt"
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, path)
    found = opened({"kind": "path", "path": str(path)})
    assert found == sent("last.pt", path.read_bytes())
    (written,) = found["schedules"]
    plan = ph.parse(written["text"])
    assert written["position"] == 7
    assert [plan[f"{name}/lr"].bind(ph.Run(total=100))(10) for name in ("body", "head")] == [0.2, 0.02]
    assert found["run"]["total"] == "100"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory) -> Path:
    """A real comparison, of a function that needs no model: two arms, two seeds; one run diverges, and rates are logged."""

    def train(schedule: Any, seed: int, log: Any) -> dict[str, float]:
        bound = schedule.bind(ph.Run(total=1200))
        for step in range(1200):
            log(step, loss=math.inf if seed and step > 1100 else 3 / (step + 1) + seed, lr=bound(step))
        return {"val_loss": 1.0 + seed}

    folder = tmp_path_factory.mktemp("comparison")
    arms = {"none": "decay()", "warm": "warmup(5%) >> decay()"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("preheat.lab.driver._write", lambda *given, **how: None)  # the report, which nothing here reads
        ph.compare(train, arms=arms, seeds=2, out=folder, engine="inline")
    return folder


def test_a_comparison_is_its_runs_and_its_arms(comparison: Path) -> None:
    found = opened({"kind": "path", "path": str(comparison)})
    assert [one["name"] for one in found["schedules"]] == ["none", "warm"]
    assert [ph.parse(one["text"]) for one in found["schedules"]] == [
        ph.parse("decay()"),
        ph.parse("warmup(5%) >> decay()"),
    ]
    assert {(one["arm"], one["seed"]) for one in found["runs"]} == {(a, s) for a in ("none", "warm") for s in (0, 1)}
    for run in found["runs"]:
        assert len(run["at"]) == len(run["loss"]) == len(run["rate_at"]) == len(run["rate"]) == MOST_POINTS
        assert (run["at"][0], run["at"][-1]) == (0, 1199)
        assert run["loss"][0] == 3 + run["seed"]
        assert (run["loss"][-1] is None) == bool(run["seed"])
    document = document_of([found])
    assert len(document_from(document).schedules) == 2


def test_arms_with_peaks_of_their_own_keep_them(comparison: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_peak(path: Path) -> Any:
        record = read_record(path)
        return replace(record, header=record.header | {"options": {"peak": peaks[record.header["arm"]]}})

    peaks = {"none": 0.1, "warm": 0.2}
    monkeypatch.setattr("preheat.lab.records.record.read_record", with_peak)
    found = opened({"kind": "path", "path": str(comparison)})
    assert (found["peak"], [one["peak"] for one in found["schedules"]]) == ("", ["0.1", "0.2"])
    assert [document_from(document_of([found])).peak_of(index) for index in (0, 1)] == [0.1, 0.2]
    peaks["warm"] = 0.1
    found = opened({"kind": "path", "path": str(comparison)})
    assert (found["peak"], [one["peak"] for one in found["schedules"]]) == ("0.1", ["", ""])


def test_a_damaged_record_is_told_and_the_others_are_shown(comparison: Path, tmp_path: Path) -> None:
    for path in (comparison / "runs").glob("*.jsonl"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "broken.jsonl").write_text("{}")
    found = opened({"kind": "path", "path": str(tmp_path)})
    assert len(found["runs"]) == 4
    assert found["notes"][0].startswith("1 file could not be read: broken.jsonl")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"kind": "preset", "name": "lama2_7b"}, "did you mean 'llama2_7b'"),
        ({"kind": "recipe", "name": "cosin"}, "did you mean 'cosine'"),
        ({"kind": "peer", "library": "torhc", "name": "x", "arguments": ""}, "did you mean 'torch'"),
        ({"kind": "peer", "library": "torch", "name": "os.system", "arguments": "'ls'"}, "no scheduler"),
        ({"kind": "path", "path": "/no/such/file"}, "there is no file and no folder"),
        ({"kind": "path", "path": "a\0b"}, "there is no file and no folder"),
        ({"kind": "path", "path": ""}, "there is no file and no folder"),
        ({"kind": "pickle"}, "nothing is opened as 'pickle'"),
        ({"kind": 3}, "is text"),
        ({"kind": "preset", "name": []}, "is text"),
        ({}, "nothing is opened as ''"),
    ],
    ids=str,
)
def test_what_is_not_there_is_refused(source: dict[str, Any], says: str) -> None:
    assert says in refused(opened(source))


def test_a_document_of_several_keeps_what_differs() -> None:
    presets = [opened({"kind": "preset", "name": name}) for name in ("llama2_7b", "gpt3", "llama2_7b")]
    first, second, third = document_of(presets)["schedules"]
    assert (first["run"], first["peak"], third["run"], third["peak"]) == (None, "", None, "")
    assert second["run"] == presets[1]["run"]
    assert second["peak"] == presets[1]["peak"]
