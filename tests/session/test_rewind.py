"""Going back before a spike: which batches are left out, that it comes to an end, and that a kill changes nothing."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.session import GoBack, HoldUntil, Rewarm, Rewind, Session
from preheat.session.rewind import batch_of
from preheat.session.rules import rule_from_data, rules_from_text, rules_to_text

PLAN = ph.Plan(ph.warmup(4) >> ph.hold())
skips = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=5)


def session(rule: Rewind) -> Session:
    return Session(PLAN, ph.Run(total=1000), rules=[rule])


def calm(update: int) -> float:
    return 2.0 + update % 2 / 10


class Training:
    """A run that only counts: the weights are the batches that made them, and the loss of a bad batch is high.

    Its disk survives a kill; the rest does not. A checkpoint holds everything, as text.
    """

    def __init__(self, rule: Rewind, bad: set[int], every: int, updates: int) -> None:
        self.rule, self.bad, self.every, self.updates = rule, bad, every, updates
        self.disk: dict[int, str] = {}
        self.asked: list[GoBack] = []
        self.moments = 0

    def load(self, update: int) -> tuple[list[int], dict]:
        saved = json.loads(self.disk[update])
        return saved["weights"], saved["scheduler"]

    def save(self) -> None:
        saved = {"weights": self.weights, "scheduler": self.session.state_dict()}
        self.disk[self.session.updates] = json.dumps(saved)

    def begin(self) -> None:
        """What a process does first."""
        self.session, self.weights = session(self.rule), list[int]()
        if self.disk:
            self.weights, state = self.load(max(self.disk))
            self.session.load_state_dict(state)
        else:
            self.save()

    def run(self, moments: int | None = None) -> bool:
        """Train to the end, or to death after so many moments; whether the end was reached."""
        self.begin()
        left = math.inf if moments is None else moments
        while self.session.updates < self.updates:
            for act in (self.answer, self.update, self.save_if_due):
                if left <= 0:
                    return False
                left, self.moments = left - 1, self.moments + 1
                act()
        return True

    def answer(self) -> None:
        if (asked := self.session.rewind) is not None:
            self.asked.append(asked)
            self.weights, state = self.load(max(update for update in self.disk if update <= asked.step))
            self.session.go_back(state)

    def update(self) -> None:
        batch = self.session.next_batch
        self.session.observe({"loss": 99.0 if batch in self.bad else calm(batch)})
        self.session.advance()
        self.weights = [*self.weights, batch]

    def save_if_due(self) -> None:
        if self.session.updates % self.every == 0:
            self.save()

    @property
    def end(self) -> tuple[list[int], list]:
        return self.weights, self.session.states[0]["skips"]


@given(skips)
def test_batches_are_taken_in_order_once_each_and_exactly_those_asked_for_are_left_out(skips: list) -> None:
    left = list(range(400))
    for step, skip in skips:
        left = left[:step] + left[step + skip :]
    assert [batch_of(update, skips) for update in range(200)] == left[:200]


def test_a_spike_asks_and_what_is_left_out_is_the_spike_and_what_led_to_it() -> None:
    training = Training(Rewind("loss", back=10, skip=15, settle=10, span=5), {40}, every=8, updates=60)
    assert training.run()
    assert training.asked == [GoBack(30, 15)]
    assert training.end == ([*range(30), *range(45, 75)], [[30, 15]])


def test_after_going_back_the_rate_warms_up_from_the_checkpoint() -> None:
    run = session(Rewind("loss", back=5, skip=6, settle=10, span=10, backoff=0.2))
    saved = {}
    for update in range(40):
        saved[update] = run.state_dict()
        run.observe({"loss": 99.0 if update == 39 else calm(update)})
        run.advance()
    run.go_back(saved[30])
    assert (run.updates, run.position) == (30, 30)
    gains = []
    for update in range(12):
        gains.append(run.gain)
        run.observe({"loss": calm(update)})
        run.advance()
    assert gains == pytest.approx([0.2 + 0.08 * t for t in range(10)] + [1.0, 1.0])


bad_ones = st.sets(st.integers(0, 120), max_size=6)


@settings(max_examples=40)
@given(bad_ones, st.integers(1, 12), st.integers(1, 12), st.integers(1, 9), st.lists(st.integers(0, 90), max_size=5))
def test_killed_at_any_moment_it_is_the_run_that_was_not(bad, back, more, every, kills) -> None:
    rule = Rewind("loss", back=back, skip=back + more, settle=5, span=3, most=4)
    whole, killed = (Training(rule, bad, every, 80) for _ in range(2))
    assert whole.run()
    for moments in kills:
        killed.run(moments)
    assert killed.run()
    assert killed.end == whole.end
    assert killed.session.state_dict() == whole.session.state_dict()


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.integers(0, 60))
def test_it_comes_to_an_end_also_where_every_batch_from_one_update_on_is_bad(back, more, most, since) -> None:
    """The loss is not finite whatever the data: `most` times back, then on with what a spike is to Rewarm."""
    rule = Rewind("loss", back=back, skip=back + more, settle=5, span=3, most=most)
    training = Training(rule, set(), 5, 70)

    def broken() -> None:
        batch, update = training.session.next_batch, training.session.updates
        training.session.observe({"loss": math.nan if update >= since else calm(batch)})
        training.session.advance()
        training.weights = [*training.weights, batch]

    training.update = broken
    assert training.run()
    assert len(training.asked) == most
    assert len(training.weights) == 70
    assert training.moments <= 3 * 70 * (most + 1)


def test_a_request_is_saved_and_stands_until_it_is_answered() -> None:
    rule = Rewind("loss", back=3, skip=4, settle=5)
    run = session(rule)
    begin = run.state_dict()
    for update in range(20):
        run.observe({"loss": 99.0 if update in (15, 17) else calm(update)})
        run.advance()
    assert run.rewind == GoBack(12, 4)  # of the first one
    other = session(rule)
    other.load_state_dict(json.loads(json.dumps(run.state_dict())))
    assert other.rewind == GoBack(12, 4)
    other.go_back(begin)
    assert other.rewind is None
    assert [other.next_batch, other.updates] == [0, 0]


def test_the_rest_is_rewarm() -> None:
    """Where nobody answers, the rate backs off and warms up as Rewarm has it."""
    runs = [Session(PLAN, ph.Run(total=99), rules=[kind("loss", span=9, settle=5)]) for kind in (Rewind, Rewarm)]
    for update in range(60):
        for run in runs:
            run.observe({"loss": math.inf if update in (20, 22, 55) else calm(update)})
            run.advance()
        assert runs[0].gain == runs[1].gain
    assert runs[0].gain < 1


def test_it_counts_updates_where_time_stands_still() -> None:
    rules = [HoldUntil("val", at=5), Rewind("loss", back=2, skip=3, settle=5)]
    run = Session(PLAN, ph.Run(total=99), rules=rules)
    for update in range(30):
        run.observe({"loss": 99.0 if update == 25 else calm(update)})
        run.advance()
    assert (run.position, run.rewind) == (5, GoBack(23, 3))


def test_rules_as_data_and_as_text() -> None:
    rule = Rewind("loss", back=2, skip=3, span="5%", most=2)
    assert rule_from_data(rule.to_data()) == rule
    bound = rule.bind(ph.Run(total=100))
    state = {**bound.start(), "spiked": 7, "skips": [[3, 4]]}
    assert rules_from_text(rules_to_text([bound], [state])) == ([bound], [state])


@pytest.mark.parametrize(
    "damage",
    [
        *({"skips": wrong} for wrong in (1, None, [[1]], [[-1, 2]], [[1, 0]], [[True, 2]], [1])),
        *({"spiked": wrong} for wrong in (-1, 1.5, True)),
        *({"mean": "x"}, {"other": 1}),
    ],
)
def test_a_damaged_state_is_refused(damage: dict) -> None:
    rule = Rewind("loss").bind(ph.Run())
    with pytest.raises(ph.StateError):
        rule.checked(rule.start() | damage)
    with pytest.raises(ph.StateError):
        rule.checked([])
    assert rule.checked(rule.start()) == rule.start()


def spiked() -> tuple[Session, dict, dict]:
    run = session(Rewind("loss", back=3, skip=4, settle=5))
    begin = run.state_dict()
    for update in range(16):
        run.observe({"loss": 99.0 if update == 15 else calm(update)})
        run.advance()
    return run, begin, run.state_dict()


def test_what_cannot_be_meant_is_refused_and_changes_nothing() -> None:
    run, begin, late = spiked()
    with pytest.raises(
        ph.PreheatError, match=r"leave out 4 batches, which loading a state would forget; write go_back"
    ):
        run.load_state_dict(begin)
    with pytest.raises(ph.PreheatError, match="go back to update 12 or before, not 16; load an older checkpoint"):
        run.go_back(late)
    with pytest.raises(ph.StateError):
        run.go_back({})
    assert run.state_dict() == late
    run.load_state_dict(late)  # the state that asks is loaded like any
    with pytest.raises(ph.PreheatError, match="no rule has asked to go back; load_state_dict"):
        session(Rewind("loss", back=3, skip=4, settle=5)).go_back(begin)
    with pytest.raises(ph.PreheatError, match="no rule has asked to go back"):
        (other := Session(PLAN, ph.Run(total=9))).go_back(other.state_dict())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"back": 0}, "back must be a whole number of at least 1, not 0"),
        ({"skip": 100}, "skip=100 batches from back=100 updates before the spike do not reach its own; write skip=101"),
        ({"skip": 0}, "skip must be a whole number of at least 1"),
        ({"most": 0}, "most must be a whole number of at least 1"),
        ({"span": 0}, "the span of Rewind must be above 0"),
        ({"backoff": 1}, "backoff of Rewind lies from 0 to below 1"),
    ],
)
def test_arguments_out_of_range(arguments: dict, words: str) -> None:
    with pytest.raises(ph.PreheatError) as caught:
        Rewind("loss", **arguments)
    assert words in str(caught.value)


def test_one_rule_asks() -> None:
    with pytest.raises(ph.PreheatError, match="one rule may ask to go back, not 2; write Rewarm for the other metrics"):
        Session(PLAN, ph.Run(total=9), rules=[Rewind("loss"), Rewind("grad_norm")])


def test_without_the_rule_the_next_batch_is_the_next_update() -> None:
    run = Session(PLAN, ph.Run(total=9))
    run.advance()
    assert (run.rewind, run.next_batch) == (None, 1)


@pytest.mark.parametrize("kind", [ph.Rewarm, Rewind])
@pytest.mark.parametrize(
    ("run", "length"),
    [
        (ph.Run(), 100),
        (ph.Run(total="1M tokens", tokens_per_step=512), 100),
        (ph.Run(total="1M tokens", clock="token", tokens_per_step=512), 51_200),
        (ph.Run(total=10, clock="epoch", steps_per_epoch=40), 3),
        (ph.Run(total="1M tokens", clock="token"), "span='1M tokens'"),
        (ph.Run(total="1M samples", clock="sample"), "span='1M samples'"),
        (ph.Run(total=10, clock="epoch"), "span='2 epochs'"),
        (ph.Run(total=10, clock="epoch", steps_per_epoch=4000), "span='2 epochs'"),
        (ph.Run(total="6 h", clock="second"), "span='10 min'"),
    ],
)
def test_the_new_warmup_lasts_100_updates_by_default_or_has_to_be_said(
    kind: type, run: ph.Run, length: int | str
) -> None:
    """100 tokens were over within the update that saw the spike, and 100 epochs longer than the run."""
    rules = [kind("loss")]
    if isinstance(length, int):
        assert Session(ph.hold(), run, rules=rules).rules[0].span.value == length
        return
    with pytest.raises(ph.PreheatError) as caught:
        Session(ph.hold(), run, rules=rules)
    assert "warms up again over 100 steps by default, and these are no known number of" in str(caught.value)
    assert str(caught.value).endswith(length)
    span = length.partition("=")[2].strip("'")
    Session(ph.hold(), run, rules=[kind("loss", span=span)])


def test_a_new_warmup_of_less_than_one_update_is_refused() -> None:
    run = ph.Run(total="1M tokens", clock="token", tokens_per_step=512)
    with pytest.raises(
        ph.PreheatError, match=r"span of Rewarm is less than the 512 tokens of one update, not 100; write span"
    ):
        Session(ph.hold(), run, rules=[ph.Rewarm("loss", span=100)])
    with pytest.raises(
        ph.PreheatError, match="does not know what one epoch is worth"
    ):  # a span of one's own is said as any
        Session(ph.hold(), run, rules=[ph.Rewarm("loss", span="7 epochs")])


@pytest.mark.parametrize("policy", ["adopt", "rebase", "keep"])
@pytest.mark.parametrize("rules", [[], [ph.Rewarm("loss")], [Rewind("grad_norm")], [Rewind("loss", back=3, skip=5)]])
def test_what_was_left_out_stays_so_whatever_the_rules_are_now(policy: str, rules: list) -> None:
    """Batches were taken twice where the code had other rules, as if nothing had been left out."""
    run, begin, _ = spiked()
    run.go_back(begin)
    for _ in range(14):
        run.advance()
    saved, batch = run.state_dict(), run.next_batch
    assert batch == 18
    other = Session(PLAN, run.run, rules=rules, on_change=policy)
    if policy != "keep" and not any(isinstance(rule, Rewind) for rule in rules):
        then = other.state_dict()
        with pytest.raises(
            ph.StateError, match=r"has left out 4 batches, .*; keep a Rewind in rules=, with any metric"
        ):
            other.load_state_dict(saved)
        assert other.state_dict() == then
        return
    other.load_state_dict(saved)
    assert other.next_batch == batch
    assert other.updates == 14
