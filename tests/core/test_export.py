"""What is exported is executed, and gives what the schedule gives: Python, torch, JAX, JavaScript, LaTeX."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import FIXED, RUN, agree, callable_trees, lay, moments, picks, ready, runs, trees, written

import preheat as ph
from preheat.core.codegen.export import FORMS

WHOLE = np.unique(
    np.concatenate([np.arange(-3, 140), np.geomspace(140, 12_000, 200).astype(int), [9998, 9999, 10_000]])
)
PHASES = ph.warmup("10%") >> ph.hold(1, "50%") >> ph.decay(to=0.1, shape="cosine")
enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64


def function(text: str, name: str = "schedule") -> Callable[..., Any]:
    """The function that Python's source defines."""
    scope: dict[str, Any] = {}
    exec(text, scope)
    return scope[name]


# -- Python ---------------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(callable_trees, picks)
def test_python_is_equal_bit_for_bit(s: ph.Schedule, picks: list) -> None:
    rate = function(ph.export(ready(s), name="rate"), "rate")
    for t in moments(s, picks):
        assert rate(t) == s(t)


@settings(max_examples=100)
@given(written, runs(), picks)
def test_what_needs_a_run_is_bound_to_it(s: ph.Schedule, run: ph.Run, picks: list) -> None:
    bound = lay(s, run)
    try:
        text = ph.export(s, run=run)
    except ph.BindError:  # what does not fit is cut by lay, and refused here
        return
    for t in moments(bound, picks):
        assert function(text)(t) == bound(t)


# -- torch ----------------------------------------------------------------------------------------------------------------


def optimizer_of(*rates: float, **more: Any) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return (torch.optim.AdamW if more else torch.optim.SGD)(groups, **more)


def followed(scheduler: Any, updates: int) -> list[list[float]]:
    """The rates of every group at every update of a loop."""
    found = []
    for _ in range(updates):
        found.append([group["lr"] for group in scheduler.optimizer.param_groups])
        scheduler.optimizer.step()
        scheduler.step()
    return found


@settings(max_examples=20)
@given(trees(st.integers(0, 9), depth=2), st.sampled_from([1.0, 0.1, 3e-4]))
def test_a_lambda_lr_multiplies_what_each_group_was_given(s: ph.Schedule, rate: float) -> None:
    ready(s)
    make = function(ph.export(ph.relative(s), "torch"), "scheduler")
    found = followed(make(optimizer_of(rate, 2 * rate)), 30)
    assert found == [[rate * s(t), 2 * rate * s(t)] for t in range(30)]


@settings(max_examples=20)
@given(trees(st.integers(0, 9), depth=2))
def test_a_lambda_lr_of_rates_gives_these_whatever_the_optimizer_was_given(s: ph.Schedule) -> None:
    ready(s)
    make = function(ph.export(ph.absolute(s), "torch"), "scheduler")
    assert followed(make(optimizer_of(0.3, 7.0)), 30) == [[s(t)] * 2 for t in range(30)]


def test_rates_go_on_where_they_were_when_a_lambda_lr_is_resumed() -> None:
    make = function(ph.export(PHASES, "torch", run=ph.Run(total=40), peak=3e-4), "scheduler")
    whole = followed(make(optimizer_of(0.1)), 40)
    first = make(optimizer_of(0.1))
    followed(first, 15)
    second = make(optimizer_of(0.1))
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    assert followed(second, 25) == whole[15:]


def test_a_plan_becomes_functions_and_a_loop_over_groups() -> None:
    plan = ph.Plan(
        {
            "lr": "warmup(5) >> decay()",
            "weight_decay": "absolute(ramp(0, 0.1, 100%))",
            "eps": "relative(hold(2))",
            "betas[1]": "absolute(ramp(0.9, 0.99, 10))",
        }
    )
    run, optimizer = ph.Run(total=20), optimizer_of(0.1, 0.2, weight_decay=0.01, eps=1e-8, betas=(0.8, 0.9))
    apply, bound = function(ph.export(plan, "torch", run=run), "apply"), plan.bind(run)
    for t in range(22):
        apply(optimizer, t)
        for group, rate in zip(optimizer.param_groups, (0.1, 0.2), strict=True):
            assert group["lr"] == bound["lr"](t) * rate
            assert group["weight_decay"] == bound["weight_decay"](t)
            assert group["eps"] == 2e-8
            assert group["betas"] == (0.8, bound["betas[1]"](t))
    rates = function(ph.export(plan, run=run, peak=0.5, name="rate"), "rate_lr")
    assert [rates(t) for t in range(20)] == plan["lr"].bind(run, peak=0.5).table(20).tolist()


# -- JAX ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("x64", "each"), [(True, 1e-15), (False, 6e-7)])
@pytest.mark.parametrize("s", FIXED, ids=lambda s: repr(s)[:60])
def test_jax_gives_the_same_inside_jit(s: ph.Schedule, x64: bool, each: float) -> None:
    with enable_x64(x64):
        rate = function(ph.export(ph.relative(s), "jax"))
        found = jax.jit(rate)(jnp.asarray(WHOLE))
        assert found.dtype == (jnp.float64 if x64 else jnp.float32)
        agree(s, found, [s(t.item()) for t in WHOLE], each)
        assert jax.eval_shape(rate, 7).shape == ()


@settings(max_examples=8)
@given(trees(depth=1), picks)
def test_jax_gives_the_same_on_random_schedules(s: ph.Schedule, picks: list) -> None:
    times = [t for t in moments(ready(s), picks) if abs(t) < 2**53]
    with enable_x64(True):
        agree(s, jax.jit(function(ph.export(s, "jax")))(jnp.asarray(times, dtype=float)), [s(t) for t in times], 2e-15)


@pytest.mark.parametrize("s", FIXED[7:9], ids=repr)
def test_in_jax_no_case_is_computed_where_it_has_no_value(s: ph.Schedule) -> None:
    with jax.debug_nans(True):
        assert np.isfinite(function(ph.export(s, "jax"))(WHOLE)).all()


def test_optax_trains_at_the_rates() -> None:
    rate = function(ph.export(PHASES, "optax", run=ph.Run(total=50), peak=3e-4))
    optimizer, s = optax.sgd(learning_rate=rate), PHASES.bind(ph.Run(total=50), peak=3e-4)

    def step(state: Any, _: None) -> tuple[Any, jax.Array]:
        updates, state = optimizer.update(jnp.float32(-1.0), state)
        return state, updates

    _, found = jax.lax.scan(step, optimizer.init(jnp.float32(0)), None, length=60)
    np.testing.assert_allclose(found, [s(t) for t in range(60)], rtol=0, atol=6e-7 * 3e-4)


# -- JavaScript -----------------------------------------------------------------------------------------------------------

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no node to run JavaScript")


def in_node(schedules: list[ph.Schedule], times: list[list[float]]) -> list[list[float]]:
    """What JavaScript gives for each schedule at its times."""
    asked = zip(schedules, times, strict=True)
    script = "".join(
        f"{{\n{ph.export(s, 'javascript')}console.log(JSON.stringify({t}.map(schedule)));\n}}\n" for s, t in asked
    )
    ran = subprocess.run([str(NODE), "--use-strict", "-"], input=script, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[:2000]
    return [json.loads(line) for line in ran.stdout.splitlines()]


@needs_node
def test_javascript_gives_the_same() -> None:
    schedules, times = list(FIXED), [WHOLE.tolist()] * len(FIXED)

    @settings(max_examples=200)
    @given(callable_trees, picks)
    def collect(s: ph.Schedule, picks: list) -> None:
        schedules.append(ready(s))
        times.append([t for t in moments(s, picks) if abs(t) < 2**53])

    collect()
    for s, at, found in zip(schedules, times, in_node(schedules, times), strict=True):
        agree(s, found, [s(t) for t in at], 2e-15)


@needs_node
def test_javascript_of_many_cases_is_a_table_of_functions() -> None:
    s = ph.parse(" >> ".join(f"ramp({i % 7}, {i % 5}, 3)" for i in range(600)))
    assert in_node([s], [list(range(0, 1800, 7))])[0] == [s(t) for t in range(0, 1800, 7)]


def test_javascript_reads_as_a_person_would_write_it() -> None:
    assert ph.export(ph.warmup(10) >> ph.hold(1, 20), "javascript", name="rate") == (
        """\
/** ramp(0.0, 1.0, 10) >> hold(1.0, 20) */
function rate(t) {
  const x1 = t < 0 ? 0 : t > 30 ? 30 : t;
  if (x1 < 10) {
    if (x1 < 5) {
      return x1 / 10;
    }
    return 1.0 - (10 - x1) / 10;
  }
  return 1.0;
}
"""
    )


# -- every form -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["python", "torch", "jax", "optax"])
def test_python_sources_are_clean(to: str, tmp_path: Path) -> None:
    """No unused name, imports in order, and formatted, short lines at least."""
    usual = [PHASES, ph.noam(512, 4000), ph.parse("wsd()"), ph.parse("one_cycle()"), ph.decay("10%").repeated(10)]
    for i, s in enumerate([*usual, *FIXED]):
        target = s if isinstance(s, ph.Schedule) else s.schedule
        text = ph.export(ph.absolute(target), to, run=RUN)
        assert "preheat" not in text
        if max(map(len, text.splitlines())) <= 320:  # longer ones are a formatter's to break
            (tmp_path / f"f{i}.py").write_text(text)
    select = "B,C4,E7,E9,F,I,PIE,RET5,W"
    ruff = str(Path(sys.executable).with_name("ruff"))
    for check in (
        ["check", "--isolated", "--select", select],
        ["format", "--isolated", "--check", "--line-length", "320"],
    ):
        ran = subprocess.run([ruff, *check, str(tmp_path)], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr


REFUSED = [
    (("decay(5)", "pyhton"), {}, "nothing is exported to 'pyhton'; did you mean 'python'?"),
    (("decay(5)",), {"name": "class"}, "the name of a function is needed, not 'class'"),
    (("decay(5)",), {"name": "sin"}, "the name of a function is needed, not 'sin'"),
    (("decay(5)",), {"name": "TABLE_0"}, "the name of a function is needed, not 'TABLE_0'"),
    (("decay(5)", "javascript"), {"name": "a b"}, "the name of a function is needed, not 'a b'"),
    (("decay()",), {}, "how long ramp(1.0, 0.0, 'rest') lasts is not known"),
    (("decay(5)", "optax"), {}, "optax needs the values themselves, not factors: ramp(1.0, 0.0, 5); give peak="),
    (("ramp(0.01, 0.1, 5)", "torch"), {}, "reach up to 0.1, not 1"),
    (("ramp(0.01, 0.1, 5)", "torch"), {"peak": 0.1}, "reach up to 0.1, not 1"),
    (("absolute(decay(5))", "torch"), {"peak": 0.1}, "is rates already"),
    (
        ("decay(5)", "torch"),
        {"run": ph.Run(total=9, clock="token")},
        "clock counts tokens, and torch's schedulers count updates",
    ),
    (({"lr": "decay(5)", "head/lr": "decay(5)"}, "torch"), {}, "the line 'head/lr' is of one group"),
    (({"lr": "decay(5)", "batch": "absolute(hold(8, 5))"}, "torch"), {}, "a size of the batch"),
    (({"head/lr": "absolute(decay(5))"}, "optax"), {}, "only optax.multi_transform knows"),
    (({"momentum": "absolute(decay(5))"},), {"peak": 1.0}, "has no line for the rate"),
    (({"a/lr": "decay(5)", "a_lr": "decay(5)"},), {}, "would both be called schedule_a_lr"),
]


@pytest.mark.parametrize(("given", "more", "said"), REFUSED, ids=[said for _, _, said in REFUSED])
def test_what_cannot_be_said_is_refused(given: tuple, more: dict, said: str) -> None:
    with pytest.raises(ph.PreheatError) as refused:
        ph.export(*given, **more)
    assert said in str(refused.value)


def test_the_sizes_of_a_batch_are_a_function_too() -> None:
    sizes = ph.batch_ramp(16, 64, 100, increment=16)
    batch = function(ph.export(sizes, run=ph.Run(total=200), name="batch"), "batch")
    bound = sizes.bind(ph.Run(total=200))
    assert [batch(t) for t in range(200)] == [bound(t) for t in range(200)]


@pytest.mark.parametrize("to", FORMS)
def test_every_form_takes_a_plan_and_names_its_lines(to: str) -> None:
    text = ph.export({"lr": "absolute(decay(5))", "betas[0]": "absolute(hold(0.9, 5))"}, to, name="my")
    for name in ("my_lr", "my_betas_0"):
        assert name in text.replace("\\", "")
