"""What stands where in a model: its parameters and the modules that hold them, and its layers from input to output."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.nn.parameter import UninitializedParameter

from preheat.core.errors import PreheatError, nearest, shown

INPUT, OUTPUT = "embeddings", "head"  # what comes before the first layer, and after the last
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase)
_NORM = re.compile(r"[Nn]orm(\dd)?$", re.ASCII)  # LlamaRMSNorm, T5LayerNorm, FrozenBatchNorm2d
_HEADS = {"head", "lm_head", "classifier"}  # what is called so gives the output, wherever it was made
_WITH_PREVIOUS = 99999  # timm's mark of what belongs to the layer before it


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A parameter, once however many modules share it: all its names, the first first, and the modules that hold it."""

    names: tuple[str, ...]
    parameter: nn.Parameter
    owners: tuple[nn.Module, ...]

    @property
    def name(self) -> str:
        """Its first name."""
        return self.names[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; of one that DeepSpeed keeps in parts, that of the whole."""
        return tuple(getattr(self.parameter, "ds_shape", self.parameter.shape))

    @property
    def is_norm(self) -> bool:
        """Whether a normalisation holds it."""
        return any(is_norm(owner) for owner in self.owners)

    @property
    def is_embedding(self) -> bool:
        """Whether an embedding holds it, be it shared with an output."""
        return any(isinstance(owner, nn.Embedding | nn.EmbeddingBag) for owner in self.owners)


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a normalisation: one of torch's, or called so, as LlamaRMSNorm is."""
    return isinstance(module, _NORMS) or (_NORM.search(type(module).__name__) is not None and not _has_children(module))


def places(model: nn.Module) -> list[Place]:
    """Every parameter of a model, frozen ones too, each once, in the order of `model.named_parameters()`.

    Raises PreheatError for what is no module, and for parameters whose shape cannot be seen.
    """
    if not isinstance(model, nn.Module):
        raise PreheatError(
            "parameter groups are made from a torch.nn.Module", given=model, write="give the model first"
        )
    names: dict[int, list[str]] = {}
    owners: dict[int, list[nn.Module]] = {}
    found: dict[int, nn.Parameter] = {}
    for prefix, module in model.named_modules(remove_duplicate=False):
        if type(module).__name__ == "FullyShardedDataParallel":
            raise PreheatError(
                "FullyShardedDataParallel cuts parameters, so that a matrix cannot be told from a bias",
                write="use fully_shard (FSDP2), which keeps their shapes",
            )
        for key, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            found[id(parameter)] = parameter
            names.setdefault(id(parameter), []).append(f"{prefix}.{key}" if prefix else key)
            owners.setdefault(id(parameter), []).append(module)
    for key, parameter in found.items():
        if isinstance(parameter, UninitializedParameter):
            raise PreheatError(f"{names[key][0]!r} has no shape yet", write="run the model on one batch first")
    order = [id(parameter) for parameter in model.parameters()]
    return [Place(tuple(dict.fromkeys(names[key])), found[key], tuple(owners[key])) for key in order]


def matching(found: Sequence[Place], patterns: Iterable[str], what: str) -> set[int]:
    """The ids of the parameters that have a name like one of the patterns, with `*` as in a shell.

    Raises PreheatError for a pattern that none has.
    """
    if isinstance(patterns, str):
        raise PreheatError(f"{what} is a list of names", given=patterns, write=f"write {what}=[{patterns!r}]")
    ids: set[int] = set()
    for pattern in patterns:
        like = {id(one.parameter) for one in found if any(fnmatchcase(name, pattern) for name in one.names)}
        if not like:
            known = [name for one in found for name in one.names]
            raise PreheatError(
                f"no parameter is called {pattern!r}, as {what} says{nearest(pattern, known) if len(known) < 50 else ''}",
                write="write a name of model.named_parameters(), with * for any part of it",
            )
        ids |= like
    return ids


@dataclass(frozen=True, slots=True)
class Layout:
    """The layers of a model from input to output.

    layer: the number of each parameter's layer, by its id; 0 is the first.   names: what the layers are called.
    hidden: the layers that are neither input nor output.
    """

    layer: dict[int, int]
    names: tuple[str, ...]
    hidden: frozenset[int]


def unwrapped(model: nn.Module) -> nn.Module:
    """The module that tells of its layers (timm's `group_matcher`) inside of those that only hold it; else the model."""
    inner = model
    while not hasattr(inner, "group_matcher"):
        children = list(inner.children())
        if len(children) != 1 or next(inner.parameters(recurse=False), None) is not None:
            return model
        inner = children[0]
    return inner


Layers = Sequence[str | nn.Module | Sequence[str | nn.Module]]


def layout(model: nn.Module, layers: Layers | None = None) -> Layout:
    """The layers of a model.

    layers: the modules that are its layers, or their names, first to last, those beside one another as a tuple. Without it:
    timm's `group_matcher` where there is one; the blocks of the only ModuleList of blocks; else the order of the modules.

    Raises PreheatError where there are several lists of blocks, where there is only one layer, and where what is called a
    head would be in a layer below the last.
    """
    found, inner = places(model), unwrapped(model)
    if layers is not None:
        said = _said(model, found, layers)
        made = _around_blocks(found, said)
        _check_head(made, [place for place in found if not any(_is_in(place, name) for name in said)])
    elif callable(matcher := getattr(inner, "group_matcher", None)):
        made = _as_timm(places(inner), matcher(coarse=False))
    elif blocks := _blocks(model):
        made = _around_blocks(found, blocks)
        _check_head(made, found)
    else:
        made = _in_order(model, found)
        _check_head(made, found)
    if len(set(made.layer.values())) < 2:
        raise PreheatError(
            f"{type(model).__name__} has only one layer, as far as can be seen",
            write="name its layers, first to last: layers=['encoder.0', 'encoder.1', …]",
        )
    return made


def _said(model: nn.Module, found: Sequence[Place], layers: Layers) -> dict[str, int]:
    """The number of the layer that each named module is."""
    if not isinstance(layers, Sequence) or isinstance(layers, str) or not layers:
        raise PreheatError("layers is a list of modules or their names, first to last", given=layers)
    called = {id(module): name for name, module in model.named_modules()}
    said: dict[str, int] = {}
    for i, several in enumerate(layers):
        for one in (several,) if isinstance(several, str | nn.Module) else several:
            name = called.get(id(one)) if isinstance(one, nn.Module) else one
            if not any(_is_in(place, str(name)) for place in found):
                modules = {place.name.rpartition(".")[0] for place in found}
                wrong = f"{type(one).__name__} of another model" if isinstance(one, nn.Module) else shown(one)
                raise PreheatError(f"no module {wrong} has parameters{nearest(str(name), modules)}")
            if other := next(
                (it for it in said if f"{it}.".startswith(f"{name}.") or f"{name}.".startswith(f"{it}.")), None
            ):
                what = (
                    f"layers has {name!r} twice"
                    if other == name
                    else f"layers has {name!r} and {other!r}, one in the other"
                )
                raise PreheatError(what, write="name every layer once")
            said[str(name)] = i
    return said


def _check_head(made: Layout, found: Sequence[Place]) -> None:
    """Refuse a head that was made before what it stands on: it would learn slowest, and another layer be called "head"."""
    top, is_held = max(made.layer.values()), all(place.name.startswith("0.") for place in found)
    for place in found:
        parts = place.name.split(".")[1 if is_held else 0 : -1]
        outer = parts[: next((i for i, part in enumerate(parts) if part.isdecimal()), len(parts))]
        if made.layer[id(place.parameter)] < top and not place.is_embedding and _HEADS.intersection(outer):
            raise PreheatError(
                f"{place.name!r} is called a head and was made before the last layer, whose group would be called "
                f"{made.names[top]!r}",
                write="make it last, or name the layers, first to last, and it at the end: layers=['…', 'head']",
            )


def _is_in(place: Place, module: str) -> bool:
    return place.name == module or place.name.startswith(f"{module}.")


def _blocks(model: nn.Module) -> dict[str, int]:
    """The modules of the only list of blocks that stands in no other; none where there is no list of blocks."""
    lists: list[tuple[str, nn.ModuleList]] = []

    def visit(module: nn.Module, name: str) -> None:
        if isinstance(module, nn.ModuleList) and any(map(_has_children, _with_parameters(module))):
            lists.append((name, module))
            return
        for key, child in module.named_children():
            visit(child, f"{name}.{key}" if name else key)

    visit(model, "")
    if len(lists) > 1:
        names = [name for name, _ in lists]
        raise PreheatError(
            f"{type(model).__name__} has several lists of blocks ({', '.join(names)}), and which comes first is not known",
            write=f"name the layers, first to last: layers=['{names[0]}.0', …, '{names[1]}.0', …]",
        )
    blocks = [(name, key) for name, one in lists for key, child in one.named_children() if _size(child)]
    return {f"{name}.{key}" if name else key: i for i, (name, key) in enumerate(blocks)}


def _around_blocks(found: Sequence[Place], blocks: Mapping[str, int]) -> Layout:
    """Blocks, and what is before and after them. A norm that follows a block in a module around it belongs to that block, as
    in timm (the one in a head does not), and an embedding to the input."""
    last = max(blocks.values())
    around = {name[:i] for name in blocks for i, letter in enumerate(name) if letter == "."} | {""}
    layer: dict[int, int] = {}
    inside = [next((i for name, i in blocks.items() if _is_in(place, name)), None) for place in found]
    ends = [i for i, block in enumerate(inside) if block is not None]
    previous = -1
    for i, (place, block) in enumerate(zip(found, inside, strict=True)):
        if block is None and i > ends[0] and not place.is_embedding and not place.is_norm and i < ends[-1]:
            raise PreheatError(
                f"{place.name!r} stands between the layers and is in none of them",
                write="name its module in layers= too",
            )
        before, holder = i < ends[0] or place.is_embedding, place.name.rpartition(".")[0]
        closes = place.is_norm and previous >= 0 and holder.rpartition(".")[0] in around
        outside = -1 if before else previous if closes else last + 1
        layer[id(place.parameter)] = outside if block is None else block
        previous = previous if block is None else block
    first = min(layer.values())
    called = {-1: INPUT, last + 1: OUTPUT}
    names = tuple(called.get(i, f"layer{i}") for i in range(first, max(layer.values()) + 1))
    hidden = frozenset(i - first for i in range(last + 1))
    return Layout({key: i - first for key, i in layer.items()}, names, hidden)


def _as_timm(found: Sequence[Place], matcher: Any) -> Layout:
    """Layers as timm numbers them: sorted by what the patterns find, what none finds at the end."""
    keys = {id(place.parameter): _timm_key(place.name, matcher) for place in found}
    number, numbers, names = -1, {}, []
    for key in sorted(set(keys.values())):
        if number < 0 or key[-1] != _WITH_PREVIOUS:
            number += 1
            names.append(OUTPUT if key == (math.inf,) else INPUT if number == 0 else f"layer{number - 1}")
        numbers[key] = number
    hidden = frozenset(i for i, name in enumerate(names) if name not in (INPUT, OUTPUT))
    return Layout({one: numbers[key] for one, key in keys.items()}, tuple(names), hidden)


def _timm_key(name: str, matcher: Any) -> tuple[float, ...]:
    if not isinstance(matcher, Mapping):
        key = matcher(name)
        return tuple(key) if isinstance(key, Iterable) else (math.inf if key is None else key,)
    for place, given in enumerate(matcher.values()):
        for pattern, suffix in [(given, None)] if isinstance(given, str) else given or ():
            if match := re.match(pattern, name):
                return place, *(float(one) for one in match.groups() if one is not None), *(suffix or ())
    return (math.inf,)


def _in_order(model: nn.Module, found: Sequence[Place]) -> Layout:
    """Layers in the order of the modules: those in a Sequential, and those without modules in them; a norm belongs to the
    layer before it."""
    units: list[str] = []

    def visit(module: nn.Module, name: str) -> None:
        in_sequence = isinstance(module, nn.Sequential) and len(_with_parameters(module)) > 1
        for key, child in module.named_children():
            inner = f"{name}.{key}" if name else key
            if _size(child) and not (is_norm(child) and units):
                if in_sequence or not _has_children(child):
                    units.append(inner)
                else:
                    visit(child, inner)

    visit(model, "")
    layer: dict[int, int] = {}
    number = 0
    for place in found:
        number = next((i for i, name in enumerate(units) if _is_in(place, name)), number)
        layer[id(place.parameter)] = number
    kept = {number: i for i, number in enumerate(sorted(set(layer.values())))}
    names = [f"layer{i}" for i in range(len(kept) - 1)] + [OUTPUT]
    return Layout({key: kept[i] for key, i in layer.items()}, tuple(names), frozenset(range(1, len(kept) - 1)))


def _with_parameters(module: nn.Module) -> list[nn.Module]:
    return [child for child in module.children() if _size(child)]


def _has_children(module: nn.Module) -> bool:
    return any(True for _ in module.children())


def _size(module: nn.Module) -> bool:
    """Whether a module has any parameter."""
    return next(module.parameters(), None) is not None
