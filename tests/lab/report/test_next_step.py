"""What to run next: a whole command, and nothing where nothing is known."""

import math
import random
import shlex
from dataclasses import replace

import pytest
from fake_trainer import FakeOptions
from made_runs import LINEAR, NONE, made_run, made_summary, plain_study

from preheat.lab.command_line import option_of, with_option
from preheat.lab.experiment import TRAINER, Arm, TargetValue, grid
from preheat.lab.report.next_step import next_command, next_steps
from preheat.lab.tasks import DigitsOptions

HEAD = "preheat compare digits --arm 'none=decay()' --arm 'warm=warmup(50%) >> decay()'"
COMMAND = tuple(shlex.split(f"{HEAD} --seeds 3 --title 'Is it needed?' --jobs 2 --out 'runs/my digits'"))
SCATTER = (0.0, 0.011, -0.013, 0.007, -0.004)


def finals(none, linear):
    """`run_of` of two arms that end about there; None is a loss that is not finite."""

    def run_of(arm, seed):
        own = none if arm.family == "none" else linear
        own = own(arm.peak) if callable(own) else own
        if own is None:
            return made_run(2.5, lost_at=30)
        return made_run(own + seed / 50 + SCATTER[seed % 5] * (arm.family != "none"), seed=seed, lr=False)

    return run_of


def asked(none, linear, command=COMMAND, *, seeds=3, peaks=(), options=FakeOptions, **more):
    arms = grid((NONE, LINEAR), peaks) if peaks else (NONE, LINEAR)
    study = replace(plain_study(arms, tuple(range(seeds)), **more), options=options and options())
    return made_summary(study, finals(none, linear), command)


def changed(**options):
    """The command with these options."""
    words = COMMAND
    for name, value in options.items():
        words = with_option(words, f"--{name}", value)
    return shlex.join(words)


def test_where_seeds_did_not_tell_it_is_more_of_them_as_many_as_would_probably_do():
    summary = asked(2.5, 2.489, seeds=5)
    more = summary.studies[0].arms[1].difference.more
    assert more
    assert next_command(summary) == changed(seeds=str(5 + more))
    assert next_steps(summary)[0].why == f"{5 + more} seeds instead of 5 may tell:"


def test_where_more_seeds_do_not_pay_it_is_other_peaks_and_one_seed_becomes_three():
    dear = asked(2.5, 2.5001)
    assert "more than 100 more would be needed" in dear.verdicts[0]
    assert next_command(dear) == changed(peaks="0.0015,0.003,0.006", out="runs/my digits-peaks")
    assert next_steps(dear)[0].why.startswith("More seeds do not pay. This is one peak.")
    assert next_command(asked(2.5, 2.2, seeds=1)) == changed(seeds="3")


def test_what_was_claimed_at_one_peak_is_asked_at_half_and_twice_of_it():
    peaks = {"peaks": "0.0015,0.003,0.006", "out": "runs/my digits-peaks"}
    assert next_command(asked(2.5, 2.2)) == changed(**peaks)
    assert [step.typed for step in next_steps(asked(2.5, 2.489, seeds=5))][1] == changed(**peaks)


def test_a_script_s_own_peak_is_what_every_arm_has_logged_and_else_it_is_not_guessed():
    def summary(logged):
        def run_of(arm, seed):
            run = finals(2.5, 2.2)(arm, seed)
            run.columns["lr"] = [logged[arm.name] * (1 - step / 60) for step in run.steps]
            return run

        return made_summary(replace(plain_study(), options=None, function=print), run_of, COMMAND)

    assert "--peaks 0.0002,0.0004,0.0008 " in next_command(summary({"none": 4e-4, "linear": 3.98e-4}))
    assert "--peaks" not in next_command(summary({"none": 4e-4, "linear": 1e-4}))
    assert "--peaks" not in next_command(summary({"none": 0.0, "linear": 0.0}))


def test_where_an_arm_does_not_train_it_is_lower_peaks():
    for made in (asked(None, 2.2), asked(2.2, None)):
        assert next_command(made) == changed(peaks="0.00075,0.0015,0.003", out="runs/my digits-peaks")


def test_a_grid_goes_on_where_its_best_peak_lies_at_an_end():
    peaks = (1e-3, 2e-3, 4e-3)
    rising, falling = (lambda peak: 2.2 - 50 * peak), (lambda peak: 2.2 + 50 * peak)
    middle = lambda peak: 2.2 + 100 * abs(peak - 2e-3)  # noqa: E731
    worse = lambda peak: middle(peak) + 0.3  # noqa: E731
    assert next_command(asked(middle, rising, peaks=peaks)) == changed(peaks="0.001,0.002,0.004,0.008")
    assert next_command(asked(falling, middle, peaks=peaks)) == changed(peaks="0.0005,0.001,0.002,0.004")
    assert next_command(asked(lambda peak: None, lambda peak: None, peaks=peaks)) == (
        changed(peaks="0.00025,0.0005,0.001,0.002,0.004")
    )
    assert next_command(asked(middle, middle, peaks=peaks)) is None
    assert next_command(asked(worse, middle, peaks=peaks)) == (
        """preheat show 'ramp(0.0, 1.0, "50%") >> ramp(1.0, 0.0, "rest")' --total 60 --peak 0.002"""
    )


def test_what_is_missing_comes_first_by_the_same_command():
    study = plain_study()
    some = made_summary(study, lambda arm, seed: None if (arm, seed) == (LINEAR, 2) else made_run(2.0), COMMAND)
    assert [(step.typed, step.why[:17]) for step in next_steps(some)] == [(shlex.join(COMMAND), "1 run is missing;")]
    none = made_summary(study, lambda arm, seed: None, COMMAND)
    assert next_steps(none)[0].why.startswith("No run has finished. Mend what the failures say")
    assert next_command(none) == shlex.join(COMMAND)


def test_other_data_ask_for_a_new_folder_and_one_arm_for_another():
    def moved(arm, seed):
        run = finals(2.5, 2.2)(arm, seed)
        return replace(run, result=replace(run.result, data=f"data {seed}"))

    assert next_command(made_summary(plain_study(), moved, COMMAND)) == changed(out="runs/my digits-again")
    alone = made_summary(
        plain_study((NONE,)), finals(2.5, 2.2), ("preheat", "compare", "x", "--arm", "none=decay()", "--out", "y")
    )
    assert (
        next_command(alone) == "preheat compare x --arm 'none=decay()' --arm 'warmup 5%=warmup(5%) >> decay()' --out y"
    )


def test_where_every_seed_gave_the_same_no_seeds_are_asked_for():
    same = made_summary(replace(plain_study(), options=None, function=print), lambda arm, seed: made_run(2.0), COMMAND)
    assert next_command(same) is None


def test_of_the_demo_one_study_goes_on_by_itself_with_its_options():
    study = replace(plain_study((NONE, LINEAR)), task="digits", options=DigitsOptions(init_gain=3.0), trainer=TRAINER)
    words = ("preheat", "compare", "demo", "--out", "runs/demo")
    command = shlex.split(next_command(made_summary(study, finals(2.5, 2.2), words)))
    assert command[:3] == ["preheat", "compare", "digits"]
    for option, value in (
        ("--steps", "60"),
        ("--init-gain", "3.0"),
        ("--peaks", "0.0125,0.025,0.05"),
        ("--out", "runs/demo-peaks"),
    ):
        assert command[command.index(option) + 1] == value


@pytest.mark.parametrize(
    ("none", "linear", "call"),
    [
        (2.5, 2.5001, "peaks=[0.0015, 0.003, 0.006], out='runs/made-peaks'"),
        (2.5, 2.2, "peaks=[0.0015, 0.003, 0.006], out='runs/made-peaks'"),
    ],
)
def test_in_python_it_is_the_call_with_what_changes(none, linear, call):
    summary = asked(none, linear, command=(), function=print)
    assert next_command(summary) == call
    assert next_steps(summary)[0].why.endswith("in the call of preheat.compare, the rest as it is:")
    compile(f"compare(made, {call})", "call", "eval")


def test_in_python_a_second_arm_is_an_item_and_what_is_missing_needs_nothing_to_paste():
    study = replace(plain_study((NONE,)), function=print, options=None)
    call = next_command(made_summary(study, finals(2.5, 2.2), ()))
    assert eval(f"{{{call}}}") == {"warmup 5%": "warmup(5%) >> decay()"}
    gone = made_summary(study, lambda arm, seed: made_run(2.0) if seed else None, ())
    assert next_command(gone) is None
    assert next_steps(gone)[0].why == "1 run is missing; the same again runs only what is missing."


@pytest.mark.parametrize("value", [2.6, 2.52, 2.4])
@pytest.mark.parametrize("arms", [(NONE,), (NONE, LINEAR)])
def test_with_a_target_it_is_the_seeds_that_would_show_it_or_what_is_shown(value, arms):
    study = replace(plain_study(arms, tuple(range(3))), target=TargetValue(value))
    summary = made_summary(study, finals(2.5, 2.5), COMMAND)
    first = summary.studies[0].target.arms[0]
    if first.reached:
        assert next_command(summary).startswith("preheat show 'ramp(1.0, 0.0,")
    elif more := [one.more for one in summary.studies[0].target.arms if one.more]:
        assert next_command(summary) == changed(seeds=str(3 + min(more)))
        assert f"is below {value}:" in next_steps(summary)[0].why
    else:
        assert next_steps(summary) == []


def test_a_warmup_alone_is_compared_with_none():
    words = ("preheat", "compare", "x", "--warmups", "5%", "--out", "y")
    alone = made_summary(plain_study((Arm("warmup 5%", "warmup('5%') >> decay()"),)), finals(2.5, 2.2), words)
    assert next_command(alone) == "preheat compare x --warmups 5%,0 --out y"


def _follow(curve, rng, seeds=3, peaks=(), steps=12):
    """The commands of somebody who runs what is advised, on runs of a made-up curve over the peaks."""
    command, found = COMMAND, []
    own = {"none": 0.0, "linear": rng.uniform(-0.1, 0.1)}
    scatter = rng.choice([0.001, 0.02, 0.2])
    while len(found) < steps:
        arms = grid((NONE, LINEAR), peaks) if peaks else (NONE, LINEAR)

        def run_of(arm, seed):
            noise = random.Random(f"{own} {arm.name} {seed}").gauss(0, scatter)
            value = curve(arm.peak or 3e-3)
            return made_run(9, lost_at=30) if value is None else made_run(value + own[arm.family] + noise, lr=False)

        text = next_command(made_summary(plain_study(arms, tuple(range(seeds))), run_of, command))
        if text is None or text.startswith("preheat show"):
            return found
        found.append(text)
        command = tuple(shlex.split(text))
        seeds = int(option_of(command, "--seeds"))
        peaks = tuple(map(float, (option_of(command, "--peaks") or "").split(","))) if "--peaks" in command else ()
    return found


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize(
    "curve",
    [lambda peak: 2.0, lambda peak: 2 + peak, lambda peak: 2 - 9 * peak, lambda peak: 2.0 if peak < 2e-4 else None],
    ids=["flat", "rising", "falling", "diverges"],
)
def test_who_follows_every_step_comes_to_an_end(curve, number):
    followed = _follow(curve, random.Random(number))
    assert len(followed) <= 8
    assert len(set(followed)) == len(followed)


def test_studies_put_together_by_hand_have_no_command():
    assert next_command(asked(2.5, 2.2, command=())) is None


def test_what_is_written_has_no_folder_of_this_machine():
    (step,) = next_steps(asked(2.5, 2.2, command=(*COMMAND[:-1], "/srv/someone/x")))[:1]
    assert "--out /srv/someone/x-peaks" in step.typed
    assert "someone" not in step.written


def test_a_schedule_that_needs_to_know_more_than_updates_is_not_shown():
    epochs = Arm("linear", "warmup('2 epochs') >> decay()")
    study = replace(plain_study((NONE, epochs)), options=None, function=print)
    assert next_command(made_summary(study, finals(2.5, 2.2), COMMAND)) is None
    assert math.isfinite(made_summary(study, finals(2.5, 2.2), COMMAND).studies[0].arms[1].difference.mean)
