"""What a training script says: its optimizers and their groups, its plan, its options; as data and as the code that says it."""

from __future__ import annotations

from dataclasses import dataclass

from resuming.curves import Part


@dataclass(frozen=True)
class GroupSpec:
    """One parameter group. What is None is not written and comes from the optimizer's defaults."""

    name: str | None = None
    lr: float | None = None
    weight_decay: float | None = None
    lr_scale: float | None = None

    def code(self, tensor: str | None) -> str:
        given = [
            f"{key}={number(value, tensor if key == 'lr' else None)}"
            for key, value in vars(self).items()
            if value is not None
        ]
        return f"dict({', '.join(['params=[weight()]', *given])})"


@dataclass(frozen=True)
class OptimizerSpec:
    """SGD, Momentum, AdamW, Adagrad or Averaged, which holds state when built, as Adagrad does, and does not count."""

    kind: str
    lr: float
    weight_decay: float
    groups: tuple[GroupSpec, ...]
    tensor: str | None = None  # the dtype of rates that are tensors

    KINDS = {  # noqa: RUF012
        "SGD": "torch.optim.SGD",
        "Momentum": "torch.optim.SGD",
        "AdamW": "torch.optim.AdamW",
        "Adagrad": "torch.optim.Adagrad",
        "Averaged": "Averaged",
    }

    def code(self) -> str:
        more = ", momentum=0.9" if self.kind == "Momentum" else ""
        groups = ", ".join(group.code(self.tensor) for group in self.groups)
        rate = number(self.lr, self.tensor)
        return f"watch({self.KINDS[self.kind]}([{groups}], lr={rate}, weight_decay={self.weight_decay!r}{more}))"


def number(value: object, tensor: str | None) -> str:
    return repr(value) if tensor is None else f"torch.tensor({value!r}, dtype=torch.{tensor})"


@dataclass(frozen=True)
class LineSpec:
    """A line of a plan: factors, or rates where it is absolute."""

    parts: tuple[Part, ...]
    absolute: bool = False
    scale: float = 1.0  # of factors, on a line that names a group

    def code(self) -> str:
        parts = " >> ".join(part.code() for part in self.parts)
        if self.absolute:
            return f"ph.absolute({parts})"
        return parts if self.scale == 1 else f"({parts}).scaled({self.scale!r})"


@dataclass(frozen=True)
class Script:
    """A training script."""

    optimizers: tuple[OptimizerSpec, ...]
    lines: tuple[tuple[str, LineSpec], ...]
    total: int
    peak: float | None = None
    base: str | None = None
    policy: str = "refuse"
    on_device: bool = False

    def code(self) -> str:
        several = [f"o{k}" for k in range(len(self.optimizers))]
        optimizers = several[0] if len(several) == 1 else f"[{', '.join(several)}]"
        lines = ", ".join(f"{key!r}: {line.code()}" for key, line in self.lines)
        options = {"peak": self.peak, "base": self.base, "on_change": None if self.policy == "refuse" else self.policy}
        options["on_device"] = self.on_device or None
        more = "".join(f", {key}={value!r}" for key, value in options.items() if value is not None)
        return f"Scheduler({optimizers}, ph.Plan({{{lines}}}), run=ph.Run(total={self.total}){more})"

    @property
    def groups(self) -> list[tuple[int, int, GroupSpec]]:
        return [(k, i, group) for k, one in enumerate(self.optimizers) for i, group in enumerate(one.groups)]

    def own(self, k: int, i: int, hyper: str) -> float | None:
        """What the script gives to a group; None if it has no such hyper-parameter."""
        one = self.optimizers[k]
        if hyper == "momentum":
            return 0.9 if one.kind == "Momentum" else 0.0 if one.kind == "SGD" else None
        value = getattr(one.groups[i], hyper)
        return getattr(one, hyper) if value is None else value
