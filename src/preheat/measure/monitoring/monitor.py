"""A monitor: what each update does to each layer, told now and then, and an alarm where it wants attention."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from preheat.core.checks import counted, measured
from preheat.core.errors import PreheatError, PreheatWarning, on_one_line
from preheat.core.extras import needed
from preheat.measure.monitoring.alarms import STAGE, Alarms, Event
from preheat.measure.monitoring.history import FORMAT, VERSION, Reader, Writer, strict
from preheat.measure.monitoring.layers import Layers, Shot, layer_moves, told
from preheat.measure.monitoring.transfer import Read, Waiting, alignment
from preheat.torch.update_counter import own_count
from preheat.torch.wrapped import watched

with needed("preheat.measure", "torch"):
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

EVERY = 50
"""Updates from one record to the next."""

DOUBLED = 10_000
"""Records of a file after which it gets only every second one: a record has at most about 1 kB, so a file stays below
10 MB · log₂(updates / 250,000)."""

_QUEUED = 4096  # losses that wait for their update


class Monitor:
    """Watches a model being trained, and changes nothing of it.

        with Monitor(model, optimizer, "runs/monitor.jsonl") as monitor:
            for batch in batches:
                loss = …
                monitor.loss(loss)
                loss.backward()
                monitor.gradient(clip_grad_norm_(model.parameters(), 1.0))
                optimizer.step()

    At update 0 and every `every` updates it records, for each layer (a module that owns parameters), the relative update
    ‖Δw‖/‖w‖ and the angular one ∠(w, w + Δw); the gradient norm; how far the update is along the gradient; the growth of the
    output head's norm; and the rate. Alarms are `events`, each kind is warned of once, and `preheat watch FILE` shows them.

    optimizer: one, or a sequence of those that step in turns; the first one's steps are counted.   file: JSON lines, appended
    to, None to keep events only.   every: ≥ 1.   head: the name of the output head, by default the last Linear.
    named: layers that are in every record.   update: the number of the coming update, by default what the optimizer itself
    has counted, so build the monitor after loading.   plan: the schedule, for the file's first line.   limits: other values
    for those in preheat.measure.monitoring.alarms.LIMITS.   log: told every alarm, as log(7, **{"monitor/loss spike": 1}):
    with preheat.log, or the log of a training function, the report of preheat compare lists them.

    In the step of a record it holds a copy of the weights. Gradients are those that step() gets, after clipping, unless
    `gradient` is told the norm before. Steps that a GradScaler skips are not counted. On a GPU nothing waits: numbers come one
    update or more later. Steps captured in a CUDA graph are not seen, nor is anything on other ranks than 0. Where it fails
    while training, by a full disk or a tensor of an unknown kind, it says so once, as a PreheatWarning, and watches no more.

    Raises PreheatError for sharded parameters, an optimizer of none of the model's parameters or without a working step
    hook, unknown layers or limits, a file of another model or kind, and a file that goes on where no one says at which update.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer | Sequence[Optimizer],
        file: str | Path | None = None,
        *,
        every: int = EVERY,
        head: str | None = None,
        named: Sequence[str] = (),
        update: int | None = None,
        plan: object = None,
        limits: Mapping[str, float] | None = None,
        log: Callable[..., None] | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise PreheatError("model is a torch.nn.Module", given=model)
        self._layers, self._alarms = Layers(model, named, head), Alarms(limits or {})
        self._every = counted(every, "every is a whole number of updates of at least 1", 1)
        self._optimizers = _innermost(optimizer)
        self._unseen = _unseen(model, self._optimizers, self._layers)
        self.events: list[Event] = []
        self.is_active = _rank() == 0
        self._writer: Writer | None = None
        self._handles: list[Any] = []
        self._shots: dict[int, Shot] = {}
        self._losses: deque[tuple[int, Any]] = deque(maxlen=_QUEUED)
        self._norms: deque[tuple[int, Any]] = deque(maxlen=_QUEUED)
        self._found: list[tuple[int, Any]] = []  # what fused optimizers say of steps that they skip inside
        self._waiting: Waiting | None = None
        self._skipped = self._records = 0
        self._is_quiet, self._log = False, log
        self._is_due, self._told = False, set[str]()
        self._head = self._layers.head_norm() if self._layers.head is not None else None
        self._open(model, None if file is None else Path(file), update, plan)

    def _open(self, model: nn.Module, path: Path | None, update: int | None, plan: object) -> None:
        """Find out where the run stands, begin or go on with the file, and attach the hooks."""
        own = own_count(self._optimizers)  # by the optimizers' own words
        if update is not None:
            own = counted(update, "update is the number of the coming update", 0)
        if self.is_active and path is not None:
            reader = Reader(path)
            reader.more()
            first = reader.history.first
            if first is not None:
                own = self._goes_on(reader, first, own)
            self._writer = Writer(path)
        self.update = own or 0
        """The number of the coming update."""
        if not self.is_active:
            return
        self._write(self._header(model, plan))
        for optimizer in self._optimizers:
            self._handles += [
                optimizer.register_step_pre_hook(self._guarded(self._before)),
                optimizer.register_step_post_hook(self._guarded(self._after)),
            ]

    def _guarded(self, hook: Callable[..., None]) -> Callable[..., None]:
        """The hook, whose failure ends the watching and not the training: what it raised would leave out the update."""

        def guarded(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
            if self._is_quiet or torch.compiler.is_compiling() or _is_capturing():
                return
            try:
                hook(optimizer, args, kwargs)
            except PreheatWarning:  # whoever makes errors of warnings wants to be stopped
                raise
            except Exception as error:
                self._fall_quiet(error)

        return guarded

    def _fall_quiet(self, error: Exception) -> None:
        """Say why, and watch no more. Hooks stay until the end: an optimizer that calls them allows no change of them."""
        self._is_quiet, self._waiting, self._shots = True, None, {}
        why = on_one_line(f"{type(error).__name__}: {error}")[:200]
        with suppress(PreheatError):
            self._write({"type": "end", "update": self.update - self._skipped, "reason": f"the monitor failed: {why}"})
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        what = f"the monitor failed at update {self.update - self._skipped} and watches no more; training goes on"
        warnings.warn(f"{what} ({why})", PreheatWarning, stacklevel=4)

    def _goes_on(self, reader: Reader, first: dict[str, Any], own: int | None) -> int | None:
        """At which update a file is gone on with; the head's growth is from where it began."""
        history = reader.history
        if first.get("names") != self._layers.names:
            raise PreheatError(f"{reader.path} is of a model with other layers", write="give another file")
        if own is None and history.records:
            raise PreheatError(
                f"{reader.path} has records up to update {history.update}, and the optimizer does not say where the run stands",
                write="write update=, the number of the coming update, such as scheduler.position",
            )
        head, self._records = first.get("head") or {}, len(history.records)
        if self._layers.head is not None and head.get("name") == self._layers.names[self._layers.head]:
            self._head = head["norm"]
            self._alarms.heads = [(one["update"], one["head"]) for one in history.records if one.get("head")]
        return own

    def _header(self, model: nn.Module, plan: object) -> dict[str, Any]:
        layers = self._layers
        return {
            "type": "header",
            "format": FORMAT,
            "version": VERSION,
            "update": self.update,
            "model": type(getattr(model, "_orig_mod", model)).__name__,
            "layers": len(layers.names),
            "names": layers.names,
            "optimizers": [type(one).__name__ for one in self._optimizers],
            "not_in_the_optimizer": self._unseen,
            "head": None if layers.head is None else {"name": layers.names[layers.head], "norm": self._head},
            "every": self._every,
            "plan": None if plan is None else str(plan),
        }

    # -- what is told ------------------------------------------------------------------------------------------------

    def loss(self, value: float | Tensor) -> None:
        """The loss of the coming update, before its step; of several, as when accumulating, the mean counts."""
        self._queue(self._losses, "loss", value)

    def gradient(self, norm: float | Tensor) -> None:
        """The gradient norm of the coming update, as `clip_grad_norm_` gives it, before clipping."""
        if not isinstance(norm, Tensor) and measured("gradient norm", norm) < 0:
            raise PreheatError("a gradient norm is not below 0", given=norm, write="give what clip_grad_norm_ gives")
        self._queue(self._norms, "gradient norm", norm)

    def _queue(self, queue: deque[tuple[int, Any]], name: str, value: float | Tensor) -> None:
        if not self._handles or self._is_quiet:
            return
        if (
            isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex()
        ):  # reading it would wait for the device
            kind = torch.float64 if value.dtype == torch.float64 else torch.float32
            queue.append((self.update, value.detach().reshape(()).to(kind, copy=True)))
        else:
            queue.append((self.update, measured(name, value)))

    # -- around a step -----------------------------------------------------------------------------------------------

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer is self._optimizers[0]:
            self._send()  # of several optimizers one may have left out its step
            if self._waiting is not None and self._waiting.is_there:
                self._tell()
            self._is_due = self.update % (self._every << (self._records // DOUBLED)) == 0
        if self._is_due:
            shot = self._shots[id(optimizer)] = Shot(optimizer, self._layers)
            shot.before(
                with_gradient=not any(map(callable, (*args[1:], *kwargs.values())))
            )  # a closure makes it only now

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found = getattr(optimizer, "found_inf", None)
        if isinstance(found, Tensor):
            self._found.append((self.update, found.detach().reshape(()).float()))
        shot = self._shots.get(id(optimizer))
        if shot is not None and not shot.numbers:
            shot.after()
        if optimizer is self._optimizers[0]:
            self.update += 1
        if len(self._shots) == len(self._optimizers):
            self._send()

    def _send(self, is_last: bool = False) -> None:
        """Bring over the numbers of the round that is complete, and what was queued so far."""
        shots = [one for one in self._shots.values() if one.numbers]
        self._shots, self._is_due = {}, False
        if not shots and not is_last:
            return
        if self._waiting is not None:
            self._tell()
        self._waiting = Waiting(self.update - 1, shots, list(self._losses), list(self._norms), self._found)
        self._losses.clear()
        self._norms.clear()
        self._found = []
        if self._waiting.is_there:
            self._tell()

    # -- what is written ---------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Write what waits, and the events."""
        assert self._waiting is not None
        waiting, self._waiting = self._waiting, None
        read = waiting.read()

        def number(step: int) -> int:
            return step - self._skipped - sum(one < step for one in read.skipped)

        events = [event for at, loss in read.losses.items() for event in self._alarms.loss(number(at), loss)]
        events += [event for at, norm in read.norms.items() for event in self._alarms.gradient(number(at), norm)]
        if waiting.is_record and waiting.step not in read.skipped:
            record = strict(self._record(number(waiting.step), read, read.norms.get(waiting.step)))
            events += self._alarms.record(record)
            self._write({"type": "record", **record})
            self._records += 1
        self._skipped += len(read.skipped)
        self._write(*({"type": "event", **event._asdict()} for event in events))
        self.events += events
        if self._log is not None:
            for event in sorted(events, key=lambda one: one.update):  # a lower step would mean that training went back
                self._log(event.update, **{f"{STAGE}/{event.kind}": 1.0})
        for event in events:
            if event.kind not in self._told:
                self._told.add(event.kind)
                text = on_one_line(
                    f"update {event.update}: {event.what}; {event.write}"
                )  # a layer may be called anything
                warnings.warn(text, PreheatWarning, stacklevel=2)

    def _record(self, update: int, read: Read, norm: float | None) -> dict[str, Any]:
        """One record; `norm` is the gradient's before clipping."""
        losses, rates = list(read.losses.values()), [rate for rate in read.rates if math.isfinite(rate)]
        head = [one.after for one, place in zip(read.moves, read.places, strict=True) if place == self._layers.head]
        weights = math.hypot(*(one.after for one in read.moves))
        lost = [] if math.isfinite(weights) else ["the norm of the weights"]
        return {
            "update": update,
            "loss": sum(losses) / len(losses) if losses else None,
            "rate": max(rates, default=None),
            "gradient": math.hypot(*(one.gradient for one in read.moves)),
            **({} if norm is None else {"gradient_before_clipping": norm}),
            "alignment": alignment(read.moves),
            "head": math.hypot(*head) / self._head if head and self._head else None,
            **told(layer_moves(read.moves, read.places, read.rates), self._layers),
            **({"not_finite": lost} if lost else {}),
        }

    def _write(self, *lines: Mapping[str, Any]) -> None:
        if self._writer is not None and lines:
            self._writer.write(*lines)

    def close(self, reason: str = "closed") -> None:
        """Take the hooks off, and write what there is still to tell and that the run has ended."""
        if not self._handles:
            return
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._is_quiet:
            return
        try:
            if self._waiting is not None:
                self._tell()
            self._send(is_last=True)
            if self._waiting is not None:
                self._tell()
            self._write({"type": "end", "update": self.update - self._skipped, "reason": reason})
        except PreheatWarning:
            raise
        except Exception as error:
            self._fall_quiet(error)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.close("closed" if kind is None else kind.__name__)


def _innermost(given: Optimizer | Sequence[Optimizer]) -> list[Optimizer]:
    """The optimizers that apply the updates."""
    found = [one for each in (given if isinstance(given, list | tuple) else [given]) for one in watched(each)[0]]
    if not found:
        raise PreheatError(
            "nothing here tells when an update is applied",
            given=given,
            write="give the torch.optim.Optimizer whose step() applies it",
        )
    return found


def _unseen(model: nn.Module, optimizers: list[Optimizer], layers: Layers) -> int:
    """How many parameters with a gradient no optimizer has. Raises PreheatError where they have none of the model's."""
    held = {id(one) for optimizer in optimizers for group in optimizer.param_groups for one in group["params"]}
    if held.isdisjoint(layers.home):
        raise PreheatError(
            "the optimizer has none of the model's parameters",
            given=optimizers[0],
            write="give the very model that it was made for; optimizers that keep copies of the weights cannot be watched",
        )
    return sum(id(one) not in held for one in model.parameters() if one.requires_grad)


def _rank() -> int:
    distributed = torch.distributed
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0


def _is_capturing() -> bool:
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
