"""What a checkpoint says of its schedule: where it stands, what it follows. Files are data: only tensors are unpickled."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from preheat.core.errors import PreheatError, StateError, shown
from preheat.core.extras import needed
from preheat.core.findings import Finding
from preheat.core.plan import RATE, Plan
from preheat.core.spans import Run
from preheat.review.checkpoints.dcp import METADATA, read_dcp
from preheat.review.checkpoints.torch_states import TorchState, restated
from preheat.review.subject import Subject
from preheat.session.state import KEYS, Saved, from_state

_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".tar")
_FILES = ("scheduler.pt", "optimizer.pt")  # of a Trainer's folder
_STATE = "trainer_state.json"
_DEEP = 8
_NO_PLAN, _NO_RUN = Plan("hold()"), Run()


class Checkpoint(NamedTuple):
    """What a checkpoint says beside its plan.

    updates: applied so far.   rates: of the optimizer's groups, as saved; None where no optimizer is in it.
    bases: what they were built with, where that is known.   saved: the state of a preheat Scheduler, if there is one.
    scheduler: another scheduler's class and state, else None.   total: of the run, where it is written beside it.
    without_decay: groups whose weight decay is 0, by name or index.   beta2: Adam's.   schedulers: how many different states
    of schedulers are in it; the first is looked at.
    """

    updates: int | None
    rates: tuple[float, ...] = ()
    bases: tuple[float, ...] = ()
    saved: Saved | None = None
    scheduler: TorchState | None = None
    total: int | None = None
    without_decay: tuple[str, ...] = ()
    beta2: float | None = None
    schedulers: int = 1

    @property
    def last(self) -> tuple[float, ...]:
        """The rates of the last update: the optimizer's, which all schedulers wrote; else what the scheduler says."""
        return self.rates or (self.scheduler.last if self.scheduler is not None else ())


def is_checkpoint(path: Path) -> bool:
    """Whether a path is a checkpoint rather than a config: a folder, or what torch saves."""
    if path.is_dir():
        return True
    if path.suffix.lower() not in _SUFFIXES:
        return False
    with path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or not path.stat().st_size


def read_checkpoint(path: Path) -> Subject:
    """A torch file, a DCP folder, a Trainer's folder or Lightning's file as a Subject; its target is None where its plan is
    not to be known. Raises PreheatError, StateError for what cannot be read."""
    found = _found(_tree(path))
    name = path.name or path.resolve().name
    if found.saved is not None:
        return _with_others(_of_preheat(name, found))
    if found.scheduler is None and found.updates is None and not found.rates:
        raise PreheatError(f"{name} holds no scheduler and no optimizer", write="name the file that has their states")
    return _with_others(_of_torch(name, found))


def _with_others(subject: Subject) -> Subject:
    """A finding where the file holds several schedulers, of which this is the first."""
    many = subject.facts.schedulers
    if many < 2:
        return subject
    what = f"{subject.name} holds the states of {many} schedulers, and what is said here is of the first"
    finding = Finding(
        "not-carried", "the other schedulers", what, "save each scheduler in a file of its own to look at it"
    )
    return subject._replace(findings=(*subject.findings, finding))


def _tree(path: Path) -> Any:
    if not path.is_dir():
        return _loaded(path)
    if (path / METADATA).exists():
        return read_dcp(path, _loads)
    files = [path / name for name in _FILES if (path / name).exists()]
    if not files and not (path / _STATE).exists():
        what = f"{path.name or path.resolve()} is no folder of a checkpoint: it has none of "
        what += ", ".join((METADATA, _STATE, *_FILES))
        raise PreheatError(what, write="name the checkpoint's own folder or file")
    tree: dict[str, Any] = {file.stem: _loaded(file) for file in files}
    if (path / _STATE).exists():
        tree["trainer"] = _json(path / _STATE)
    return tree


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StateError(f"{path.name} cannot be read: {error}") from None


def _loaded(path: Path) -> Any:
    try:
        return _loads(path, mmap=_is_zip(path))
    except OSError as error:
        raise StateError(f"{path.name} cannot be read: {error}") from None


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _loads(source: Any, **how: Any) -> Any:
    """What torch saved, tensors and plain data only."""
    import pickle

    with needed("a checkpoint", "torch"):
        import torch
    try:
        return torch.load(source, map_location="cpu", weights_only=True, **how)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError) as error:
        name = source.name if isinstance(source, Path) else "an entry"
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        why = f"holds {named[1]}, more than tensors and plain data," if named else "is damaged, or no file of torch's,"
        what = f"{name} {why} and is not read"
        raise StateError(what, write="save the scheduler's and the optimizer's state_dict() alone") from None


def _found(tree: Any) -> Checkpoint:
    """What is known from all that is in a checkpoint."""
    preheats: list[dict[str, Any]] = []
    schedulers: list[Mapping[str, Any]] = []
    groups: list[Mapping[str, Any]] = []
    steps: list[int] = []
    for kind, item in _parts(tree, 0):
        {"preheat": preheats, "scheduler": schedulers, "groups": groups, "steps": steps}[kind].append(item)  # type: ignore[arg-type]
    saved = from_state(preheats[0], ("", _NO_PLAN), ("", _NO_RUN)) if preheats else None
    scheduler = TorchState.of(schedulers[0], groups) if schedulers and saved is None else None
    counts = [saved.updates] if saved else [scheduler.updates] if scheduler else steps
    trainer = tree.get("trainer") if isinstance(tree, Mapping) else None
    total = trainer.get("max_steps") if isinstance(trainer, Mapping) else None
    return Checkpoint(
        max(counts, default=None),
        tuple(_numbers(groups, RATE)),
        tuple(_numbers(groups, "initial_lr")),
        saved,
        scheduler,
        total if isinstance(total, int) and total > 0 else None,
        tuple(str(group.get("name", i)) for i, group in enumerate(groups) if group.get("weight_decay") == 0),
        _beta2(groups),
        len({repr(state) for state in (*preheats, *schedulers)}),
    )


def _numbers(groups: list[Mapping[str, Any]], key: str) -> Iterator[float]:
    for group in groups:
        if (value := _number(group.get(key))) is not None:
            yield value


def _number(value: Any) -> float | None:
    if hasattr(value, "item") and getattr(value, "numel", lambda: 1)() == 1:
        value = value.item()
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if real and math.isfinite(value) else None


def _beta2(groups: list[Mapping[str, Any]]) -> float | None:
    betas = groups[0].get("betas") if groups else None
    return _number(betas[1]) if isinstance(betas, list | tuple) and len(betas) == 2 else None


def _parts(tree: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """The states inside a tree, each with its kind."""
    if depth > _DEEP:
        return
    if isinstance(tree, list | tuple):
        for item in tree[:1000]:
            yield from _parts(item, depth + 1)
    if not isinstance(tree, Mapping):
        return
    if all(key in tree for key in KEYS):
        yield "preheat", dict(tree)
    elif "_schedulers" in tree or ("last_epoch" in tree and ("base_lrs" in tree or "_last_lr" in tree)):
        yield "scheduler", tree
    elif "param_groups" in tree:
        yield from (("groups", group) for group in _listed(tree["param_groups"]) if isinstance(group, Mapping))
        yield from (("steps", step) for step in _own_steps(tree.get("state")))
    else:
        if isinstance(step := tree.get("global_step"), int) and not isinstance(step, bool):
            yield "steps", step
        for item in tree.values():
            yield from _parts(item, depth + 1)


def _listed(groups: Any) -> list[Any]:
    return list(groups.values()) if isinstance(groups, Mapping) else list(groups)


def _own_steps(state: Any) -> Iterator[int]:
    """The optimizer's own count of updates, where it keeps one."""
    first = next(iter(state.values()), None) if isinstance(state, Mapping) else None
    if isinstance(first, Mapping) and (step := _number(first.get("step"))) is not None:
        yield int(step)


def _of_preheat(name: str, found: Checkpoint) -> Subject:
    saved: Saved = found.saved  # type: ignore[assignment]
    now = {row.now for row in saved.bases.of(RATE) or () if row.now is not None}
    peak = now.pop() if len(now) == 1 else None
    return Subject(name, saved.plan, saved.run, peak=peak, position=saved.position, facts=found)


def _of_torch(name: str, found: Checkpoint) -> Subject:
    run, position = Run(total=found.total), found.updates or 0
    meant = None if found.scheduler is None else restated(found.scheduler)
    if meant is not None:
        return Subject(name, meant.target, run, meant.findings, "torch", position=position, facts=found, foreign=True)
    return Subject(name, None, run, (_unknown(found),), position=position, facts=found)


def _unknown(found: Checkpoint) -> Finding:
    """What there is to say of a checkpoint whose plan is not in it."""
    state = found.scheduler
    if state is None:
        what = "it holds an optimizer and no scheduler's state, so the plan that it followed is not known"
    else:
        reason = " saves no function" if state.kind == "LambdaLR" else " is not restated from its state"
        name = "a MultiplicativeLR or LambdaLR" if state.kind == "LambdaLR" else state.kind or "the scheduler"
        what = f"the plan is not to be known from it: {name}{reason}"
    rates = ", ".join(f"{rate:g}" for rate in dict.fromkeys(found.last))
    at = f"; its last rates are {rates}" if rates else ""
    place = "the plan" if found.updates is None else f"update {found.updates:,}"
    return Finding("unknown-plan", place, what + at, "say which: --plan SPEC (plan=)")


def not_known(subject: Subject) -> PreheatError:
    """The refusal where a schedule is needed and a checkpoint does not say it."""
    finding = subject.findings[0]
    what = f"{subject.name}: {finding.what}"
    return PreheatError(what, write=f"write the schedule itself in place of {shown(subject.name)}")
