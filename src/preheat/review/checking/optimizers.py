"""What a check finds where the optimizer is known: a second warmup, the peak, the length of the warmup, weight decay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.findings import Finding
from preheat.core.plan import Plan
from preheat.recipes.published import presets
from preheat.review.checking.facts import Facts
from preheat.review.checking.look import Look, folded

_SHORT, _MUCH = 4, 5  # times shorter than the rule, on a run that is so many times as long as it
_SIZES, _FAR = 4.0, 3.0  # how much another size may differ, and how far beyond the published peaks
_OWN = {
    "radam": "RAdam warms up by itself (its variance rectification)"
}  # whatever its arguments; others are asked for it
_ADAMS = ("adam", "adamw", "nadam", "adamax", "adamwscheduled", "fusedadam", "cpuadam", "lamb", "adamw8bit")


_KNOWN = (
    *_ADAMS,
    *("sgd", "muon", "radam", "adafactor", "adagrad", "adadelta", "rmsprop", "rprop", "asgd", "lbfgs", "sparseadam", "lion"),
    *("sophia", "shampoo", "soap", "lars", "adopt", "adan", "adabelief", "adabound", "prodigy", "dadaptadam", "galoreadamw"),
    *("adamwschedulefree", "radamschedulefree", "sgdschedulefree", "came", "stableadamw", "ademamix", "adam8bit", "lion8bit"),
    *("adamwtorchfused", "pagedadamw", "pagedadamw8bit", "apollo", "apolloadamw", "grokadamw", "lomo", "adalomo", "adamwapex"),
)  # fmt: skip


def known_optimizer(name: str | None) -> None:
    """Refuse the name of an optimizer that nothing is known of, so that a slip does not pass for a check."""
    if name is not None and _key(name) not in _KNOWN:
        near = nearest(_key(name), _KNOWN).partition("; known")[0]
        raise PreheatError(
            f"no optimizer {shown(name)} is known here{near}", write="leave it out if it has another name"
        )


class Published(NamedTuple):
    """A preset's optimizer and size, which its peak belongs to."""

    preset: str
    optimizer: str
    parameters: float


PUBLISHED = (
    Published("nanogpt", "adam", 124e6),
    Published("bert_base", "adam", 110e6),
    Published("roberta_base", "adam", 125e6),
    Published("smollm1_135m", "adam", 135e6),
    Published("smollm2_135m", "adam", 135e6),
    Published("pythia_1.4b", "adam", 1.4e9),
    Published("whisper_large", "adam", 1.55e9),
    Published("smollm2_1.7b", "adam", 1.7e9),
    Published("smollm3_3b", "adam", 3e9),
    Published("llama2_7b", "adam", 7e9),
    Published("olmo2_7b", "adam", 7e9),
    Published("olmo3_7b", "adam", 7e9),
    Published("olmo2_32b", "adam", 32e9),
    Published("olmo3_32b", "adam", 32e9),
    Published("gpt3", "adam", 175e9),
    Published("opt_175b", "adam", 175e9),
    Published("bloom_176b", "adam", 176e9),
    Published("llama3_405b", "adam", 405e9),
    Published("goyal_resnet50", "sgd", 25.6e6),
    Published("vit_imagenet", "adam", 86e6),
    Published("swin", "adam", 88e6),
    Published("convnext", "adam", 89e6),
    Published("moonlight_16b", "muon", 16e9),
    Published("kimi_k2", "muon", 1e12),
)
"""Pre-training runs of dense and sparse models whose optimizer and size are published; peaks and sources are the presets'."""


def optimizing(look: Look, facts: Facts, peak: float | None) -> Iterator[Finding]:
    """Findings of a line of rates under the optimizer.   peak: the rate at the peak, None where it is not known."""
    name = _key(facts.optimizer)
    if look.warmup:
        own = next((what for key, what in _OWN.items() if key in name), None)
        for what in (*facts.warmups, *([own] if own and not facts.warmups else [])):
            yield Finding(
                "double-warmup",
                "the optimizer",
                f"{what}, and so does the plan, over {look.warmup:,g} {look.word}s",
                _ONE,
            )
    if facts.beta2 is not None and "radam" not in name and (not name or name in _ADAMS):
        yield from _untuned(look, facts.beta2)
    if peak is not None and name and facts.parameters:
        yield from _peak_range(peak, name, facts.parameters)


_ONE = "leave one of the two out"


def _key(name: str | None) -> str:
    return (name or "").lower().replace("_", "").replace("-", "")


def _untuned(look: Look, beta2: float) -> Iterator[Finding]:
    """Ma and Yarats: a linear warmup over 2/(1 − β₂) updates does what RAdam does."""
    rule = 2 / (1 - beta2)
    if look.word != "update" or not look.warmup or look.warmup * _SHORT >= rule or look.n < _MUCH * rule:
        return
    what = f"the warmup has {look.warmup:,g} updates, and the untuned rule is 2/(1 − {beta2:g}) = {rule:,.6g}"
    what += " (Ma and Yarats 2019, arXiv:1910.04209)"
    write = f"write warmup({round(rule)}), or a smaller β₂"
    yield Finding("short-warmup", "the warmup", what, write)


def _peak_range(peak: float, name: str, parameters: float) -> Iterator[Finding]:
    family = "adam" if name in _ADAMS else name
    like = [one for one in PUBLISHED if one.optimizer == family and 1 / _SIZES <= one.parameters / parameters <= _SIZES]
    rates = [(preset.peak_lr, preset) for one in like if (preset := presets[one.preset]).peak_lr is not None]
    if len(rates) < 2:  # one run, with its batch, is no range
        return
    (low, lowest), (high, highest) = (chosen(rates, key=lambda one: one[0]) for chosen in (min, max))  # type: ignore[arg-type]
    if low / _FAR <= peak <= high * _FAR:
        return
    near = highest if peak > high else lowest
    way, times = ("above", peak / high) if peak > high else ("below", low / peak)
    what = (
        f"the peak of {peak:g} is {folded(times)} times {way} what is published for {family} at about {parameters:.2g} "
    )
    what += f"parameters: {low:g} to {high:g}, as in {near.model} ({near.source})"
    yield Finding("peak-range", "the peak", what, "ignore it for fine-tuning, or another parametrisation such as muP")


def decayed(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """Weight decay where none was."""
    for line in plan.lines:
        named = line.group is not None and any(_is_of(group, line.group) for group in facts.without_decay)
        if line.hyper == "weight_decay" and named and line.is_absolute:
            highest = max(abs(line.schedule(0)), abs(line.schedule(line.schedule.length)))
            if highest:
                what = f"the group {line.group!r} is one without weight decay, and the plan gives it up to {highest:g}"
                yield Finding("decayed-group", line.key, what, f"leave the line {line.key!r} out")


def _is_of(group: str, named: str) -> bool:
    return group == named or group.startswith(f"{named}/")
