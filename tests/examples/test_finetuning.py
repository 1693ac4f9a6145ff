"""Fine-tuning: what learns, what stays, what is measured; unfreezing and discriminative rates are only a plan."""

import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

import preheat as ph
from preheat.core.errors import PreheatError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
finetune = pytest.importorskip("finetune", reason="the examples are not part of this distribution")

import pretrain  # noqa: E402

from preheat.torch import Scheduler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*rounded to none")  # the runs of these tests are tiny

SMALL = "--depth=2 --width=16 --heads=2 --context=16 --batch=8"
LORA = ("ignore:.*is_gradient_checkpointing:FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pre-trained model."""
    folder = tmp_path_factory.mktemp("start")
    pretrain.pretrain(pretrain.options([*SMALL.split(), "--total=20", "--peak=0.01", f"--checkpoint={folder}"]))
    return folder


def options(start: Path, *more: str) -> Namespace:
    return finetune.options(["--start", str(start), "--total=10", "--batch=8", *more])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["model"]


def test_what_was_learned_and_what_was_forgotten_is_measured_before_and_after(
    start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict] = []
    monkeypatch.setattr(finetune.ph, "log", lambda step, **metrics: rows.append({"step": step, **metrics}))
    after = finetune.finetune(options(start, "--total=60", "--peak=0.01"))
    assert rows[0].keys() == rows[-1].keys() == {"step", "val_loss", "old_loss"}
    assert rows[0]["step"] == 0
    assert rows[-1] == {"step": 60, **after}
    assert after["val_loss"] < rows[0]["val_loss"]
    assert after["val_loss"] - after["old_loss"] < rows[0]["val_loss"] - rows[0]["old_loss"], "it went over to the new"


def rates(sets: list[dict], plan: object, total: int) -> dict[str, list[float]]:
    """The rate of every group in every update."""
    scheduler = Scheduler(torch.optim.SGD(sets, lr=1.0), plan, run=ph.Run(total=total))
    seen: dict[str, list[float]] = {group["name"]: [] for group in sets}
    for _ in range(total):
        for group in scheduler.optimizer.param_groups:
            seen[group["name"]].append(group["lr"])
        scheduler.step()
    return seen


def test_unfreezing_shifts_each_layer_below_and_the_factor_slows_it(start: Path) -> None:
    names = ["head", "layer1", "layer0", "embedding"]
    sets = [{"params": [torch.nn.Parameter(torch.zeros(1))], "name": name} for name in names]
    given = ph.parse("warmup('10%') >> hold()")
    o = options(start, "--schedule", repr(given), "--unfreeze=20%", "--layer-factor=2")
    seen = rates(sets, finetune.plan(o, names), 100)
    top = given.bind(ph.Run(total=100)).table(100).tolist()
    for depth, name in enumerate(names):
        frozen = 20 * depth
        assert seen[name][:frozen] == [0] * frozen
        assert seen[name][frozen:] == pytest.approx([rate / 2**depth for rate in top[: 100 - frozen]])


def test_a_layer_whose_line_begins_at_0_stays_as_it_was_to_the_last_bit(start: Path, tmp_path: Path) -> None:
    """No parameter is excluded and no group added: the rate alone freezes, weight decay included."""
    more = ("--unfreeze=5 steps", "--schedule=warmup(1) >> hold()", "--weight-decay=0.1", "--total=16", "--every=8")
    interrupted(options(start, *more, f"--checkpoint={tmp_path}"), step=8)
    before, after = weights(start), weights(tmp_path)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("transformer.h.1.") for name in moved), "thawed after 5 updates"
    assert "transformer.ln_f.weight" in moved, "never frozen"
    assert not any(name.startswith(("transformer.h.0.", "transformer.wte", "transformer.wpe")) for name in moved)


def interrupted(o: Namespace, step: int) -> None:
    """Fine-tune until the middle of that update."""

    def log(at: int, **_: float) -> None:
        if at == step:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetune.ph, "log", log)
        with pytest.raises(KeyboardInterrupt):
            finetune.finetune(o)


@pytest.mark.parametrize("more", [(), ("--unfreeze=20%", "--layer-factor=2.6")])
def test_a_run_that_was_cut_short_goes_on_to_the_same_weights(start: Path, tmp_path: Path, more: tuple) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = finetune.finetune(options(start, *more, f"--checkpoint={whole}"))
    o = options(start, *more, f"--checkpoint={cut}", "--every=4")
    interrupted(o, step=6)
    assert finetune.finetune(o) == expected
    assert all(torch.equal(a, b) for a, b in zip(weights(whole).values(), weights(cut).values(), strict=True))


@pytest.mark.parametrize("model", ["gpt2", "bert"])
@pytest.mark.filterwarnings(*LORA)
def test_lora_changes_its_adapters_and_nothing_else(model: str, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    start, tuned = tmp_path / "start", tmp_path / "tuned"
    pretrain.pretrain(pretrain.options([*SMALL.split(), "--total=4", f"--model={model}", f"--checkpoint={start}"]))
    finetune.finetune(options(start, "--method=lora", "--rank=2", f"--checkpoint={tuned}", "--peak=0.01"))
    before = weights(start)
    after = {name.removeprefix("base_model.model.").replace(".base_layer", ""): w for name, w in weights(tuned).items()}
    adapters = {name for name in after if "lora_" in name}
    assert set(after) - adapters == set(before)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert adapters
    assert all(after[name].abs().sum() > 0 for name in adapters), "B begins at 0 and has learned"


def test_the_command_pretrains_what_it_starts_from_once_and_not_under_the_arm_of_a_comparison(
    tmp_path: Path, run_here: Callable
) -> None:
    command = [Path(finetune.__file__), "--start", tmp_path / "start", "--total=3", "--batch=8"]
    command += ["--start-options", f"{SMALL} --total=3"]
    log = tmp_path / "log.jsonl"
    said = run_here(*command, PREHEAT_SCHEDULE="absolute(hold(1e-05))", PREHEAT_LOG=str(log)).stdout
    assert "holds no model: pre-training one" in said
    assert "3.000e-03" in said, "pre-training has its own schedule"
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["lr"] for row in rows if "lr" in row] == [1e-5] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "start"], "nothing is left lying about"
    again = finetune.finetune(finetune.options([str(word) for word in command[1:]]))
    assert again["val_loss"] > 0


def test_what_cannot_be_is_refused_in_a_sentence(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PreheatError, match="--unfreeze and --layer-factor are about layers that learn"):
        options(start, "--method=lora", "--unfreeze=10%")
    with pytest.raises(PreheatError, match="the parts need"):
        finetune.finetune(options(start, "--unfreeze=40%"))
    monkeypatch.setenv("PREHEAT_SCHEDULE", '{"head/lr": "decay()", "lr": "hold()"}')
    with pytest.raises(PreheatError, match="a plan with lines of its own; leave out --unfreeze"):
        finetune.finetune(options(start, "--unfreeze=10%"))
    assert isinstance(finetune.plan(options(start), ["head"]), ph.Plan)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(PreheatError, match="for one process"):
        options(start)
