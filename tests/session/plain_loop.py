"""A training loop in plain Python, with no framework: gradient descent on (w − 3)², its rate from a Session alone.

Run as a program it trains, saves, and resumes under every policy, and prints which frameworks were imported.
"""

import json
import sys
from typing import Any

import preheat as ph
from preheat.session import Session

PLAN = ph.warmup(4, start=0.25) >> ph.hold() >> ph.decay(4, to=0.1)
RUN = ph.Run(total=20)
PEAK = 0.3


class Training:
    """One parameter, and what a checkpoint of it holds."""

    def __init__(self, plan: Any = PLAN, run: ph.Run | None = RUN, **options: Any) -> None:
        self.session, self.weight, self.rates = Session(plan, run, **options), 0.0, list[float]()

    def train(self, updates: int, **advance: float) -> "Training":
        for _ in range(updates):
            rate = PEAK * self.session.values()["lr"]
            self.rates.append(rate)
            self.weight -= rate * 2 * (self.weight - 3.0)
            if self.session.rules:
                self.session.observe({"loss": (self.weight - 3.0) ** 2})
            self.session.advance(**advance)
        return self

    def save(self) -> str:
        return json.dumps({"weight": self.weight, "session": self.session.state_dict()})

    def load(self, checkpoint: str) -> "Training":
        saved = json.loads(checkpoint)
        self.session.load_state_dict(saved["session"])
        self.weight = saved["weight"]
        return self


def main() -> None:
    checkpoint = Training().train(10).save()
    longer = ph.warmup(4, start=0.25) >> ph.hold() >> ph.decay(8, to=0.1)
    for policy in ("adopt", "keep", "rebase"):
        Training(longer, on_change=policy).load(checkpoint).train(10)
    cooled = Training().load(checkpoint)
    cooled.session.cooldown(5)
    cooled.train(5)
    print(*sorted({"torch", "jax", "keras", "tensorflow", "transformers", "flax"} & set(sys.modules)))


if __name__ == "__main__":
    main()
