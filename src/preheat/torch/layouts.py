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


def layout(model: nn.Module, layers: Sequence[str | Sequence[str]] | None = None) -> Layout:
    """The layers of a model.

    layers: the names of the modules that are its layers, first to last, those beside one another as a tuple. Without it:
    timm's `group_matcher` where there is one; the blocks of the only ModuleList of blocks; else the order of the modules.

    Raises PreheatError where there are several lists of blocks, and where there is only one layer.
    """
    found, inner = places(model), unwrapped(model)
    if layers is not None:
        made = _around_blocks(found, _said(found, layers))
    elif callable(matcher := getattr(inner, "group_matcher", None)):
        made = _as_timm(places(inner), matcher(coarse=False))
    elif blocks := _blocks(model):
        made = _around_blocks(found, blocks)
    else:
        made = _in_order(model, found)
    if len(set(made.layer.values())) < 2:
        raise PreheatError(
            f"{type(model).__name__} has only one layer, as far as can be seen",
            write="name its layers, first to last: layers=['encoder.0', 'encoder.1', …]",
        )
    return made


def _said(found: Sequence[Place], layers: Sequence[str | Sequence[str]]) -> dict[str, int]:
    """The number of the layer that each named module is."""
    if isinstance(layers, str) or not layers:
        raise PreheatError("layers is a list of names of modules, first to last", given=layers)
    said: dict[str, int] = {}
    for i, several in enumerate(layers):
        for name in (several,) if isinstance(several, str) else several:
            if not any(_is_in(place, name) for place in found):
                modules = {place.name.rpartition(".")[0] for place in found}
                raise PreheatError(f"no module {shown(name)} has parameters{nearest(str(name), modules)}")
            said[name] = i
    return said


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
