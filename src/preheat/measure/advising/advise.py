"""`preheat.measure.advise`: measure, then decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from torch import nn
from torch.optim import Optimizer

from preheat.core.checks import counted, positive_number
from preheat.measure.advising.advice import Advice
from preheat.measure.advising.deciding import critical
from preheat.measure.advising.facts import Facts
from preheat.measure.advising.measuring import Measuring, given_peak, kept_training, old_batches
from preheat.measure.advising.trial import tried
from preheat.measure.training import Loss, Training

SHORTEST, LONGEST = 200, 400  # updates of a short run, but at most half of the run
_FEWEST_STEPS = 20  # of a run, and of a short one that is asked for: below, there is no room for any warmup


def advise(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Loss,
    batches: Iterable[Any],
    *,
    steps: int,
    peak: float | None = None,
    trial: int | None = None,
    held_out: Iterable[Any] | None = None,
    keep: tuple[Loss, Iterable[Any]] | None = None,
    micro_batches: int = 1,
    scaler: Any = None,
    progress: Callable[[str], None] | None = None,
) -> Advice:
    """Whether this training needs warmup at this peak, how long, and from which rate.

    loss: called as `loss(batch)`, gives the mean loss of a batch as a tensor of one number.
    batches: an iterable; what is drawn from a generator is gone.
    steps: updates of the whole run.   peak: of the largest group; by default the largest rate that the optimizer was given.
    trial: updates of each of the six short runs; by default a fiftieth of the run, from 200 to 400 and at most half of it; from
    20 to the run's where it is given; 0 leaves them out, and then the verdict rests on the critical rate alone.
    held_out: batches that are never trained on, which the short runs are judged by; at most eight. Without them the first
    eight of `batches`, at most half of them, are set aside and left out where a list comes round; a DataLoader that shuffles
    comes round with them among the others, and then that is said.
    keep: for fine-tuning, (old_loss, old_batches) of what the model knows already: what an update at the peak makes it forget.
    micro_batches: batches that are accumulated for one update.   progress: called with what is being measured, as text.

    Everything is put back as it was, also where it raises or is interrupted. It costs some hundred updates, and six times
    `trial`, and a range test of 100; `Advice.cost` counts them.
    Raises PreheatError for what cannot be measured: a loss that is not finite, too few batches, an optimizer without a rate.
    """
    steps = counted(steps, f"steps is how many updates the run has, at least {_FEWEST_STEPS}", _FEWEST_STEPS)
    micro_batches = counted(micro_batches, "micro_batches is a whole number of at least 1", 1)
    updates = min(steps // 2, max(SHORTEST, min(LONGEST, steps // 50))) if trial is None else _trial(trial, steps)
    training = Training(model, optimizer, loss, batches, scaler, held_out)
    rate = given_peak(training.optimizer) if peak is None else positive_number(peak, "the peak")
    kept = None if keep is None else kept_training(training, keep)
    with training.undrawn(), (kept or training).undrawn():
        old = [] if kept is None else old_batches(kept)
        measuring = Measuring(training, micro_batches, progress or (lambda text: None))
        measuring.expect(_low_rate_updates(steps) + 1 + updates + (kept is not None))
        facts = _with_low_rate(measuring, measuring.start(steps, rate))
        if updates:
            found, done, forwards = tried(training, facts, measuring.updates(updates), measuring.aside, measuring.said)
            measuring.spend(done, forwards)
            facts = replace(facts, trial=found)
        if kept is not None:
            facts = replace(facts, forgotten=measuring.forgotten(kept, old, facts.peak))
        if updates:
            facts = replace(facts, valley=measuring.valley())
        return Advice(replace(facts, cost=measuring.cost, mixed=measuring.mixed))


def _trial(given: int, steps: int) -> int:
    """Updates of a trial: 0, or enough that a tenth of them is some, and at most the run's."""
    what = f"trial is how many updates each short run has: 0 for none, or from {_FEWEST_STEPS} to the run's {steps}"
    return 0 if counted(given, what, most=steps) == 0 else counted(given, what, _FEWEST_STEPS, steps)


def _with_low_rate(measuring: Measuring, facts: Facts) -> Facts:
    """What the low-rate updates show: clamp(T/100, 50, 200) of them at min(η_c/8, peak/30)."""
    number, known = _low_rate_updates(facts.steps), critical(facts)
    rate = facts.peak / 30 if known is None else min(known / 8, facts.peak / 30)
    looks, rounded = measuring.low_rate(number, rate, known)
    return replace(facts, looks=looks, low_rate=rate, rounded=rounded, again=measuring.came_round)


def _low_rate_updates(steps: int) -> int:
    return max(50, min(200, steps // 100))
