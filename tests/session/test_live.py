"""Changes of a plan while it is followed: they stay, whatever comes after them, or are refused and leave nothing behind."""

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preheat as ph
from preheat.core.checks import MAX_TEXT
from preheat.session import HoldUntil, Plateau, Rewarm, Session

PLANS = {
    "open": ph.warmup(10) >> ph.hold() >> ph.decay(20),
    "shares": ph.warmup("10%") >> ph.hold() >> ph.decay("20%", to=0.1),
    "a last rest": ph.warmup(5) >> ph.decay(),
    "fixed": ph.warmup(5) >> ph.hold(1.0, 40) >> ph.decay(10),
    "for ever": ph.warmup(10) >> ph.invsqrt(10),
    "rates": ph.absolute(ph.ramp(0.0, 0.3, 5) >> ph.hold(0.3) >> ph.ramp(0.3, 0.0, "10%")),
    "and another line": ph.Plan({"lr": ph.warmup(5) >> ph.hold(1.0, 60), "weight_decay": ph.absolute(ph.ramp(0, 1, "rest"))}),
}  # fmt: skip
TOTALS = st.none() | st.sampled_from([60, 100, 127])
SPANS = st.sampled_from([0, 1, 7, 20, 33, 55, "10%", "rest", "5 steps", 1e300, -1, "2 epochs", True, None, "x"])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(1, 25)),
        st.tuples(st.just("extend"), st.integers(1, 300) | SPANS),
        st.tuples(st.sampled_from(["finish_in", "cooldown", "rewarm"]), SPANS),
        st.tuples(
            st.just("observe"), st.sampled_from([{"loss": 1.0}, {"loss": math.nan}, {"loss": "x"}, {"los": 1}, 3])
        ),
        st.tuples(st.just("resume"), st.none()),
    ),
    max_size=12,
)
RULES = st.sampled_from([(), (Plateau("loss", factor=0.5, patience=0),), (HoldUntil("loss", at=20, patience=1),)])


class Truth:
    """What each line is to be at any time: the plan bound to the end that was said last, and every change replayed over it; a
    cooldown ends the run, and leaves the other lines as they are."""

    def __init__(self, plan: object, total: int | None) -> None:
        self.plan, self.total, self.changes = ph.Plan(plan), total, list[tuple]()

    def function(self, key: str) -> Callable[[float], float]:
        target = self.plan[key]
        schedule = getattr(target, "schedule", target)
        bound = None if self.total is None else schedule.bind(ph.Run(total=self.total))
        # of an open plan what is up to its 'rest' has values
        f = (lambda t: self.opened(schedule)(t)) if bound is None else bound
        for change in self.changes if key == "lr" else ():
            f = _changed(f, *change)
        return f

    @staticmethod
    def opened(schedule: ph.Schedule) -> ph.Schedule:
        parts = getattr(schedule, "parts", (schedule,))
        growing = [i for i, part in enumerate(parts) if getattr(getattr(part, "span", None), "is_rest", False)]
        kept = parts[: growing[0] + 1] if growing else parts
        found = kept[0]
        for part in kept[1:]:
            found = found >> part
        return found


def _changed(f: Callable, kind: str, at: float, n: float) -> Callable[[float], float]:
    if kind == "cooldown":
        return lambda t: f(t) if t < at else f(at) * (1 - min(1.0, (t - at) / n)) if n else 0.0
    return lambda t: f(t) * (1.0 if t < at or t >= at + n else (t - at) / n)


def whole(session: Session) -> tuple:
    return session.state_dict(), session.written, session.run, session.plan, session.values(), session.rules


@given(st.sampled_from(sorted(PLANS)), TOTALS, RULES, ACTS)
def test_a_change_stays_or_is_refused_and_leaves_nothing_behind(
    name: str, total: int | None, rules: tuple, acts: list
) -> None:
    def fresh(**options: str) -> Session:
        return Session(PLANS[name], None if total is None else ph.Run(total=total), rules=rules, **options)

    try:
        session = fresh()
    except ph.BindError:
        return
    truth = Truth(PLANS[name], total)
    for act, what in acts:
        before, position = whole(session), session.position
        try:
            if act == "advance":
                for _ in range(what):
                    session.advance()
            elif act == "resume":
                state = json.loads(json.dumps(session.state_dict()))
                session = fresh(on_change="keep")
                session.load_state_dict(state)
                assert (session.plan, session.run, session.rules) == (before[3], before[2], before[5])
            else:
                getattr(session, act)(what)
        except ph.PreheatError:
            assert whole(session) == before
            continue
        if act in ("cooldown", "rewarm"):
            length = ph.Span(what)
            end = before[2].total
            n = end - position if length.is_rest else length.measured(before[2], ph.core.spans.Edge())
            truth.changes.append((act, position, n))
            assert end is None or position + n <= end
            assert session.run.total == (end if act == "rewarm" else max(1, position + n))
        elif act in ("extend", "finish_in"):
            truth.total = session.run.total
        assert all(0 <= value <= 1 for value in session.values().values())
        for key in session.plan:
            f, line = truth.function(key), next(line for line in session.plan.lines if line.key == key)
            times = [*range(0, 150, 3), position, session.position, session.position + 1]
            assert [line.schedule(t) for t in times] == pytest.approx([f(t) for t in times], rel=1e-12, abs=1e-13)


# -- each of them, with the right values ------------------------------------------------------------------------------


def at(session: Session, updates: int) -> Session:
    for _ in range(updates):
        session.advance()
    return session


def test_a_cooldown_is_not_dropped_by_another_end() -> None:
    session = at(Session(ph.warmup(10) >> ph.hold() >> ph.decay("20%"), ph.Run(total=100)), 30)
    session.cooldown(20)
    with pytest.raises(ph.BindError, match=r"nothing in .* is 'rest' or '%', so nothing can grow"):
        session.extend(200)
    assert [at(session, 10).values()["lr"], at(session, 10).values()["lr"]] == [0.5, 0.0]


def test_what_else_grows_after_a_cooldown_does() -> None:
    plan = ph.Plan({"lr": ph.hold(), "weight_decay": ph.absolute(ph.ramp(0.0, 1.0, 10) >> ph.hold())})
    session = at(Session(plan, ph.Run(total=100)), 30)
    session.cooldown(20)
    session.extend(200)
    assert session.plan["weight_decay"].schedule.length == 200
    assert session.plan["lr"].length == 50


def test_a_new_warmup_goes_on_in_a_longer_run() -> None:
    session = at(Session(ph.warmup(10) >> ph.hold() >> ph.decay("20%"), ph.Run(total=100)), 30)
    session.rewarm(10)
    session.extend(200)
    seen = [at(session, 1).values()["lr"] for _ in range(170)]
    assert seen[4] == 0.5
    assert seen[9:130] == [1.0] * 121
    assert seen[149] == pytest.approx(0.5)
    assert seen[169] == 0.0


def test_a_share_of_a_longer_run_is_one_after_it_was_kept() -> None:
    plan = ph.warmup(10) >> ph.hold() >> ph.decay("20%")
    first = at(Session(plan, ph.Run(total=100)), 30)
    first.extend(200)
    again = Session(plan, ph.Run(total=100), on_change="keep")
    again.load_state_dict(first.state_dict())
    assert again.run == ph.Run(total=200)
    again.extend(300)  # what it was written as is still known
    assert again.plan == ph.Plan(plan).bind(ph.Run(total=300))
    again.extend(200)
    again.cooldown("10%")
    assert [at(again, 10).values()["lr"], at(again, 10).values()["lr"]] == [0.5, 0.0]


@pytest.mark.parametrize("policy", ["keep", "rebase"])
def test_where_only_the_bound_plan_is_known_another_end_is_refused(policy: str) -> None:
    first = at(Session(ph.warmup(10) >> ph.hold() >> ph.decay(20)), 15)
    again = Session((ph.warmup(10) >> ph.hold() >> ph.decay(40)).scaled(0.5), ph.Run(total=100), on_change=policy)
    again.load_state_dict(first.state_dict())
    before = whole(again)
    for change in (lambda: again.extend(200), lambda: again.finish_in(50)):
        with pytest.raises(
            ph.PreheatError, match="is not known: it comes from a checkpoint, which holds it in ticks; build it"
        ):
            change()
    assert whole(again) == before
    again.cooldown(10)
    assert [at(again, 5).values()["lr"], at(again, 5).values()["lr"]] == [0.5, 0.0]


def test_a_change_that_no_checkpoint_could_hold_is_refused() -> None:
    long = ph.table([0.5] * ((MAX_TEXT - 150) // 5))
    session = at(Session(long), 3)
    seen = [whole(session)]

    def warm_up_for_ever() -> None:
        while len(seen) < 20:
            session.rewarm(7)
            seen.append(whole(session))

    with pytest.raises(ph.PreheatError, match="characters of text in a checkpoint"):
        warm_up_for_ever()
    assert whole(session) == seen[-1]
    Session(ph.hold(), on_change="keep").load_state_dict(session.state_dict())


def test_a_share_of_the_run_in_a_rule_moves_with_the_end_while_it_can() -> None:
    rules = [HoldUntil("loss", at="50%"), Rewarm("loss", span="10%")]
    session = at(Session(ph.hold() >> ph.decay("10%"), ph.Run(total=100), rules=rules), 30)
    session.extend(200)
    assert session.rules[0].at == ph.Span(100)
    Session(ph.hold() >> ph.decay("10%"), ph.Run(total=200), rules=rules).load_state_dict(session.state_dict())
    at(session, 100)
    before = whole(session)
    with pytest.raises(ph.PreheatError, match=r"a share of the run in .* has passed"):
        session.extend(300)
    assert whole(session) == before


@pytest.mark.parametrize("policy", ["refuse", "adopt", "keep", "rebase"])
@pytest.mark.parametrize("change", [lambda s: s.cooldown(5), lambda s: s.extend(200), lambda s: s.rewarm(5)])
def test_back_to_before_a_change_is_back_to_what_was_given(change: Callable, policy: str) -> None:
    plan = ph.warmup(10) >> ph.hold() >> ph.decay("20%")
    session = at(Session(plan, ph.Run(total=100), on_change=policy), 30)
    before = whole(session)
    at(session, 5)
    change(session)
    session.load_state_dict(before[0])
    assert whole(session) == before


def test_at_the_start_nothing_has_passed() -> None:
    session = Session(ph.decay().shifted(-10), ph.Run(total=100))
    session.extend(200)
    assert session.values()["lr"] == pytest.approx(1 - 10 / 210)


@pytest.mark.parametrize("word", ["cooldown", "rewarm", "finish_in"])
def test_a_bare_length_below_one_tick_may_be_meant_as_a_share_and_is_refused(word: str) -> None:
    """As in `warmup(0.05)`; seconds come in any fraction."""
    for clock, tick in {"step": "update", "epoch": "epoch", "token": "token", "sample": "sample"}.items():
        session = Session(ph.warmup(10) >> ph.hold() >> ph.decay(20), ph.Run(total=100, clock=clock))
        session.move_to(30)
        for span in (0.2, "0.2"):
            words = f"{word}=0.2 is less than one {tick}; write '20%' for a share of the run, or '0.2 ticks'"
            with pytest.raises(ph.PreheatError, match=words):
                getattr(session, word)(span)
        assert session.plan == Session(session.given, session.run).plan
    lengths = {"20%": 20, "0.2 ticks": 0.2, 1: 1, 0: 0}
    for written, ticks in lengths.items() if word != "finish_in" else ():
        changed, same = (Session(ph.hold(), ph.Run(total=100)) for _ in range(2))
        for session, span in ((changed, written), (same, f"{ticks} ticks")):
            session.move_to(30)
            getattr(session, word)(span)
        assert changed.plan == same.plan
        assert changed.plan["lr"](30 + ticks) == (0 if word == "cooldown" else 1)
    seconds = Session(ph.warmup(10) >> ph.hold() >> ph.ramp(1, 0, 0.1), ph.Run(clock="second"))
    seconds.move_to(30)
    getattr(seconds, word)(0.5)
    assert seconds.plan["lr"](31) == (1 if word == "rewarm" else 0)


@pytest.mark.parametrize("start", [-1, -1e-9, 1.5, 50, math.nan, math.inf, "0.1", None, True])
def test_a_new_warmup_begins_between_nothing_and_the_planned_rate(start: object) -> None:
    session = at(Session(ph.warmup(10) >> ph.hold(), ph.Run(total=100)), 30)
    before = whole(session)
    with pytest.raises(ph.PreheatError, match=r"start of rewarm (is a share from 0 to 1|must be)"):
        session.rewarm(10, start=start)
    assert whole(session) == before
    with pytest.raises(ph.PreheatError, match=r"the start of a new warmup (is a share from 0 to 1|must be)"):
        ph.hold(1.0, 1000).rewarmed(10, 4, start=start)


@pytest.mark.parametrize("word", ["cooldown", "rewarm"])
def test_a_change_that_the_run_has_no_room_for_is_refused(word: str) -> None:
    session = at(Session(ph.warmup(10) >> ph.hold(), ph.Run(total=100)), 90)
    before = whole(session)
    for span in (11, 5000, "20%"):
        with pytest.raises(ph.BindError, match=rf"{word} needs .* steps from 90 on, and the run has 100; write {word}"):
            getattr(session, word)(span)
    assert whole(session) == before
    session.extend(120)
    getattr(session, word)(20)
    assert session.run.total == 110 if word == "cooldown" else 120


def test_a_cooldown_is_the_end_of_the_run() -> None:
    session = at(Session(ph.warmup(10) >> ph.hold(), ph.Run(total=1000)), 400)
    session.cooldown(200)
    assert session.run.total == 600
    while session.position < session.run.total:
        assert session.values()["lr"] > 0
        session.advance()
    open_ended = at(Session(ph.warmup(10) >> ph.hold()), 400)
    open_ended.cooldown(200)
    assert open_ended.run.total == 600


@pytest.mark.parametrize(
    "end", [lambda: Session(ph.decay(), ph.Run(total=0)), lambda: Session(ph.decay(), ph.Run(total=5)).extend(0)]
)
def test_a_run_of_no_update_is_refused(end: Callable) -> None:
    with pytest.raises(ph.PreheatError, match=r"a run of no update has no rate.*give a total of at least 1"):
        end()


@pytest.mark.parametrize("to", [5, -1, 0.51])
def test_a_cooldown_goes_down_and_not_below_zero(to: float) -> None:
    session = Session(ph.decay(10))
    for _ in range(5):
        session.advance()
    before = session.state_dict()
    with pytest.raises(ph.PreheatError, match="cooldown brings rates down"):
        session.cooldown(10, to=to)
    assert session.state_dict() == before
    session.cooldown(10, to=0.5)


def test_what_cannot_grow_is_shown_as_it_was_given() -> None:
    session = Session(ph.decay(100), ph.Run(total=100))
    session.rewarm(10)
    with pytest.raises(ph.PreheatError, match=r"nothing in Plan\(\{'lr': ramp\(1\.0, 0\.0, 100\)\}\) is 'rest' or '%'"):
        session.extend(200)


ODD = st.sampled_from([-1, -0.1, 0, 0.2, 0.5, 1, 1.5, 50, math.nan, math.inf, None, "x"])


@given(
    st.sampled_from(sorted(PLANS)), st.lists(st.tuples(st.sampled_from(["cooldown", "rewarm"]), ODD, ODD), max_size=8)
)
def test_whatever_is_asked_for_no_rate_leaves_what_was_planned(name: str, acts: list) -> None:
    session = Session(PLANS[name], ph.Run(total=100))
    most = max(session.plan["lr"](t) if name != "rates" else 0.3 for t in range(100))
    for word, span, extra in acts:
        at(session, 7)
        before = whole(session)
        try:
            getattr(session, word)(
                10 if span in (0.2, 0.5) else span, **{"to" if word == "cooldown" else "start": extra}
            )
        except ph.PreheatError:
            assert whole(session) == before
        assert session.run.total <= 100
        rates = [line.schedule(t) for line in session.plan.lines if line.is_rate for t in range(200)]
        assert all(0 <= rate <= most for rate in rates)
