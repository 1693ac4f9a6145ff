"""A session alone drives, saves, refuses and branches a training loop in plain Python: what every adapter relies on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.session import HoldUntil, Plateau, Session

sys.path.insert(0, str(Path(__file__).parent))
from plain_loop import PEAK, PLAN, RUN, Training

BOUND = PLAN.bind(RUN)
LONGER = ph.warmup(4, start=0.25) >> ph.hold() >> ph.decay(8, to=0.1)


def test_no_framework_is_imported() -> None:
    script = Path(__file__).with_name("plain_loop.py")
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == ""


def test_the_loop_runs_at_the_rates_of_the_schedule() -> None:
    assert Training().train(25).rates == [PEAK * BOUND(t) for t in range(25)]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["train", "save and load", "load again", "ask"]), max_size=25))
def test_any_interleaving_of_saving_and_loading_is_an_uninterrupted_run(acts: list[str]) -> None:
    truth, here = Training(), Training()
    for act in acts:
        if act == "train":
            truth.train(1)
            here.train(1)
        elif act == "save and load":
            here = Training().load(here.save())
        elif act == "load again":
            here.load(here.save())
        else:
            here.session.values(), here.session.state_dict()
        assert (here.weight, here.session.position, here.session.updates) == (
            truth.weight,
            truth.session.position,
            truth.session.updates,
        )
        assert here.session.values() == truth.session.values()


def test_a_changed_plan_is_refused_and_nothing_changes() -> None:
    checkpoint = Training().train(10).save()
    here = Training(LONGER).train(3)
    before = here.save()
    with pytest.raises(ph.StateError, match=r"first update to differ is 13, where 'lr' was 1\.0 and is 0\.8875"):
        here.load(checkpoint)
    assert here.save() == before


def test_adopt_takes_the_new_plan_at_the_saved_position() -> None:
    here = Training(LONGER, on_change="adopt").load(Training().train(14).save()).train(6)
    assert here.rates == [PEAK * LONGER.bind(RUN)(t) for t in range(14, 20)]


def test_keep_goes_on_with_the_saved_plan() -> None:
    here = Training(LONGER, on_change="keep").load(Training().train(14).save()).train(6)
    assert here.rates == [PEAK * BOUND(t) for t in range(14, 20)]


def test_rebase_goes_on_from_the_value_in_force() -> None:
    here = Training(LONGER, on_change="rebase").load(Training().train(17).save()).train(3)
    scale = BOUND(17) / LONGER.bind(RUN)(17)
    assert here.rates[0] == pytest.approx(PEAK * BOUND(17), rel=1e-15)
    assert here.rates == pytest.approx([PEAK * scale * LONGER.bind(RUN)(t) for t in range(17, 20)], rel=1e-15)


def test_a_cooldown_leaves_from_the_value_in_force_and_is_resumed_with_keep() -> None:
    here = Training().train(10)
    here.session.cooldown(5)
    checkpoint = here.save()
    here.train(6)
    assert here.rates[10:] == pytest.approx([PEAK * share for share in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)])
    again = Training(on_change="keep").load(checkpoint).train(6)
    assert (again.rates, again.weight) == (here.rates[10:], here.weight)
    with pytest.raises(ph.StateError, match="the plan has changed"):
        Training().load(checkpoint)


def test_a_run_of_unknown_length_is_finished_and_its_checkpoint_finishes_another() -> None:
    here = Training(PLAN, None).train(30)
    here.session.finish_in(10)
    checkpoint = here.save()
    here.train(10)
    assert here.session.run == ph.Run(total=40)
    assert here.rates[30:] == [PEAK * PLAN.bind(ph.Run(total=40))(t) for t in range(30, 40)]
    assert Training(PLAN, None).load(checkpoint).train(10).rates == here.rates[30:]


def test_rules_hold_and_scale_and_their_states_are_saved() -> None:
    rules = [HoldUntil("loss", at=6, patience=2), Plateau("loss", factor=0.5, patience=3)]
    truth, here = Training(rules=rules).train(30), Training(rules=rules).train(13)
    here = Training(rules=rules).load(here.save()).train(17)
    assert here.rates == truth.rates[13:]
    assert (here.session.states, here.weight) == (truth.session.states, truth.weight)
    with pytest.raises(ph.StateError, match="the rules have changed"):
        Training().load(truth.save())
    assert Training(on_change="adopt").load(truth.save()).session.rules == ()
    assert Training(on_change="keep").load(truth.save()).session.rules == truth.session.rules


def test_a_clock_of_tokens_is_told_how_many_have_passed() -> None:
    here = Training(ph.warmup("4k tokens") >> ph.decay(), ph.Run(total="10k tokens", clock="token"))
    with pytest.raises(ph.PreheatError, match=r"how many tokens have passed is not known; write step\(advance=…\)"):
        here.train(1)
    assert here.session.updates == 0
    here.train(3, ticks=1000)
    assert (here.session.position, here.session.values()) == (3000, {"lr": 0.75})


def test_it_says_the_value_of_every_line_and_binds_what_it_is_given() -> None:
    plan = ph.Plan({"lr": PLAN, "head/lr": PLAN.scaled(10), "weight_decay": ph.absolute(ph.ramp(0, 0.1, "50%"))})
    session = Session(plan, RUN)
    for _ in range(5):
        session.advance()
    assert session.values() == {"lr": 1.0, "head/lr": 10.0, "weight_decay": 0.05}
    assert json.loads(json.dumps(session.state_dict())) == session.state_dict()
    assert (session.written, session.plan) == (plan, plan.bind(RUN))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Session(PLAN, ph.Run(total=5)), "the parts need"),
        (lambda: Session(PLAN, 20), r"run= takes a Run, not 20; write run=Run\(total=10_000\)"),
        (lambda: Session(PLAN, RUN, on_change="adpot"), "did you mean 'adopt'"),
        (lambda: Session(0.1, RUN), "a schedule is needed, and 0.1 is a number"),
        (lambda: Session(PLAN, RUN).load_state_dict(None), "a scheduler's state is a dict"),
        (lambda: Session(PLAN, RUN).advance(-1), "advance is a number of steps that have passed"),
        (lambda: Session(PLAN, RUN).cooldown("rest", to=float("nan")), "must be finite"),
    ],
)
def test_what_makes_no_session_is_refused(make: object, message: str) -> None:
    with pytest.raises(ph.PreheatError, match=message):
        make()


@pytest.mark.parametrize("worth", [{"tokens_per_step": 8}, {"samples_per_step": 8}, {"steps_per_epoch": 8}])
def test_where_the_batch_changes_no_update_has_one_worth(worth: dict) -> None:
    """Tokens would be counted as if every update saw as many, and the rate would be that of another moment."""
    plan = ph.Plan({"lr": ph.warmup(4), "batch": ph.batch_ramp(1, 4, 30, increment=1)})
    for clock in ("token", "step"):
        with pytest.raises(
            ph.PreheatError, match=r"the plan's 'batch' changes, so an update is not worth .*=8 throughout"
        ):
            Session(plan, ph.Run(total=100, clock=clock, **worth))
    Session(ph.Plan({"lr": ph.warmup(4), "batch": ph.absolute("hold(4)")}), ph.Run(total=100, clock="token", **worth))
    run = Session(plan, ph.Run(total=100, clock="token"))
    with pytest.raises(ph.PreheatError, match=r"how many tokens have passed is not known; write step\(advance"):
        run.advance()


@pytest.mark.parametrize("name", ["batch", "batch_size", "global_batch_size", "micro_batch", "sequences"])
def test_a_batch_is_known_by_its_name_or_by_what_it_follows(name: str) -> None:
    sizes = "batch_ramp(4, 64, 4000 samples, increment=4)"
    batch = ph.parse(sizes) if name == "sequences" else ph.parse(repr(ph.parse(sizes)))
    with pytest.raises(
        ph.PreheatError, match=f"the plan's '{name}' changes, so an update is not worth samples_per_step=4"
    ):
        Session({"lr": "warmup(4k samples) >> hold()", name: batch}, ph.Run(total=1000, samples_per_step=4))
    Session({"lr": "warmup(4)", "batch_norm": "hold()"}, ph.Run(total=1000, samples_per_step=4))


SEESAW = ph.seesaw("warmup(5%) >> decay(shape=cosine)", ph.Run(total=1000, clock="token"), most=8)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (None, r"changes after numbers of ticks, and this run counts steps.*the very run that it was made for"),
        (ph.Run(total=1000), r"this run counts steps"),
        (ph.Run(total=1000, clock="epoch"), r"this run counts epochs"),
        (
            ph.Run(total=1500, clock="token"),
            r"the plan's 'batch' ends after 1000 of 1500 tokens; make the plan for this run",
        ),
    ],
)
def test_a_batch_in_bare_ticks_is_for_the_run_that_it_was_made_for(run: ph.Run | None, words: str) -> None:
    """Of updates that count as tokens the whole run would be warmup; a longer run would go on at rate 0."""
    with pytest.raises(ph.PreheatError, match=words):
        Session(SEESAW, run)


def test_a_batch_may_change_with_updates_where_that_is_said() -> None:
    plan = {"lr": "warmup(10)", "batch": "batch_ramp(1, 4, 30 steps, increment=1)"}
    run = Session(plan, ph.Run(total=100))
    for _ in range(30):
        run.advance()
    assert run.values()["batch"] == 4
    Session(SEESAW, ph.Run(total=1000, clock="token"))
    Session({"lr": "decay(900)", "batch": "batch_ramp(1, 4, 30, increment=1)"}, ph.Run(total=9000, clock="sample"))


def offered(saved: Session, code: Session) -> bool:
    """Whether a refusal names a rebase; it is then one that works, and else one that is refused."""
    state = saved.state_dict()
    with pytest.raises(ph.StateError, match="Pass on_change='adopt'") as error:
        code.load_state_dict(state)
    other = Session(code.given, code.run, on_change="rebase")
    try:
        other.load_state_dict(state)
    except ph.StateError:
        works = False
    else:
        works = True
    assert works == ("'rebase'" in str(error.value))
    return works


@pytest.mark.parametrize(
    ("new", "works"),
    [
        (ph.warmup(100) >> ph.decay(shape="cosine"), True),
        ({"lr": ph.warmup(100) >> ph.decay(), "weight_decay": ph.decay()}, False),
        (ph.warmup(100) >> ph.decay(100) >> ph.hold(0), False),
    ],
)
def test_a_rebase_is_offered_where_it_works(new: object, works: bool) -> None:
    run = ph.Run(total=1000)
    saved = Session("warmup(100) >> decay()", run)
    for _ in range(300):
        saved.advance()
    assert offered(saved, Session(new, run)) is works


def test_a_rebase_that_would_leave_what_a_momentum_can_be_is_refused() -> None:
    saved = Session({"lr": "hold()", "momentum": "absolute(hold(0.9))"})
    saved.advance()
    new = {"lr": "hold()", "momentum": "absolute(ramp(0.5, 0.95, 100))"}
    assert not offered(saved, Session(new))
    with pytest.raises(ph.StateError, match=r"the values of 'momentum' reach .*, and they must stay below 1"):
        Session(new, on_change="rebase").load_state_dict(saved.state_dict())
