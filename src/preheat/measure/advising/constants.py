"""The constants of the advisor, each with its evidence: the one place where they stand.

The probability that a training needs warmup is logistic: p = 1/(1 + exp(−(intercept + Σ weight · feature))). What each
feature means stands in `deciding.features`; one that was not measured counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from preheat.measure.advising.facts import Family


@dataclass(frozen=True, slots=True)
class Logistic:
    """An intercept, the weights of the features by name, and what they were set on."""

    intercept: float
    weights: Mapping[str, float]
    evidence: str


@dataclass(frozen=True, slots=True)
class Constants:
    """Of a family of optimizers.

    c: a rate up to c × the critical rate is taken to be safe without warmup.
    rule: without a trial.
    absolute: the peak above which the absolute-rate rule wants warmup, whatever the model is.
    """

    c: float
    rule: Logistic
    absolute: float
    evidence: str = ""
    caveat: str = field(default="", compare=False)


TRIAL = Logistic(
    -1.59,
    MappingProxyType({"trial_z": 0.452}),
    "fitted on 22 small trainings with SGD and Adam. On 22 others, of kinds that it had not seen, 74 % of its answers were "
    "right, not the 85 % that was asked for, where a fixed rate had 65 %; of those called sure to need none 1 in 5 did",
)
"""With a trial that tells, whatever the optimizer is: only how far the best warmup ends below none, in units of its noise.
Critical rates beside it gained less on trainings that were left out than their weights, of either sign, would put at risk."""

CONSTANTS: Mapping[Family, Constants] = MappingProxyType(
    {
        "sgd": Constants(
            c=1.0,
            rule=Logistic(
                -1.44,
                MappingProxyType({"margin": 0.275}),
                "fitted on 28 peaks, 79 % right on a training left out, as is that none needs warmup: it tells low peaks only",
            ),
            absolute=0.34,
            evidence="momentum 0.9 on five digits MLPs: the largest trainable rate is 0.5 to 1 × the critical rate",
        ),
        "adaptive": Constants(
            c=4.0,
            rule=Logistic(
                -0.016,
                MappingProxyType({"margin": 0.155}),
                "fitted on 123 peaks, 67 % right on a training left out, where 64 % need none: it hardly tells",
            ),
            absolute=0.017,
            evidence="Adam on four digits MLPs: the largest trainable rate is 2 to 4 × the critical rate",
            caveat="for Adam the critical rate at the start did not tell better than a fixed rate within one family of models",
        ),
    }
)

CLIP = 8.0  # a feature beyond this says no more
SURE = 0.75  # below this probability of either answer the verdict is "not known"
SURE_ANY = 0.8  # SURE, for an optimizer of no family that was calibrated
FALLS, RISES = 2.0, 0.5  # the critical rate's change along low-rate updates that is called falling or rising sharpness
SMALL = 0.005  # a difference in final loss, as a share of what the loss fell by, that does not matter
STUCK = 0.1  # a run at the peak whose loss falls by so much less than that of low-rate updates, as a share, is stuck
SURELY = (
    2.0  # where it is so many standard deviations between batches further off: what low-rate updates reach is noisy
)
IGNORES = (
    0.01  # a loss that rises by less, as a share of its fall, when targets are exchanged does not depend on the input
)
LOUD = 0.1  # noise of the trial, as a share of what the loss fell by, above which no difference shows nothing
UPDATE = 0.01  # a relative update per step above this is large (Kosson et al. 2024, arXiv:2410.23922)
FIRST = 3.0  # a first update so many times the later ones points to Adam's second moment
SEVERAL = 2.0  # a batch so many times the noise scale is beyond it
STEEP = 30.0  # a peak so many times the start is reached in equal ratios
SHARE_PER_OCTAVE = (0.03, 0.17, 0.5)  # of the run, where the peak is 2, 4, 8 × safe: digits MLPs of 300 updates
