"""The default comparison: does a deep post-norm transformer need warmup, and does its pre-norm control?

Two lengths of warmup: a twentieth of the run, as people use it, and half of the run, with which the rate has the same mean
as without warmup.
"""

from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.tasks import BytesOptions

STEPS = 400
SEEDS = (0, 1, 2)
NONE = Arm("none", "decay()")
SHORT = Arm("linear 5 %", 'warmup("5%") >> decay()')
HALF = Arm("linear 50 %", 'warmup("50%") >> decay()')


def demo_experiment() -> Experiment:
    """What `make demo` runs: every arm with the same peak, the same data and the same initial weights per seed."""
    arms = (NONE, SHORT, HALF)
    post, pre = BytesOptions(norm="post"), BytesOptions(norm="pre")
    return Experiment(
        "Warmup: none, the usual 5 % of the run, or half of it?",
        (
            Study("post-norm transformer", "bytes", post, arms, SEEDS, STEPS),
            Study("pre-norm control", "bytes", pre, arms, SEEDS, STEPS),
        ),
        command=("preheat", "compare", "demo", "--out", "runs/demo"),
    )
