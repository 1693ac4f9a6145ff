import dataclasses
import re

import pytest
from fake_runs import LINEAR, NONE, experiment_of
from fake_trainer import FakeOptions

import preheat
from preheat.core.errors import PreheatError
from preheat.core.spans import Run
from preheat.lab.demo import demo_experiment
from preheat.lab.experiment import NOT_METRICS, Arm, Experiment, Metric, Study
from preheat.lab.records.record import Result
from preheat.lab.running.command import TRAINER, LaunchOptions


def study_of(**changes):
    given = {"title": "s", "task": "bytes", "options": FakeOptions(), "arms": (NONE,), "seeds": (0,), "steps": 10}
    return Study(**{**given, **changes})


def test_an_arm_keeps_its_schedule_in_the_canonical_spelling():
    assert Arm("a", " ramp( 0,1 , '5%')>>hold( 1 )") == Arm("a", "ramp(0.0, 1.0, '5%') >> hold(1.0, 'rest')")


def test_an_arm_takes_a_schedule_rates_a_plan_or_their_text_and_its_repr_makes_it_again():
    plan = preheat.Plan({"lr": preheat.decay(), "weight_decay": preheat.absolute(preheat.hold(0.1))})
    for target in (preheat.decay(), preheat.absolute(preheat.hold(0.1)), plan):
        arm = Arm("a", target)
        assert arm.target == target
        assert Arm("a", arm.spec) == arm
        assert eval(repr(arm), {"Arm": Arm}) == arm
    at_peak = Arm("a @ 0.1", "decay()", 0.1, "a")
    assert eval(repr(at_peak), {"Arm": Arm}) == at_peak
    with pytest.raises(PreheatError, match="a schedule is needed, and 3 is a number"):
        Arm("a", 3)


def test_text_is_parsed_once_for_each_arm_however_many_trials_follow_it(monkeypatch):
    texts = []
    monkeypatch.setattr("preheat.lab.experiment.parse", lambda text: texts.append(text) or preheat.parse(text))
    experiment = experiment_of((Arm("a", "decay()"), Arm("b", "warmup(3) >> decay()")), seeds=range(9))
    assert len([(trial.target, trial.identity, trial.arm.spec) for trial in experiment.trials()]) == 18
    assert texts == ["decay()", "warmup(3) >> decay()"]


def test_an_arm_is_read_from_name_equals_schedule_and_the_schedule_may_hold_more_equals_signs():
    arm = Arm.read('exponential = warmup("33%", start=0.01, shape="exponential") >> decay()')
    assert arm.name == "exponential"
    assert "0.01" in arm.spec


@pytest.mark.parametrize("text", ["", "linear", "=decay()", "decay(to=0.1)", "warmup('5%', start=0.1)"])
def test_an_arm_without_a_name_is_refused_with_an_example(text):
    with pytest.raises(PreheatError, match="write NAME=SCHEDULE"):
        Arm.read(text)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[31m", "x" * 61, "\u202eabc"])
def test_a_name_that_cannot_be_shown_is_refused(name):
    with pytest.raises(PreheatError, match="must be printable text of 1 to 60 characters"):
        Arm(name, "decay()")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arms": ()}, "has no arm"),
        ({"arms": (NONE, Arm("none", "hold(1)"))}, "two arms are called 'none'; rename one"),
        ({"metrics": (Metric("loss"), Metric("loss", "max"))}, "two metrics are called 'loss'; leave one out"),
        ({"seeds": ()}, "seeds must be different"),
        ({"seeds": (1, 1)}, "seeds must be different"),
        ({"seeds": (-1,)}, "a seed must be a whole number of at least 0"),
        ({"seeds": (True,)}, "a seed must be a whole number"),
        ({"steps": 0}, "steps must be a whole number of at least 1"),
        ({"steps": 10.0}, "steps must be a whole number"),
        ({"options": {"peak": 1}}, "options must be a dataclass"),
        ({"options": FakeOptions(peak=float("nan"))}, "options must hold plain finite values"),
        ({"trainer": "os.system"}, "module:function"),
        ({"arms": (Arm("long", "ramp(0, 1, 50)"),)}, "arm 'long' cannot run for 10 steps"),
    ],
)
def test_a_study_that_cannot_be_run_is_refused(changes, message):
    with pytest.raises(PreheatError, match=message):
        study_of(**changes)


def test_two_studies_that_would_share_files_are_refused():
    with pytest.raises(PreheatError, match=r"share the file a-none-seed0\.jsonl"):
        Experiment("e", (study_of(title="A"), study_of(title="a")))
    with pytest.raises(PreheatError, match="two studies are called 'a'"):
        Experiment("e", (study_of(title="a"), study_of(title="a", steps=20)))
    clash = (study_of(title="a-b", arms=(Arm("c", "decay()"),)), study_of(title="a", arms=(Arm("b-c", "decay()"),)))
    with pytest.raises(PreheatError, match=r"share the file a-b-c-seed0\.jsonl"):
        Experiment("e", clash)


def test_identity_is_all_that_the_outcome_depends_on_and_not_the_names():
    trial = next(experiment_of().trials())
    named = dataclasses.replace(trial, arm=Arm("another", trial.arm.spec))
    assert named.identity == trial.identity
    for other in (
        experiment_of(steps=41),
        experiment_of(peak=1.0),
        experiment_of(seeds=(5,)),
        experiment_of((LINEAR,)),
    ):
        assert next(other.trials()).identity != trial.identity


def test_updates_that_only_show_how_much_is_left_are_no_configuration():
    launched = {"options": LaunchOptions(command="python train.py"), "trainer": TRAINER, "arms": (NONE,)}
    own = {"options": None, "function": print, "arms": (NONE,)}
    for given in (launched, own):
        one, other = (study_of(**{"trainer": "a:b", "steps": steps, **given}) for steps in (None, 40))
        assert next(one.trials()).identity == next(other.trials()).identity


def test_a_hostile_name_cannot_leave_the_folder():
    arms = (Arm("../../etc/passwd", "decay()"), Arm("<script>", "decay()"), Arm("…", "decay()"))
    names = [trial.name for trial in experiment_of(arms, seeds=(0,)).trials()]
    assert names[:2] == ["fake-study-etc-passwd-seed0", "fake-study-script-seed0"]
    assert re.fullmatch(r"fake-study-unnamed-[0-9a-f]{6}-seed0", names[2])


def test_arms_of_any_script_and_alike_but_not_equal_have_files_of_their_own():
    alike = ("预热", "衰减", "a b", "a-b", "A b", "a b!", "ä", "ö", "plain", "warmup 5%", "a @ 0.01")
    names = [trial.name for trial in study_of(arms=tuple(Arm(name, "decay()") for name in alike)).trials()]
    assert len({name.casefold() for name in names}) == len(alike)
    assert names[-3:] == ["s-plain-seed0", "s-warmup-5-seed0", "s-a-0.01-seed0"]
    assert all(re.fullmatch(r"[\w.-]+", name, re.ASCII) for name in names)


def test_what_is_a_fact_of_a_run_cannot_be_a_metric():
    assert {field.name for field in dataclasses.fields(Result)} - {"metrics"} | {"step"} == NOT_METRICS
    for name in NOT_METRICS:
        with pytest.raises(PreheatError, match=f"a metric cannot be called '{name}'"):
            Metric(name)


@pytest.mark.parametrize(
    ("name", "title", "stage"),
    [
        ("val_loss", "validation loss", ""),
        ("stage2/val_loss", "validation loss, stage2", "stage2"),
        ("after_tuning/loss:max", "training loss, after tuning", "after_tuning"),
        ("sft/eval/win_rate:max", "win rate, sft/eval", "sft/eval"),
    ],
)
def test_a_metric_of_a_later_stage_is_titled_with_it(name, title, stage):
    metric = Metric.read(name)
    assert (metric.title, metric.stage) == (title, stage)
    assert metric.goal == ("max" if name.endswith(":max") else "min")


@pytest.mark.parametrize("name", ["stage2/", "/val_loss", "/"])
def test_a_stage_without_a_metric_is_refused(name):
    with pytest.raises(PreheatError, match=r"a metric has a name after its stage, not .*; write stage2/val_loss"):
        Metric.read(name)


def test_trials_come_seed_by_seed_so_that_an_early_stop_leaves_whole_pairs():
    order = [(trial.seed, trial.arm.name) for trial in experiment_of().trials()]
    assert order == [(0, "none"), (0, "linear"), (1, "none"), (1, "linear")]


def test_the_demo_has_two_studies_with_the_same_peak_and_a_reference_without_warmup():
    demo = demo_experiment()
    for study in demo.studies:
        assert [arm.name for arm in study.arms] == ["none", "linear 5 %", "linear 50 %"]
        for arm in study.arms[1:]:  # the name says how long the warmup is
            share = float(arm.name.split()[1]) / 100
            values = [arm.target.bind(Run(total=study.steps))(update) for update in range(study.steps)]
            assert values.index(max(values)) == share * study.steps
    assert {study.options.peak for study in demo.studies} == {demo.studies[0].options.peak}
    assert [study.options.norm for study in demo.studies] == ["post", "pre"]
