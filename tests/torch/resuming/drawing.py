"""Random programs, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from resuming.actions import (
    Action,
    AddGroup,
    Ask,
    Bare,
    Build,
    Change,
    Foreign,
    LoadOptimizer,
    LoadScheduler,
    Process,
    Save,
    SetPeak,
    Train,
    Travel,
)
from resuming.curves import Part
from resuming.scripts import GroupSpec, LineSpec, OptimizerSpec, Script

GETTERS = [
    "s.get_last_lr()",
    "s.values()",
    "s.position",
    "s.audit()",
    "s.state_dict()",
    "repr(s)",
    "s.base_lrs",
    "str(s.audit())",
]


def factors(rng: Random) -> tuple[Part, ...]:
    """Factors whose peak is 1, on a run of 40 or 50 updates."""
    parts = []
    if rng.random() < 0.7:
        parts.append(Part(rng.choice([0.0, 0.0, 0.1]), 1.0, rng.choice([2, 4, 6]), rng.choice(["linear", "cosine"])))
    if rng.random() < 0.5:
        parts.append(Part(1.0, 1.0, rng.choice([4, 6, "10%", "rest"])))
    grows = any(part.span == "rest" for part in parts)
    if not parts or rng.random() < 0.85:
        lengths = [8, 12, "20%", "40%"] + ([] if grows else ["rest"] * 3)
        parts.append(Part(1.0, rng.choice([0.0, 0.1, 0.5]), rng.choice(lengths), rng.choice(["linear", "cosine"])))
    return tuple(parts)


def scaled(parts: tuple[Part, ...], k: float) -> tuple[Part, ...]:
    return tuple(part._replace(start=part.start * k, end=part.end * k) for part in parts)


def line(rng: Random, rate: float = 0.2, absolute: float = 0.2) -> LineSpec:
    parts = factors(rng)
    return LineSpec(scaled(parts, rate), absolute=True) if rng.random() < absolute else LineSpec(parts)


def optimizer(rng: Random, names: list[str | None], scales: bool, tensors: bool) -> OptimizerSpec:
    kinds = ["SGD", "SGD", "Momentum", "Momentum", "AdamW", "Adagrad", "Averaged"]
    kind = rng.choice(["SGD", "AdamW"] if tensors else kinds)
    groups = tuple(
        GroupSpec(
            name,
            0.0 if rng.random() < 0.01 else rng.choice([None, None, 0.05, 0.03, 0.3]),
            rng.choice([None, None, None, 0.0, 0.02]),
            rng.choice([None, 0.5, 0.25]) if scales else None,
        )
        for name in names
    )
    is_tensor = tensors or (kind in ("SGD", "AdamW") and rng.random() < 0.2)
    tensor = rng.choice(["float32", "float64"]) if is_tensor else None
    return OptimizerSpec(kind, rng.choice([0.1, 0.2]), 0.01, groups, tensor)


def script(rng: Random) -> Script:
    """A script: one optimizer or two, of one to three groups each."""
    several = 2 if rng.random() < 0.3 else 1
    sizes = [rng.choice([1, 1, 2, 3]) for _ in range(several)]
    pool = {
        "none": [None],
        "all": list("abcdef"),
        "mixed": ["a", None, "b", None, "c", None],
        "twice": ["a", "a", "b", "b", None, "c"],
    }
    names = (pool[rng.choice(["none", "none", "all", "mixed", "twice"])] * 6)[: sum(sizes)]
    scales, tensors = rng.random() < 0.15, rng.random() < 0.1
    optimizers = tuple(optimizer(rng, [names.pop() for _ in range(size)], scales, tensors) for size in sizes)
    lines = {"lr": line(rng)}
    places = [(g.name or str(n)) for n, (_, _, g) in enumerate(_all(optimizers))]
    if rng.random() < 0.3:
        own = (
            LineSpec(factors(rng), scale=rng.choice([1.0, 0.5, 10.0]))
            if rng.random() < 0.7
            else line(rng, absolute=1.0)
        )
        lines[f"{rng.choice(places)}/lr"] = own
    if rng.random() < 0.3 and any(g.weight_decay is None or g.weight_decay for _, _, g in _all(optimizers)):
        lines["weight_decay"] = line(rng, 0.05, absolute=0.4)
    if rng.random() < 0.3 and all(one.kind == "Momentum" for one in optimizers):
        lines["momentum"] = LineSpec((Part(0.5, 0.95, 10),), absolute=True)
    made = Script(
        optimizers, tuple(lines.items()), 40, policy=rng.choice(["refuse", "refuse", "adopt", "keep", "rebase"])
    )
    return replace(made, peak=rng.choice([0.3, 0.6])) if _has_factors(made) and rng.random() < 0.25 else made


def _all(optimizers: tuple[OptimizerSpec, ...]) -> list[tuple[int, int, GroupSpec]]:
    return [(k, i, group) for k, one in enumerate(optimizers) for i, group in enumerate(one.groups)]


def _has_factors(made: Script) -> bool:
    return any(key == "lr" and not one.absolute for key, one in made.lines)


def changed(rng: Random, old: Script) -> Script:
    """The script as it is when the run goes on: as it was, or with another rate, plan or kind of line."""
    new = replace(old, policy=rng.choice([old.policy, "refuse", "adopt", "keep", "rebase"]))
    for change in rng.sample(CHANGES, rng.choice([0, 0, 1, 1, 1, 2])):
        new = change(rng, new)
    return new


def _other_rate(rng: Random, old: Script) -> Script:
    if old.peak is not None and rng.random() < 0.5:
        return replace(old, peak=old.peak * 2)
    if rng.random() < 0.6:
        return replace(old, optimizers=tuple(replace(one, lr=one.lr * 2) for one in old.optimizers))
    k = rng.randrange(len(old.optimizers))
    groups = list(old.optimizers[k].groups)
    i = rng.randrange(len(groups))
    groups[i] = replace(groups[i], lr=0.07)
    optimizers = list(old.optimizers)
    optimizers[k] = replace(optimizers[k], groups=tuple(groups))
    return replace(old, optimizers=tuple(optimizers))


def _other_weight_decay(rng: Random, old: Script) -> Script:
    return replace(old, optimizers=tuple(replace(one, weight_decay=0.03) for one in old.optimizers))


def _with_line(old: Script, key: str, new: LineSpec) -> Script:
    return replace(old, lines=tuple((k, new if k == key else spec) for k, spec in old.lines))


def _other_plan(rng: Random, old: Script) -> Script:
    key, spec = rng.choice(old.lines)
    parts = factors(rng)
    rate = max(part.end for part in spec.parts) or 1.0
    return _with_line(old, key, replace(spec, parts=scaled(parts, rate) if spec.absolute else parts))


def _other_beginning(rng: Random, old: Script) -> Script:
    """The same from some update on: a longer or a shorter warmup, the phase after it the shorter or longer."""
    key, spec = rng.choice(old.lines)
    first, rest = spec.parts[0], spec.parts[1:]
    top = first.end
    if not isinstance(first.span, int) or first.start == first.end or not rest or rest[0].start != top != rest[0].end:
        return old
    spare = Part(top, top, first.span)
    return _with_line(old, key, replace(spec, parts=(spare, *rest)))


def _other_kind(rng: Random, old: Script) -> Script:
    key, spec = rng.choice(old.lines)
    if key in ("weight_decay", "momentum"):
        return old
    if spec.absolute:
        top = max(max(part.start, part.end) for part in spec.parts)
        new = replace(spec, parts=scaled(spec.parts, 1 / top), absolute=False)
        parts = tuple(part._replace(start=round(part.start, 12), end=round(part.end, 12)) for part in new.parts)
        return _with_line(old, key, replace(new, parts=parts))
    new = _with_line(old, key, LineSpec(scaled(spec.parts, rng.choice([0.1, 0.2])), absolute=True))
    return new if any(not one.absolute and key.endswith("lr") for key, one in new.lines) else replace(new, peak=None)


def _other_peak(rng: Random, old: Script) -> Script:
    if not _has_factors(old):
        return old
    return replace(old, peak=None if old.peak else 0.3)


def _longer_run(rng: Random, old: Script) -> Script:
    return replace(old, total=50)


CHANGES = [_other_rate, _other_rate, _other_plan, _other_plan, _other_beginning, _other_kind, _other_kind, _other_peak]
CHANGES += [_longer_run, _other_weight_decay]


def save(rng: Random, name: str) -> Save:
    how = rng.choice(["torch", "torch", "pickle", "copy", "dcp", "room"])
    return Save(name, how, rng.choice(["json", "torch", "pickle", "copy"]), between=rng.random() < 0.2)


def first_run(rng: Random, old: Script) -> list[Action]:
    """A process that trains and saves."""
    made: list[Action] = [Process(old), Build(old)]
    if rng.random() < 0.1:
        made.append(save(rng, "c0"))
    for number in range(1, rng.choice([2, 3, 4])):
        made.append(Train(rng.choice([1, 2, 4, 7, 12, 20])))
        made += between(rng)
        made.append(save(rng, f"c{number}"))
    return made


def between(rng: Random) -> list[Action]:
    """What may happen at any time."""
    made: list[Action] = []
    if rng.random() < 0.15:
        made.append(Ask(rng.choice(GETTERS)))
    if rng.random() < 0.06:
        made.append(Travel(rng.choice(["pickle", "copy"])))
    if rng.random() < 0.05:
        made.append(SetPeak(rng.choice([0.15, 0.7])))
    if rng.random() < 0.05:
        made.append(Change(rng.choice(["cooldown", "rewarm"]), rng.choice([4, 8])))
    if rng.random() < 0.04:
        made.append(Change("extend", rng.choice([50, 60])))
    if rng.random() < 0.04:
        made += [AddGroup(rng.choice([0, 1]), GroupSpec(rng.choice([None, "z"]), 0.02, 0.01)), Train(2)]
    return made


def load(rng: Random, several: int) -> list[Action]:
    """Loads in any order, of any checkpoints: mostly everything of one."""
    name = f"c{rng.choice([0, 1, 1, 1, 2, 2, 3])}"
    made: list[Action] = [LoadOptimizer(k, name) for k in range(several)] + [LoadScheduler(name, rng.random() < 0.3)]
    rng.shuffle(made)
    if rng.random() < 0.15:
        made.pop()
    if rng.random() < 0.1:
        made.insert(rng.randrange(len(made) + 1), LoadScheduler("c1"))
    return [part for one in made for part in (*(between(rng) if rng.random() < 0.1 else []), one)]


def second_run(rng: Random, new: Script) -> list[Action]:
    """A process that goes on: built and loaded in any order."""
    made = load(rng, len(new.optimizers))
    at = rng.randrange(len(made) + 1)
    base = rng.choice(["initial", "present"]) if rng.random() < 0.12 and _plain(new) else None
    made.insert(at, Build(replace(new, base=base)))
    before: list[Action] = [Process(new)]
    if rng.random() < 0.06:
        before.append(Bare(rng.choice([1, 3])))
    if rng.random() < 0.05:
        before.append(Foreign(0))
    made = before + made
    if rng.random() < 0.1:
        made.insert(rng.randrange(2, len(made) + 1), Train(1))
    return made


def _plain(new: Script) -> bool:
    """Whether base= says everything: only rates are multiples, and no lr_scale is in them already."""
    scales = any(group.lr_scale for _, _, group in _all(new.optimizers))
    return not scales and all(spec.absolute or key.endswith("lr") for key, spec in new.lines)


def again(rng: Random, new: Script) -> list[Action]:
    """More in the same process: another load, a roll-back, a second scheduler."""
    made: list[Action] = [Train(rng.choice([1, 2, 5])), *between(rng)]
    if rng.random() < 0.2:
        made.append(save(rng, rng.choice(["c2", "c4"])))
    if rng.random() < 0.2:
        edit = 0.07 if rng.random() < 0.2 else None
        made.append(Build(changed_plan_only(rng, new), edit, alive=rng.random() < 0.5))
    return made + load(rng, len(new.optimizers))


def changed_plan_only(rng: Random, old: Script) -> Script:
    new = changed(rng, old)
    return replace(new, optimizers=old.optimizers)


def program(seed: int) -> list[Action]:
    """A random program."""
    rng = Random(seed)
    old = script(rng)
    new = changed(rng, old)
    made = first_run(rng, old)
    if rng.random() < 0.75:
        made += second_run(rng, new)
    else:
        made += load(rng, len(old.optimizers))
        new = old
    for _ in range(rng.choice([0, 0, 1, 2])):
        made += again(rng, new)
    return made
