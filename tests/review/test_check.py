"""Each code where it must be found, and next to it where it must not."""

import re
from pathlib import Path

import pytest

from preheat import PreheatError, Run, check, compat, parse
from preheat.compat.configs import Reading
from preheat.core.findings import CODES, Finding
from preheat.review.subject import Subject

T = 20_000

# code: found in …, not found in …; each a schedule, a total and facts
CASES = {
    "zero-start": (("warmup(5%) >> decay()", 200), ("warmup(5%) >> decay()", T)),
    "zero-start of two": (("(hold(0.0, 2) >> warmup(100) >> decay())", T), ("warmup(100) >> decay()", T)),
    "zero-start of all": (("hold(0.0)", T), ("hold(1.0)", T)),
    "zero-start of one update": (("warmup(1) >> decay()", 1), ("decay()", 1)),
    "zero-warmup": (("warmup(1%) >> decay()", 40), ("warmup(3%, start=0.5) >> decay()", 40)),
    "zero-warmup inside": (
        ("(warmup(1%) >> hold()).scaled(0.5) * decay()", 40),
        ("(warmup(3%, start=0.5) >> hold())", 40),
    ),
    "zero-warmup whatever the library": (("warmup(1%) >> decay()", 49), ("warmup(1%, start=0.5) >> decay()", 50)),
    "no-update": (("hold() >> decay(1%)", 40), ("hold() >> decay(3%)", 40)),
    "no-update at first": (("hold(0.1, 1%) >> decay()", 40), ("hold(1.0, 3%) >> decay()", 40)),
    "warmup-over-run": (("warmup(500) >> hold()", 100), ("warmup(500) >> hold()", T)),
    "warmup-over-run, all of it": (("warmup(100)", 100), ("warmup(500) >> hold()", T)),
    "warmup-share": (("warmup(30%) >> decay()", T), ("warmup(20%) >> decay()", T)),
    "peak-not-reached": (
        ("warmup(5) >> decay(20, shape=linear).shifted(-5)", 20),
        ("warmup(500) >> decay()", T),
    ),
    "jump": (
        ("warmup(100) >> decay(5000, to=0.5) >> hold(0.05)", T),
        ("warmup(100) >> decay(5000, to=0.6) >> hold(0.6)", T),
    ),
    "jump up": (("hold(0.05, 100) >> hold()", T), ("hold(0.1, 100) >> hold()", T)),
    "jump of a staircase": (("hold(0.01, 9000) >> hold()", T), ("hold(1.0, 9000) >> hold(0.001)", T)),
    "jump of a restart": (("decay(9000) >> decay()", T), ("decay(5000).repeated()", T)),
    "decay-clock": (("warmup(500) >> decay(20000).shifted(-500)", T), ("warmup(500) >> decay(19500)", T)),
    "decay-clock, the other way": (("warmup(500) >> decay(20000)", T), ("warmup(500) >> decay(19500)", T)),
    "above-floor": (("(warmup(500) >> decay(30000)).truncated(20000)", T), ("warmup(500) >> decay()", T)),
    "floor-early": (("warmup(500) >> decay(10000)", T), ("warmup(500) >> decay(19490)", T)),
    "floor-early above 0": (("decay(10000, to=0.1) >> hold(0.1)", T), ("decay(17000, to=0.1) >> hold(0.1)", T)),
    "floor-early of a staircase": (("decay(9000) >> hold(0.0)", T), ("steps([1, 0.1, 0.01], [5000, 5000, rest])", T)),
    "ends-mid-phase": (("ramp(0.1, 1, 1500).repeated(100).truncated(20000)", T), ("ramp(0.1, 1, 2000).repeated()", T)),
    "does-not-fit": (("hold(1.0, 15000) >> decay(15000)", T), ("hold(1.0, 15000) >> decay()", T)),
    "zero-start of half": (("hold(0.0, 9999) >> warmup(1) >> hold()", T), ("hold(1.0)", T)),
    "floor-early of what vanishes": (
        ("ramp(1, 1e-7, 6000, shape=exponential) >> ramp(1e-7, 1e-8, rest)", T),
        ("decay(to=1e-7, shape=exponential)", T),
    ),
    "does-not-fit of another line": (
        ('{"lr": "decay()", "weight_decay": "absolute(hold(0.1, 30000) >> hold(0.2, 10))"}', T),
        ('{"lr": "decay()", "weight_decay": "absolute(hold(0.1, 3000) >> hold(0.2))"}', T),
    ),
    "unclear-peak": (("ramp(0.01, 0.1, 1000) >> hold(0.1)", T), ("absolute(ramp(0.01, 0.1, 1000) >> hold(0.1))", T)),
    "unclear-peak of a constant": (("hold(2)", T), ("relative(hold(2))", T)),
    "out-of-range": (
        ('{"lr": "decay()", "weight_decay": "absolute(hold(-0.1))"}', T),
        ('{"lr": "decay()", "weight_decay": "absolute(hold(0.1))"}', T),
    ),
    "out-of-range of a momentum": (
        ('{"lr": "decay()", "momentum": "absolute(hold(1.5))"}', T),
        ('{"lr": "decay()", "momentum": "absolute(hold(0.9))"}', T),
    ),
    "negative": (("ramp(1, -0.5, 20000)", T), ("ramp(1, 0, 20000)", T)),
}
FACTS = {
    "zero-warmup, of 0": ({}, {"library": "transformers"}, "warmup(0) >> decay()", T),
    "zero-warmup": ({"library": "optax"}, {"library": "transformers"}, "warmup(0) >> decay()", T),
    "zero-warmup, refused": ({"library": "deepspeed"}, {"library": "timm"}, "warmup(0) >> decay()", T),
    "per-epoch": ({"epochs": 100, "loader": 50}, {"epochs": 2, "loader": 50}, "warmup(10%) >> decay()", 100),
    "per-epoch by its calls": ({"loader": 50, "calls": "epoch"}, {"loader": 50, "calls": "update"}, "decay()", 100),
    "total-differs": ({"epochs": 3, "loader": 1000, "accumulation": 4}, {"epochs": 3, "loader": 1000}, "decay()", 3000),
    "double-warmup": ({"optimizer": "RAdam"}, {"optimizer": "AdamW"}, "warmup(5%) >> decay()", T),
    "double-warmup, none in the plan": ({"warmups": ("X warms up",)}, {}, "warmup(5%) >> decay()", T),
    "short-warmup": ({"beta2": 0.999}, {"beta2": 0.95}, "warmup(100) >> decay()", T),
    "short-warmup of Adam alone": (
        {"beta2": 0.999},
        {"beta2": 0.999, "optimizer": "RAdam"},
        "warmup(100) >> decay()",
        T,
    ),
    "peak-range": (
        {"optimizer": "AdamW", "parameters": 7e9},
        {"optimizer": "AdamW", "parameters": 124e6},
        "absolute(warmup(5%) >> decay()).scaled(0.005)",
        T,
    ),
    "decayed-group": (
        {"without_decay": ("norms/head",)},
        {"without_decay": ("biases",)},
        '{"lr": "decay()", "norms/weight_decay": "absolute(hold(0.1))"}',
        T,
    ),
}


def codes(subject, total, **facts):
    return [finding.code for finding in check(subject, Run(total=total), **facts)]


@pytest.mark.parametrize("name", CASES)
def test_a_code_is_found_where_it_is_and_not_next_to_it(name):
    (spec, total), (other, others) = CASES[name]
    code = name.partition(",")[0].partition(" ")[0]
    assert code in codes(spec, total)
    assert codes(other, others) == []


@pytest.mark.parametrize("name", FACTS)
def test_a_code_that_needs_facts(name):
    given, other, spec, total = FACTS[name]
    code = name.partition(",")[0].partition(" ")[0]
    assert code in codes(spec, total, **given)
    assert code not in codes(spec, total, **other)


def test_every_code_of_a_check_has_a_case():
    tried = {name.partition(",")[0].partition(" ")[0] for name in (*CASES, *FACTS)}
    of_restatements = set(list(CODES)[: list(CODES).index("assumed") + 1])
    of_checkpoints = {"unknown-plan", "resume-differs"}
    assert set(CODES) - of_restatements - of_checkpoints - {"rebound"} == tried


def test_a_restatement_that_does_after_the_end_what_its_library_does():
    arguments = {"num_warmup_steps": 10, "num_training_steps": 1000, "base_lr": 1e-3}
    faithful = compat.transformers.cosine(**arguments, faithful=True)
    held = compat.transformers.cosine(**arguments)
    for one in (faithful, held):  # the run ends there
        assert [found.code for found in check(one, Run(total=1000))] == ["zero-start"]
    assert "after-the-end" in [one.code for one in check(held, Run(total=1500))]


@pytest.mark.parametrize("total", [2, 3, 4])
def test_a_short_decay_that_fills_its_run_is_not_over_early(total):
    assert check("decay()", Run(total=total)) == ()
    assert check("decay()", Run(total=total, clock="epoch")) == ()


@pytest.mark.parametrize("spec", ["saturating(100)", "rectified(.999)"])
def test_a_warmup_without_an_end_is_over_when_it_is_near_its_peak(spec):
    assert check(spec, Run(total=100_000)) == ()
    assert "warmup-share" in codes(spec, 100)


def test_how_many_updates_run_at_rate_0_is_counted():
    (found, _) = check("hold(0.0, 5000) >> hold()", Run(total=10_000))
    assert (found.what[:41], found.write) == ("5,000 updates of 10,000 run at rate 0 (50", "leave the part at 0 out")
    (found,) = check("warmup(500, shape=exponential, start=1e-30) >> decay()", Run(total=10_000))
    assert "301 updates of 10,000 run below 1e-12 of the peak" in found.what


def test_what_is_said_of_published_runs_is_what_the_presets_say():
    (found,) = check("warmup(30%) >> decay()", Run(total=T))
    low, high = (float(share) / 100 for share in re.findall(r"([\d.]+) %", found.write))
    assert low == pytest.approx(334 / 993_411, rel=0.02)  # nemotron3_nano
    assert high == pytest.approx(100_000 / 625_000)  # dinov2
    page = Path(__file__).parents[2] / "docs/check.md"
    assert found.write.removesuffix(" of theirs") in page.read_text(encoding="utf-8")


def test_one_published_run_is_no_range():
    assert check("decay()", Run(total=T), peak=0.1, optimizer="sgd", parameters=25.6e6) == ()
    assert [one.code for one in check("decay()", Run(total=T), peak=3.0, optimizer="adam", parameters=7e9)] == [
        "peak-range"
    ]


@pytest.mark.parametrize(
    "wrong",
    [{"library": "Torch"}, {"optimizer": "nosuch"}, {"peak": float("nan")}, {"ignore": "zero-start"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_would_be_looked_past_is_refused(wrong):
    with pytest.raises(PreheatError):
        check("decay()", Run(total=T), **wrong)


def test_whose_config_it_is_may_be_said(tmp_path):
    path = tmp_path / "ds.json"
    path.write_text('{"scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": 100, "warmup_max_lr": 0.1}}}')
    assert "unknown-key" not in [one.code for one in check(path, Run(total=T), library="deepspeed")]
    with pytest.raises(PreheatError):
        check(path, Run(total=T))


def test_a_decay_that_turns_inside_the_run_of_another_library():
    turning = parse("warmup(100) >> decay(15000, shape=cosine) >> ramp(0.0, 0.3, rest, shape=cosine)")
    (found,) = check(Subject("a scheduler", turning, Run(total=T), foreign=True))
    assert (found.code, found.what[:47]) == ("rebound", "the factor falls to 0 and climbs again inside t")
    assert check(turning, Run(total=T)) == ()  # written in preheat it is meant


def test_the_warmup_that_a_scheduler_ignores_is_told_as_its_restatement_tells_it():
    found = check(compat.transformers.constant(num_warmup_steps=500), Run(total=T))
    assert [one.code for one in found] == ["ignored-argument"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"epochs": 3, "loader": 1000, "accumulation": 4}, "make 750: the accumulation was not counted"),
        ({"epochs": 3, "loader": 1000, "world_size": 8}, "make 375: the processes were not counted"),
        ({"epochs": 24, "loader": 1000, "world_size": 8}, ""),
        ({"epochs": 3, "loader": 1001, "accumulation": 1}, "make 3,003"),
    ],
)
def test_why_a_total_differs(facts, words):
    found = [one for one in check("decay()", Run(total=3000), **facts) if one.code == "total-differs"]
    assert (words in found[0].what) if words else found == []


def test_what_an_epoch_leaves_over_may_be_dropped():
    for total in (3 * 333, 3 * 334):
        assert check("hold()", Run(total=total), epochs=3, loader=1001, accumulation=3) == ()


def test_ignored_codes_are_not_asked_for_and_unknown_ones_refused():
    run = Run(total=T)
    assert check("warmup(30%) >> decay()", run, ignore=("warmup-share",)) == ()
    for wrong in ({"ignore": ("warmup",)}, {"beta3": 0.9}, {"beta2": 1.0}, {"loader": 0}, {"calls": "batch"}):
        with pytest.raises(PreheatError):
            check("decay()", run, **wrong)
    with pytest.raises(PreheatError, match="is for a checkpoint"):
        check("decay()", run, plan="hold()")


def test_the_lines_of_a_plan_are_named_and_a_frozen_group_is_meant():
    plan = {"lr": "warmup(5%) >> decay()", "head/lr": "hold(0.0, 30%) >> warmup(1%) >> decay()"}
    assert check(plan, Run(total=T)) == ()
    (found,) = check(plan | {"head/lr": "warmup(30%) >> decay()"}, Run(total=T))
    assert found.place == "head/lr, update 6,000"


def test_a_run_in_tokens_is_told_in_updates():
    run = Run(total="10B tokens", clock="token", tokens_per_step=1_000_000)
    (found,) = check("warmup('3B tokens') >> decay()", run)
    assert (found.code, found.place) == ("warmup-share", "update 3,000")


def test_without_a_total_nothing_is_said_of_the_end():
    assert check("warmup(100) >> invsqrt(100)") == ()
    assert check("warmup(100) >> decay(50)") != ()  # its own length is its run


def test_the_source_of_a_published_peak_is_told():
    (found,) = check("warmup(5%) >> decay()", Run(total=T), optimizer="adamw", parameters=7e9, ignore=()) or (None,)
    assert found is None  # the peak is not known
    found = [one for one in check("nanogpt", optimizer="adamw", parameters=175e9) if one.code == "peak-range"]
    assert "arXiv:" in found[0].what


def test_a_config_is_looked_at_with_its_own_run_and_findings():
    meant = compat.transformers.constant_with_warmup(num_warmup_steps=5000, num_training_steps=T)
    ignored = Finding("unknown-key", "warmup_step", "no key that is known here")
    reading = Reading.of(meant, Run(total=T), [ignored], "transformers")
    assert [one.code for one in check(reading)] == ["unknown-key", "warmup-share"]
    assert [one.code for one in check(reading, Run(total=2 * T))] == ["unknown-key"]  # what is said beside it counts


def test_a_number_is_no_run() -> None:
    with pytest.raises(PreheatError, match=r"run= takes a Run, not 2000; write run=Run\(total=10_000\)"):
        check("warmup(50) >> decay()", 2000)


_A_RATE = (
    r"rate (is|is at its floor of|falls to|rises to|\w+ at once from) -?[0-9]|(last|highest|the) rate (is )?-?[0-9]"
)


@pytest.mark.parametrize(("spec", "total"), [case for case, _ in CASES.values() if not case[0].startswith("{")])
def test_the_numbers_are_of_what_they_are_called(spec, total):
    """Of factors on a known peak the rates are told, as of the same rates written out; without one the factors, as such."""
    rates = f"absolute(({spec}).scaled(0.0003))"
    told = [one for one in check(spec, Run(total=total), peak=3e-4) if one.code != "unclear-peak"]
    same = [one for one in check(rates, Run(total=total)) if one.code != "unclear-peak"]
    parted = [
        [(one.code, one.place, one.what.partition(" steps and the run")[0]) for one in found] for found in (told, same)
    ]
    assert parted[0] == parted[1]
    assert not any("factor" in one.what for one in told)
    for one in check(spec, Run(total=total)):
        assert one.code == "unclear-peak" or not re.search(_A_RATE, one.what)


def test_an_update_below_zero_is_told_as_the_rate_that_it_has():
    assert "the rate is -0.00029994," in check("decay(to=-1)", Run(total=10_000), peak=3e-4)[0].what
    assert "the factor is -0.9998," in check("decay(to=-1)", Run(total=10_000))[0].what


def test_a_warmup_of_rates_is_not_told_to_begin_at_a_factor():
    found = check("absolute(ramp(0, 3e-4, 100) >> hold(3e-4))", Run(total=1000))
    assert found[0].write == "begin above 0: at the rate 3e-06, one part in 100 of the peak"
