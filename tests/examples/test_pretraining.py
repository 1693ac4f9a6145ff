"""What pre-training does in an update, and what its command says, prints, logs and refuses."""

import json
import math
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.core.errors import PreheatError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pretrain = pytest.importorskip("pretrain", reason="the examples are not part of this distribution")

import shared  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*rounded to none")  # the runs of these tests are tiny

SMALL = ["--depth=2", "--width=16", "--heads=2", "--context=16", "--batch=8"]
SCRIPT = Path(pretrain.__file__)


def options(*more: str) -> Namespace:
    return pretrain.options([*SMALL, *more])


@given(seed=st.integers(0, 2**32 - 1), update=st.integers(0, 10**6))
@settings(max_examples=30)
def test_a_label_is_the_byte_itself_and_only_bytes_that_are_asked_for_are_hidden(seed: int, update: int) -> None:
    masked, causal = (shared.Text("docs", 64, masked=masked) for masked in (True, False))
    inputs, labels = masked.batch(seed, update, rows=64)
    plain, following = causal.batch(seed, update, rows=64)
    assert torch.equal(plain[:, 1:], following[:, :-1])
    asked = labels != shared.NO_LABEL
    assert torch.equal(inputs[~asked], plain[~asked])
    assert torch.equal(labels[asked], plain[asked])
    assert 0.11 < asked.double().mean() < 0.19
    assert 0.7 < (inputs[asked] == shared.MASK).double().mean() < 0.9


@given(seed=st.integers(0, 2**32 - 1), update=st.integers(0, 10**6))
@settings(max_examples=30)
def test_a_batch_depends_on_the_seed_and_the_update_and_on_nothing_else(seed: int, update: int) -> None:
    text = shared.Text("docs", 16, masked=True)
    batch = text.batch(seed, update, rows=8)
    text.batch(seed + 1, update, rows=3)
    assert all(map(torch.equal, batch, text.batch(seed, update, rows=8)))
    assert not torch.equal(batch[0], text.batch(seed, update + 1, rows=8)[0])
    assert not torch.equal(batch[0], text.batch(seed + 1, update, rows=8)[0])


@pytest.mark.parametrize("model", shared.MODELS)
def test_the_gradient_does_not_depend_on_how_the_batch_is_cut_into_parts(model: str) -> None:
    """Masked batches too, whose parts have unequally many labels."""
    seen = []
    for micro in (8, 3, 1):
        o = options("--model", model, "--micro", str(micro))
        net = shared.build_model(o)
        loss = shared.backward(net, *shared.Text("docs", 16, model.startswith("bert")).batch(0, 0, 8), o)
        seen.append((loss, torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])))
    for loss, gradient in seen[1:]:
        assert loss == pytest.approx(seen[0][0], rel=1e-5)
        assert torch.allclose(gradient, seen[0][1], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("model", shared.MODELS)
def test_a_causal_model_does_not_look_ahead_and_a_masked_one_does(model: str) -> None:
    net = shared.build_model(options("--model", model)).eval()
    text = torch.randint(256, (2, 16), generator=torch.Generator().manual_seed(0))
    changed = text.clone()
    changed[:, 9] += 1 - 256 * (changed[:, 9] == 255)
    before, after = net(input_ids=text).logits, net(input_ids=changed).logits
    assert torch.allclose(before[:, :9], after[:, :9], atol=1e-6) is not model.startswith("bert")
    assert not torch.allclose(before[:, 10:], after[:, 10:], atol=1e-6)


@pytest.mark.parametrize("model", shared.MODELS)
def test_layers_are_in_groups_by_name_from_the_top_down_and_none_is_forgotten(model: str) -> None:
    finetune = pytest.importorskip("finetune")
    net = shared.build_model(options("--model", model))
    sets = finetune.groups(net)
    assert [group["name"] for group in sets] == ["head", "layer1", "layer0", "embedding"]
    assert sorted(id(p) for group in sets for p in group["params"]) == sorted(map(id, net.parameters()))
    assert net.get_input_embeddings().weight in set(sets[-1]["params"])


@pytest.mark.parametrize("shape", ["linear", "exponential", "cosine"])
@pytest.mark.parametrize("decay", ["cosine", "wsd", "linear"])
def test_every_warmup_is_followed_by_every_decay(shape: str, decay: str) -> None:
    o = options("--warmup=200k tokens", "--warmup-shape", shape, "--decay", decay)
    rates = pretrain.schedule(o).bind(ph.Run(total="2M tokens", tokens_per_step=1000)).table(2000)
    assert rates[200] == rates.max() == 1
    assert (rates[1:201] > rates[:200]).all()
    assert (rates[201:] <= rates[200:-1]).all()
    assert rates[0] == (0.01 if shape == "exponential" else 0)
    assert 0 < rates[-1] < 0.11


def test_matrices_decay_and_vectors_do_not_and_both_follow_the_scaled_peak() -> None:
    o = options("--peak=0.001", "--base-batch=2", "--scale=adam", "--betas", "0.9", "0.95")
    matrices, vectors = pretrain.build_optimizer(shared.build_model(o), o).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0)
    assert {p.ndim for p in vectors["params"]} == {1}
    for group in (matrices, vectors):
        scaled = ph.scaled_adam(0.001, (0.9, 0.95), 1e-8, base_batch=2, batch=8)
        assert (group["lr"], group["betas"], group["eps"]) == (scaled.lr, scaled.betas, scaled.eps)


def test_the_arm_of_a_comparison_decides_the_rates_and_what_is_logged_reaches_it(
    tmp_path: Path, run_here: Callable
) -> None:
    """As `preheat compare --launch` starts it; in bfloat16, on the text of Python's reference."""
    log = tmp_path / "log.jsonl"
    arm = {"PREHEAT_SCHEDULE": "absolute(warmup('640 tokens').scaled(0.002))", "PREHEAT_LOG": str(log)}
    done = run_here(SCRIPT, *SMALL, "--total=10", "--text=docs", "--dtype=bfloat16", "--seed=3", **arm)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(11))
    assert [row["lr"] for row in rows[:-1]] == pytest.approx([0.002 * min(step / 5, 1) for step in range(10)])
    assert set(rows[0]) == {"step", "loss", "lr", "grad_norm"}
    assert rows[-1] == {"step": 10, "val_loss": pytest.approx(rows[-2]["loss"], rel=0.2)}
    assert done.stdout.splitlines()[-1] == f"validation loss {rows[-1]['val_loss']:.4f}"
    assert done.stderr == ""


def test_a_run_that_diverges_stops_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict] = []
    monkeypatch.setattr(ph, "log", lambda step, **metrics: rows.append({"step": step, **metrics}))
    pretrain.pretrain(options("--optimizer=sgd", "--peak=1e30", "--clip=0", "--total=50", "--warmup=0"))
    assert rows[-1]["step"] < 50
    assert math.isnan(rows[-1]["val_loss"])


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = f"--checkpoint={tmp_path}"
    pretrain.pretrain(options("--total=2", folder))
    with pytest.raises(PreheatError, match="is of a run with seed 0, not 1; give the command that began it"):
        pretrain.pretrain(options("--total=2", "--seed=1", folder))
    with pytest.raises(PreheatError, match="the first update to differ"):
        pretrain.pretrain(options("--total=20", "--warmup=0", folder))


def test_what_cannot_be_is_refused_in_a_sentence(run_here: Callable) -> None:
    with pytest.raises(PreheatError, match="--scale and --base-batch belong together"):
        options("--scale=linear")
    with pytest.raises(PreheatError, match="'docs'"):
        pretrain.pretrain(options("--text=doc", "--total=2"))
    said = run_here(SCRIPT, *SMALL, "--schedule=warmup('5%') >> dekay()", ends=1).stderr
    assert said.startswith("pretrain.py: ")
    assert "did you mean 'decay'?" in said
    assert "Traceback" not in said
