"""The default comparison: a deep post-norm transformer needs warmup, and its pre-norm control does not."""

from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.tasks import BytesOptions

STEPS = 400
SEEDS = (0, 1, 2)
NONE = Arm("none", "decay()")
LINEAR = Arm("linear", 'warmup("50%") >> decay()')
EXPONENTIAL = Arm("exponential", 'warmup("50%", start=0.01, shape="exponential") >> decay()')


def demo_experiment() -> Experiment:
    """What `make demo` runs: every arm with the same peak, the same data and the same initial weights per seed."""
    post, pre = BytesOptions(norm="post"), BytesOptions(norm="pre")
    return Experiment(
        "Does this transformer need warmup?",
        (
            Study("post-norm transformer", "bytes", post, (NONE, LINEAR, EXPONENTIAL), SEEDS, STEPS),
            Study("pre-norm control", "bytes", pre, (NONE, LINEAR), SEEDS, STEPS),
        ),
        command=("preheat", "compare", "demo", "--out", "runs/demo"),
    )
