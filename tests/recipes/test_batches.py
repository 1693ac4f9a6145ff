"""Batches that grow, and the rates that go with them: against Megatron's own rule, and as laws over random schedules."""

import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import preheat as ph
from preheat.core.peaks import refuse_unclear
from preheat.core.ranges import refuse_impossible

TOKENS = ph.Run(total=1000, clock="token")
SHAPES = ["linear", "cosine", "sqrt", "square", "smooth", "rex", "mirror-cosine", "power(3)"]


def of_megatron(start: int, to: int, increment: int, over: int, seen: int) -> int:
    """The batch after `seen` samples by --rampup-batch-size, in whole numbers where it divides floats."""
    sizes = (to - start) // increment
    return to if seen > over else start + (seen * sizes // over) * increment


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 20), st.integers(1, 5000), st.data())
def test_a_batch_ramp_is_megatrons(start: int, increment: int, sizes: int, over: int, data: st.DataObject) -> None:
    to, seen = start + increment * sizes, data.draw(st.integers(0, 2 * over))
    ramp = ph.batch_ramp(start, to, f"{over} samples", increment=increment).bind(ph.Run(total=10_000, clock="sample"))
    assert ramp(seen) == of_megatron(start, to, increment, over, seen)


def test_gpt3_in_megatron_and_deepseek_v3() -> None:
    gpt = ph.batch_ramp(16, 1536, "5859375 samples", increment=16).bind(ph.Run(total=10**7, clock="sample"))
    assert [gpt(t) for t in (0, 61_677, 61_678, 5_859_374, 5_859_375, 10**7)] == [16, 16, 32, 1520, 1536, 1536]
    run = ph.Run(total="14.8T tokens", clock="token")
    deepseek = ph.batch_ramp(3072, 15360, "469B tokens", increment=3072).bind(run)
    assert [deepseek(t) for t in (0, 469 * 10**9 - 1, 469 * 10**9, 10**12)] == [3072, 12288, 15360, 15360]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9), st.sampled_from([("linear", 1), ("sqrt", 0.5)]))
def test_as_a_factor_it_is_the_batch_over_the_last_one_and_ends_at_1(start, increment, sizes, rule) -> None:
    to = start + increment * sizes
    batch = ph.batch_ramp(start, to, 100, increment=increment)
    factor = ph.batch_ramp(start, to, 100, increment=increment, rule=rule[0])
    assert factor(100) == 1
    for t in range(0, 120, 7):
        assert factor(t) == pytest.approx((batch(t) / to) ** rule[1], rel=1e-15)
    plan = ph.Plan({"lr": ph.warmup(10) * factor, "batch": batch}).bind(TOKENS)
    refuse_unclear(plan, lambda line: None)


def test_it_is_a_word_of_the_language_and_a_line_of_text() -> None:
    ramp = ph.batch_ramp(16, 64, "300 samples", increment=16)
    assert ph.parse("batch_ramp(16, 64, 300 samples, increment=16)") == ramp == ph.parse(repr(ramp))
    plan = ph.Plan(
        '{"lr": "warmup(5%) * batch_ramp(1, 4, 9, increment=1, rule=sqrt)", "batch": "batch_ramp(1, 4, 9, increment=1)"}'
    )
    assert plan.bind(TOKENS)["batch"](8) == 3


SIZES = ph.batch_ramp(16, 64, 400, increment=16)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ph.warmup(100) * SIZES,
        lambda: SIZES * ph.warmup(100),
        lambda: ph.parse("warmup(100) * batch_ramp(16, 64, 400, increment=16)"),
        lambda: ph.absolute(SIZES).scaled(0.5) * ph.hold(),
        lambda: (ph.absolute("hold(8, 10)") >> SIZES) * ph.hold(),
        lambda: ph.Plan(SIZES),
        lambda: ph.Plan({"head/lr": SIZES.scaled(1e-3)}),
        lambda: ph.Plan({"lr": SIZES.bind(ph.Run(total=500))}),
        lambda: ph.Plan({"lr": ph.seesaw("decay()", TOKENS, most=4)["batch"]}),
        lambda: ph.Plan({"lr": pickle.loads(pickle.dumps(SIZES))}),
        lambda: ph.Plan({"lr": "batch_ramp(16, 64, 400, increment=16)"}),
    ],
)
def test_the_sizes_of_a_batch_are_no_rates(make) -> None:
    """A model would be trained at a rate of 64."""
    with pytest.raises(
        ph.PreheatError, match=r"neither rates nor factors of rates.*write batch_ramp\(…, rule='sqrt'\)"
    ):
        make()


def test_the_sizes_of_a_batch_equal_what_their_text_says() -> None:
    for sizes in (SIZES, SIZES.bind(ph.Run(total=500)), ph.absolute("hold(8, 10)") >> SIZES):
        read = ph.parse(repr(sizes))
        assert hash(sizes) == hash(read)
        assert (sizes == read, read == sizes) == (True, True)
        assert ph.from_dict(ph.to_dict(sizes)) == sizes
    assert SIZES not in (SIZES.schedule, SIZES.scaled(2))
    assert ph.Plan({"momentum": SIZES})["momentum"](399) == 48


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"start": 1.5}, "start must be a whole number of at least 1, not 1.5"),
        ({"start": 0}, "start must be a whole number of at least 1"),
        ({"increment": True}, "increment must be a whole number of at least 1"),
        ({"increment": 7}, "cannot go from 16 to 64 in steps of 7; write an increment that divides 48"),
        ({"to": 8}, "cannot go from 16 to 8 in steps of 16; let it grow"),
        ({"to": 16 * 2000}, "at most 1000 sizes, not 2000; write a larger increment"),
        (
            {"over": "10%"},
            "a whole number of ticks, samples, tokens or steps, not '10%'; write for example '469B tokens'",
        ),
        ({"over": "rest"}, "a whole number of ticks, samples, tokens or steps, not 'rest'"),
        ({"over": 0.5}, "over=0.5 is less than one update"),
        ({"over": "2.5 samples"}, "a whole number of ticks, samples, tokens or steps"),
        ({"rule": "lienar"}, "unknown rule 'lienar'; did you mean 'linear'?"),
    ],
)
def test_a_batch_ramp_refuses(arguments: dict, words: str) -> None:
    given_ = {"start": 16, "to": 64, "over": 300, "increment": 16} | arguments
    with pytest.raises(ph.PreheatError) as caught:
        ph.batch_ramp(**given_)
    assert words in str(caught.value)


@st.composite
def falling(draw: st.DrawFn) -> str:
    """A schedule that rises to its peak, and from there on falls to less than half of it."""
    warm = draw(st.sampled_from(["", "warmup(37) >> ", "warmup(5%, start=0.1) >> ", "warmup(3%) >> hold(20%) >> "]))
    to, shape = draw(st.sampled_from([0.0, 0.01, 0.1, 0.4])), draw(st.sampled_from(SHAPES))
    tail = st.sampled_from(["{}", "{}.stepwise(50)", "hold(1, 200) >> hold(.3, 400) >> hold(.05)", "step_decay(150)"])
    return warm + draw(tail).format(f"decay(to={to}, shape={shape})")


@settings(max_examples=60)
@given(falling(), st.integers(1, 12), st.integers(2, 4), st.integers(1, 4), st.booleans())
def test_a_seesaw_keeps_the_rate_over_the_root_of_the_batch(text, batch, factor, times, is_rates) -> None:
    """Between the schedule and f times it; equal to it up to the peak, and from the last change on."""
    s = ph.parse(text)
    if is_rates:
        s = ph.absolute(s.scaled(0.25))
    bound = s.bind(TOKENS)
    values = bound.table(1000)
    top = int(values.argmax())
    if values[-1] > values.max() / factor:
        with pytest.raises(ph.PreheatError, match="never fall to 1/"):
            ph.seesaw(s, TOKENS, batch=batch, most=batch * factor**times, factor=factor)
        return
    plan = ph.seesaw(s, TOKENS, batch=batch, most=batch * factor**times, factor=factor)
    assert isinstance(plan["lr"], type(ph.absolute("hold()")) if is_rates else type(ph.relative("hold()")))
    rates, sizes = plan["lr"].table(1000), plan["batch"].table(1000)
    ratios = [sizes[t] / batch for t in range(1000)]
    assert all(ratio in [factor**k for k in range(times + 1)] for ratio in ratios)
    assert list(sizes) == sorted(sizes)
    level = values.max()
    for t in range(1000):
        apart = rates[t] / math.sqrt(ratios[t])
        assert values[t] * (1 - 1e-9) <= apart
        assert t < top or apart < factor * values[t] * (1 + 1e-9) or ratios[t] == ratios[-1]
        assert t >= top or rates[t] == values[t]
        if ratios[t] == ratios[-1]:
            assert apart == pytest.approx(values[t], rel=1e-9, abs=1e-15)
        elif t >= top:  # the kth change is at the first moment at which the schedule is at most peak · f⁻ᵏ
            k = round(math.log(ratios[t], factor))
            assert level * factor ** -(k + 1) < values[t] * (1 + 1e-9)
            assert rates[t] == pytest.approx(level * factor ** (-k / 2), rel=1e-12)
    refuse_unclear(plan, lambda line: None)
    refuse_impossible(plan)
    assert ph.Plan(plan.to_text()) == plan


def test_where_a_step_decay_halves_the_rate_falls_by_the_root_and_the_batch_doubles() -> None:
    plan = ph.seesaw("step_decay(250, factor=0.5)", TOKENS, batch=3, most=12)
    assert [plan["batch"](t) for t in (0, 249, 250, 499, 500, 749, 750)] == [3, 3, 6, 6, 12, 12, 12]
    root = math.sqrt(0.5)
    assert [plan["lr"](t) for t in (0, 250, 500, 750)] == pytest.approx([1, root, 0.5, 0.25])


def test_lengths_of_billions_of_tokens() -> None:
    run = ph.Run(total="10B tokens", clock="token")
    plan = ph.seesaw(ph.cosine(peak_lr=3e-4, warmup_ratio=0.01), run, batch=256, most=2048)
    assert plan["batch"](5_050_000_000 - 1) == 256  # half of the cosine's 9.9B after 0.1B of warmup
    assert plan["batch"](5_050_000_000) == 512
    assert plan["lr"](5_050_000_000) == 3e-4 / math.sqrt(2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ph.seesaw("decay()", ph.Run(total=100), most=4), "write Run(total='10B tokens', clock='token')"),
        (lambda: ph.seesaw("decay()", None, most=4), "count what they see, not None"),
        (lambda: ph.seesaw("decay(9)", ph.Run(clock="token"), most=4), "needs the end of the run"),
        (lambda: ph.seesaw("decay(to=0.6)", TOKENS, most=4), "the rates never fall to 1/2 of their peak"),
        (lambda: ph.seesaw("restarts(250)", TOKENS, most=4), "rise again after their peak at 0, to"),
        (
            lambda: ph.seesaw("decay()", TOKENS, batch=8, most=15),
            "most=15 leaves no room above 8; write most=16 or more",
        ),
        (lambda: ph.seesaw("decay()", TOKENS, most=4, factor=1), "factor must be a whole number of at least 2, not 1"),
        (lambda: ph.seesaw("hold(0)", TOKENS, most=4), "the rates are 0 everywhere"),
    ],
)
def test_a_seesaw_refuses(call, words: str) -> None:
    with pytest.raises(ph.PreheatError) as caught:
        call()
    assert words in str(caught.value)
