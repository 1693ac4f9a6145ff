"""Every order of building and loading × every change between saving and loading, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from resuming.actions import Action, Build, LoadOptimizer, LoadScheduler, Process, Save, Train
from resuming.curves import Part
from resuming.drawing import scaled
from resuming.scripts import GroupSpec, LineSpec, OptimizerSpec, Script

ORDERS = ["b o1 s1", "b s1 o1", "o1 b s1", "b o1", "b s1", "o1 b", "b t o1 s1", "o1 b t s1", "b s2 o2 t s1 o1"]
POLICIES = ["refuse", "adopt", "keep", "rebase"]
FACTORS = (Part(0.0, 1.0, 4), Part(1.0, 1.0, 6), Part(1.0, 0.1, 20))
PLANS = {
    "same": FACTORS,
    "later": (*FACTORS[:2], Part(1.0, 0.5, 20, "cosine")),
    "earlier": (Part(0.1, 1.0, 8, "cosine"), Part(1.0, 1.0, 2), FACTORS[2]),
}
GROUPS = {
    "one": ((GroupSpec(),),),
    "two": ((GroupSpec(), GroupSpec(lr=0.03)),),
    "named": ((GroupSpec("a", lr=0.03), GroupSpec("b", lr_scale=0.5)),),
    "two optimizers": ((GroupSpec(),), (GroupSpec(lr=0.05), GroupSpec("b"))),
}


class Cell(NamedTuple):
    """One case."""

    order: str
    rate: str  # same; other: the script's; peak: peak= now another
    plan: str  # same, later: values to come differ; earlier: only values before
    kind: str  # of the lines when saved and now: factors, rates
    policy: str
    groups: str
    objects: str  # fresh, or the same as have trained

    def program(self) -> list[Action]:
        old, new = self._scripts()
        several = len(old.optimizers)
        made = [Process(old), Build(old), Train(7), Save("c1", "copy"), Train(2)]
        made += [Train(3), Save("c2", "pickle", "torch")] if "2" in self.order else []
        made += [Process(new)] if self.objects == "fresh" else []
        for token in self.order.split():
            made += {
                "b": [Build(new)],
                "t": [Train(1)],
                "o": [LoadOptimizer(k, f"c{token[1:]}") for k in range(several)],
                "s": [LoadScheduler(f"c{token[1:]}")],
            }[token[0]]
        return [*made, Train(2)]

    def _scripts(self) -> tuple[Script, Script]:
        was, now = self.kind.split(" → ")
        optimizers = tuple(
            OptimizerSpec("SGD" if k else "Momentum", 0.1, 0.01, groups) for k, groups in enumerate(GROUPS[self.groups])
        )
        peaks = self.rate == "peak"
        old = Script(
            optimizers,
            (("lr", _line(FACTORS, was)),),
            40,
            0.3 if peaks and was == "factors" else None,
            None,
            self.policy,
        )
        other = optimizers if self.rate != "other" else tuple(replace(one, lr=0.2) for one in optimizers)
        line = _line(PLANS[self.plan], now)
        return old, Script(other, (("lr", line),), 40, 0.6 if peaks and now == "factors" else None, None, self.policy)


def _line(parts: tuple[Part, ...], kind: str) -> LineSpec:
    return LineSpec(parts) if kind == "factors" else LineSpec(scaled(parts, 0.2), absolute=True)


def cells(policy: str, all_groups: bool = False) -> Iterator[Cell]:
    """All cells of a policy; each with one kind of groups, in turn, or with all of them."""
    kinds = ["factors → factors", "factors → rates", "rates → factors", "rates → rates"]
    changes = product(ORDERS, ["same", "other", "peak"], PLANS, kinds, ["fresh", "same"])
    for number, (order, rate, plan, kind, objects) in enumerate(changes):
        if objects == "fresh" or rate != "other":  # the same objects have the rates that they had
            for groups in GROUPS if all_groups else [list(GROUPS)[(number // 2 + number // 7) % len(GROUPS)]]:
                yield Cell(order, rate, plan, kind, policy, groups, objects)
