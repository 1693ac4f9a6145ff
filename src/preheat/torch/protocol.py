"""What others read off a scheduler, and what torch and the frameworks on top of it call besides `step()`."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.plan import Plan
from preheat.session.session import Session
from preheat.torch.groups import Slots


class TorchProtocol(LRScheduler):
    """The part of LRScheduler that others reach for: abstract, and free of any decision about schedules."""

    session: Session
    optimizers: tuple[Optimizer, ...]
    _slots: Slots
    _tick: int | None
    _lead: int  # of _step_count over last_epoch, while nobody else moves one of them

    def get_last_lr(self) -> list[float | Tensor]:
        """The rate of every group for the coming update, as this scheduler wrote it."""
        values = self._values
        rates = {id(slot.group): slot.gain * values[slot.line.key] for slot in self._slots.slots if slot.key == "lr"}
        return [rates.get(id(group), float(group["lr"])) for group in self._slots.groups]

    def values(self) -> dict[str, float]:
        """Everything scheduled, for a logger: `{"head/lr": 0.1, "body/lr": 0.01}`; of a lone group, `{"lr": 0.1}`."""
        values = self._values
        lone = len(self._slots.groups) == 1
        own = {line.key: values[line.key] for line in self._slots.outside}
        return own | {
            slot.line.hyper if lone else f"{slot.name}/{slot.line.hyper}": slot.gain * values[slot.line.key]
            for slot in self._slots.slots
        }

    def value(self, name: str) -> float:
        """One of `values()`: a quantity of your own such as "clip_norm", or "head/lr". Raises PreheatError if unknown."""
        values = self.values()
        if name not in values:
            raise PreheatError(f"the plan has no {shown(name)}{nearest(str(name), values)}")
        return values[name]

    @property
    def position(self) -> float:
        """Where on the run's clock the coming update is, in ticks."""
        self._read_clock()
        return self.session.position

    @property
    def _values(self) -> dict[str, float]:
        self._read_clock()
        if self._slots.came_or_went():  # before their first update, if someone asks
            self._write_now()
        return {line.key: self.session.value(line) for line in self.plan.lines}

    @property
    def plan(self) -> Plan:
        """The bound plan that is followed."""
        return self.session.plan

    def _read_clock(self) -> None:
        raise NotImplementedError

    def _take(self, slots: Slots) -> None:
        raise NotImplementedError

    def _write_now(self) -> None:
        raise NotImplementedError

    @property
    def base_lrs(self) -> list[float | Tensor]:  # pyrefly: ignore[bad-override]
        """What a factor of the rate multiplies, of every group."""
        bases = {id(slot.group): slot.base for slot in self._slots.slots if slot.key == "lr"}
        return [bases.get(id(group), float(group["lr"])) for group in self._slots.groups]

    def get_lr(self) -> list[float | Tensor]:
        """The rates at `last_epoch`, which some followers set before they ask."""
        if self._step_count - self.last_epoch != self._lead and self._tick and not self.session.rules:
            self.session.position = self.last_epoch * self._tick
            self._lead = self._step_count - self.last_epoch
        return self.get_last_lr()

    _get_closed_form_lr = get_lr

    @property
    def _last_lr(self) -> list[float | Tensor]:  # pyrefly: ignore[bad-override]
        return self.get_last_lr()

    def _initial_step(self) -> None:
        if self.last_epoch == -1 and self._step_count:
            self._start_over()
        self._step_count = 1
        self.last_epoch += 1
        self._lead = self._step_count - self.last_epoch
        self._write_now()

    def _update_lr(self, epoch: int | None = None) -> None:
        if self.last_epoch == -1:
            self._start_over()
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._lead = self._step_count - self.last_epoch
        self.session.position = self.last_epoch * (self._tick or 1)
        self._write_now()

    def _start_over(self) -> None:
        """SequentialLR has undone our first step and put every rate back to its initial_lr: that is the base then."""
        for slot in self._slots.slots:
            if slot.key == "lr":
                slot.base = float(slot.group.get("initial_lr", slot.base))
        self._take(self._slots)
