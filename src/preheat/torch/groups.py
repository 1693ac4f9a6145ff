"""Parameter groups that people write by hand every time: for a torch optimizer, as plain dictionaries with names.

Each function takes a model, or the model and `groups=` that another of them made of it, which it splits further, and gives
back a list of groups in which every trainable parameter stands once, shared ones too, and no frozen one: unfreeze first.

Rates are in the groups as `lr`, so that they hold under every optimizer and every scheduler; `lr_scale`, timm's key, means
nothing to torch. `lr` and `weight_decay` are given to those groups that have none, as an optimizer does. The names join with
a "/", what was split last standing first and decay last, as in "layer0/no_decay", and a line of a plan for "layer0/lr"
drives all groups whose name begins so.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from preheat.core.checks import finite_number, positive_number
from preheat.core.errors import PreheatError, PreheatWarning
from preheat.torch.layouts import Layers, Place, layout, matching, places, unwrapped
from preheat.torch.widths import HIDDEN, INPUT, OUTPUT, roles

__all__ = ["layerwise_decay", "lora_plus", "muon", "mup", "no_decay"]

Group = dict[str, Any]
DECAY, NO_DECAY = "decay", "no_decay"
_BIAS = re.compile(r"(^|[._])bias", re.ASCII)  # also relative_attention_bias.weight, not debias.weight


class _Part(NamedTuple):
    """Where a parameter goes: the name of the part, its place among the others, what it multiplies and what it sets."""

    name: str
    rank: float
    times: Mapping[str, float] = {}
    sets: Mapping[str, Any] = {}


def no_decay(
    model: nn.Module,
    *,
    lr: float | None = None,
    weight_decay: float | None = None,
    embeddings: bool = False,
    also: Sequence[str] = (),
    groups: Sequence[Group] | None = None,
) -> list[Group]:
    """Two groups, "decay" and "no_decay", whose `weight_decay` is 0.

    No decay have: what a normalisation holds, what is called a bias (`relative_attention_bias.weight` too), vectors and
    scalars, those too that are stored as (d, 1, 1) or (1, 1, 1, d) (LayerScale's and GRN's, but not class tokens, (1, 1, d)),
    and what the model's own `no_weight_decay()` names, as timm's and BEiT's models do.

    lr: the rate of both.   weight_decay: that of the rest. Each is left to the optimizer where it is not given.
    embeddings: whether embeddings have no decay either.   also: names of others that have none, with * as in a shell.
    groups: what to split instead of the whole model.

    As transformers' `Trainer` and timm's `param_groups_weight_decay` do it, which differ from one another in what is
    neither: the Trainer decays the weights of batch norms, timm biases that are no vectors, and both vectors with more
    dimensions than one.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))
    >>> [(group["name"], len(group["params"])) for group in no_decay(model, weight_decay=0.1)]
    [('decay', 2), ('no_decay', 4)]

    Raises PreheatError where nothing is trainable, and for a name that no parameter has.
    """
    found, inner = places(model), unwrapped(model)
    own = getattr(inner if hasattr(inner, "no_weight_decay") else model, "no_weight_decay", None)
    names = set(own()) if callable(own) else set()
    exempt = matching(found, also, "also")
    exempt |= {id(place.parameter) for place in places(inner) if names.intersection(place.names)}
    given = _with(found, groups, lr=lr, weight_decay=weight_decay)

    def part(place: Place) -> _Part:
        if _never_decays(place) or (embeddings and place.is_embedding) or id(place.parameter) in exempt:
            return _Part(NO_DECAY, 1, sets={"weight_decay": 0.0})
        return _Part(DECAY, 0)

    return _split(found, given, part, by_group=True)


def layerwise_decay(
    model: nn.Module,
    factor: float,
    *,
    lr: float | None = None,
    layers: Layers | None = None,
    groups: Sequence[Group] | None = None,
) -> list[Group]:
    """A group for every layer, from "embeddings" over "layer0", "layer1", … to "head", each learning slower than the next.

        lr · factorᵈ        d: how many layers are above

    The head has d = 0, the last block 1, as in timm and BEiT (Bao et al. 2022, arXiv:2106.08254), after Howard & Ruder
    2018, arXiv:1801.06146. ELECTRA's code (Clark et al. 2020, arXiv:2003.10555) leaves one number out: its last block has 2.

    factor: above 0, at most 1; 0.65 to 0.9 are usual.
    lr: the rate of the head; needed unless the groups have theirs.
    layers: the modules that are layers, or their names, first to last, those beside one another as a tuple. Without it they are
        timm's (`model.group_matcher`); the blocks of a transformer, with what stands before them as "embeddings", with
        embeddings wherever they stand, and with a norm that follows the last block as part of it; otherwise the modules
        in the order in which they were made, the last one as "head". `preheat.torch.describe` shows which.
    groups: what to split instead of the whole model.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> [(group["name"], group["lr"]) for group in layerwise_decay(model, 0.5, lr=0.1)]
    [('layer0', 0.025), ('layer1', 0.05), ('head', 0.1)]

    Raises PreheatError where which layer comes first is not known (an encoder and a decoder), or where a module called a
    head was made before the last layer: give `layers`.
    """
    factor = positive_number(factor, "factor")
    if factor > 1:
        raise PreheatError("factor is what each layer has of the rate above it, at most 1", given=factor)
    found, made = places(model), layout(model, layers)
    given = _with(found, groups, ("lr",), lr=lr)
    top = max(made.layer.values())

    def part(place: Place) -> _Part:
        layer = made.layer[id(place.parameter)]
        return _Part(made.names[layer], layer, {"lr": factor ** (top - layer)})

    return _split(found, given, part)


def lora_plus(
    model: nn.Module,
    ratio: float,
    *,
    lr: float | None = None,
    embedding_lr: float = 1e-6,
    groups: Sequence[Group] | None = None,
) -> list[Group]:
    """Groups for a model with low-rank adapters: "lora_A" and all else at `lr`, "lora_B" at ratio · lr.

    Hayou, Ghosh & Yu 2024, arXiv:2402.12354, as its authors' code and peft's `create_loraplus_optimizer` do it: vectors
    that are trained too (biases, DoRA's magnitudes) go with B, and adapters of embeddings have a rate of their own.

    ratio: η_B / η_A, at least 1; 16 is usual.   lr: the rate of A; needed unless the groups have theirs.
    embedding_lr: the rate itself of adapters of embeddings.   groups: what to split instead of the whole model.

    Raises PreheatError where no adapter is trainable.
    """
    ratio, embedding_lr = positive_number(ratio, "ratio"), positive_number(embedding_lr, "embedding_lr")
    if ratio < 1:
        raise PreheatError("ratio is the rate of B divided by that of A, at least 1", given=ratio)
    found = places(model)
    given = _with(found, groups, ("lr",), lr=lr)
    if not any("lora_B" in place.name for place in found if place.parameter.requires_grad):
        raise PreheatError(
            f"{type(model).__name__} has no trainable parameter called lora_B", write="make it with peft.get_peft_model"
        )

    def part(place: Place) -> _Part:
        if "lora_embedding_" in place.name:
            return _Part("lora_embedding", 1, sets={"lr": embedding_lr})
        if "lora_B" in place.name or len(place.shape) == 1:
            return _Part("lora_B", 2, {"lr": ratio})
        return _Part("lora_A", 0) if "lora_A" in place.name else _Part("others", 3)

    return _split(found, given, part)


def muon(
    model: nn.Module,
    *,
    to_adamw: Sequence[str] = (),
    layers: Layers | None = None,
    groups: Sequence[Group] | None = None,
) -> tuple[list[Group], list[Group]]:
    """Two lists of groups: "matrices" for Muon, the weights with two dimensions of the hidden layers, and "others".

        matrices, others = muon(model)
        optimizers = [torch.optim.Muon(matrices, lr=0.02), torch.optim.AdamW(others, lr=3e-4)]
        scheduler = Scheduler(optimizers, schedule, run=run)

    Embeddings, the input and the output layer, norms, biases and convolutions go to the others, as Jordan et al. 2024
    (https://kellerjordan.github.io/posts/muon) have it; torch's Muon takes two dimensions only. Each optimizer gives its
    list a rate, unless the groups have theirs.

    to_adamw: names of more that go to the others, such as "*router*", with * as in a shell.
    layers, groups: as in `layerwise_decay`.

    Raises PreheatError where there is no such matrix, or where the layers are not known.
    """
    found, made = places(model), layout(model, layers)
    kept_back = matching(found, to_adamw, "to_adamw")

    def is_matrix(place: Place) -> bool:
        is_hidden = made.layer[id(place.parameter)] in made.hidden and id(place.parameter) not in kept_back
        return is_hidden and len(place.shape) == 2 and not _never_decays(place) and not place.is_embedding

    given = _with(found, groups)
    matrices = _split(found, given, lambda place: _Part("matrices", 0) if is_matrix(place) else None)
    others = _split(found, given, lambda place: None if is_matrix(place) else _Part("others", 0))
    if not matrices:
        raise PreheatError(
            f"{type(model).__name__} has no trainable matrix in a hidden layer, and Muon is for those",
            write="name its layers, first to last: layers=[…]; the first and last of a plain sequence are not hidden",
        )
    return matrices, others


def mup(
    model: nn.Module,
    base: nn.Module,
    *,
    lr: float | None = None,
    weight_decay: float | None = None,
    output_multiplier: bool = False,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    groups: Sequence[Group] | None = None,
) -> list[Group]:
    """Groups with the rates of maximal update parametrisation for Adam and AdamW, so that the best rate of a narrow model is
    about the best of a wide one.

        hidden    lr · fan_in(base) / fan_in        weights both of whose dimensions grow with the width
        output    lr · fan_in(base) / fan_in        weights from the width to a fixed size; lr itself with output_multiplier
        input     lr                                all else: weights from a fixed size, embeddings, biases, norms

    Yang et al. 2022, arXiv:2203.03466, Table 3; with `output_multiplier` Table 8, as the mup package's `MuAdamW` with
    `MuReadout`. What changes with the width is seen by comparison with `base`. `weight_decay` is multiplied by what the
    rate is divided by, as in that package, since AdamW takes off lr · weight_decay.

    These are rates and no more. The rest of muP is the model's, and without it they are of no use: weights drawn with
    std ∝ 1/√fan_in (hidden and input), output weights with std ∝ 1/fan_in (∝ 1/√fan_in and the output multiplied by
    fan_in(base)/fan_in where `output_multiplier` says so), attention over d in place of √d. Not for SGD.

    base: the same model in the narrow width at which lr was found; its values do not matter, it may be on `meta`.
    lr, weight_decay: those of the base; needed unless the groups have theirs.
    output_multiplier: whether the model multiplies its output so; needed where the output shares its embedding's weight.
    inputs, outputs: names of parameters of which it cannot be seen what they are (those of your own modules), with *.
    groups: what to split instead of the whole model.

    >>> def model(width):
    ...     return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))
    >>> [(group["name"], group["lr"]) for group in mup(model(256), model(64), lr=0.01, weight_decay=0.0)]
    [('input', 0.01), ('hidden', 0.0025), ('output', 0.0025)]

    Raises PreheatError where the two are not the same model in two widths, and for what cannot be seen.
    """
    found = places(model)
    if not isinstance(base, nn.Module):
        what = "base is the same model in the width at which the rate was found"
        raise PreheatError(what, given=base, write="write mup(model, build(width=64), …)")
    given = _with(found, groups, ("lr", "weight_decay"), lr=lr, weight_decay=weight_decay)
    fixed, grown = matching(found, inputs, "inputs"), matching(found, outputs, "outputs")
    role = roles(found, places(base), fixed, grown, output_multiplier)
    if wider := next((times for _, times in role.values() if times > 1), None):
        what = f"the base is wider than the model, so that rates are multiplied by {wider:g}"
        warnings.warn(f"{what}; the model is the first argument and the base the second", PreheatWarning, stacklevel=2)
    several = {kind: len({times for other, times in role.values() if other == kind}) > 1 for kind in (HIDDEN, OUTPUT)}
    ranks = {INPUT: 0, HIDDEN: 1, OUTPUT: 2}

    def part(place: Place) -> _Part:
        kind, times = role[id(place.parameter)]
        name = f"{kind}/x{times:g}" if several.get(kind) else kind
        return _Part(name, ranks[kind] + times / (1 + times), {"lr": times, "weight_decay": 1 / times})

    return _split(found, given, part)


def _never_decays(place: Place) -> bool:
    """Whether weight decay is for none of its kind: norms, biases, vectors and scalars."""
    is_conv = any(isinstance(owner, nn.modules.conv._ConvNd) for owner in place.owners)
    is_token = len(place.shape) == 3 and place.shape[-1] != 1  # a class token, which the Trainer decays
    is_vector = len(place.shape) > 2 and sum(size != 1 for size in place.shape) < 2 and not is_conv and not is_token
    return place.is_norm or len(place.shape) < 2 or is_vector or any(map(_BIAS.search, place.names))


def _with(
    found: Sequence[Place], groups: Sequence[Group] | None, needs: Sequence[str] = (), **values: float | None
) -> list[Group]:
    """The groups (one of all that is trainable, where there are none), with what those are given that lack it.

    needs: what every group must have then.   values: what is given, by its key; None is not.
    """
    trainable = _trainable(found)
    made = [{"params": trainable}] if groups is None else _checked(found, groups)
    for key, value in values.items():
        without = [group for group in made if key not in group]
        if value is None and key in needs and without:
            what = "the rate that the optimizer would be given" if key == "lr" else "0.0 for none"
            raise PreheatError(f"{key}= is needed: it stands in the groups, multiplied", write=f"write {key}=…, {what}")
        if value is None:
            continue
        if not without:
            raise PreheatError(f"{key}= is for groups that have none, and all have", given=value, write=f"drop {key}=")
        if key == "lr":
            positive_number(float(value) if isinstance(value, torch.Tensor) else value, key)
        elif finite_number(value, key) < 0:
            raise PreheatError(f"{key} is at least 0", given=value)
        made = [{key: value} | group for group in made]
    return made


def _trainable(found: Sequence[Place]) -> list[nn.Parameter]:
    parameters = [place.parameter for place in found if place.parameter.requires_grad]
    if not parameters:
        raise PreheatError("the model has no trainable parameter", write="unfreeze before the groups are made")
    return parameters


def _checked(found: Sequence[Place], groups: Sequence[Group]) -> list[Group]:
    """Copies of groups that somebody made of the same model, with lists of trainable parameters."""
    if not isinstance(groups, list | tuple) or not groups or not all(isinstance(one, Mapping) for one in groups):
        raise PreheatError("groups is one list of parameter groups", given=groups, write="write groups=no_decay(model)")
    known, seen = {id(place.parameter) for place in found}, set()
    names = [group.get("name") for group in groups]
    if len(set(names)) != len(names):
        raise PreheatError("every group needs a name of its own, to tell its parts by", given=names)
    made = []
    for group in groups:
        if "lr_scale" in group:
            raise PreheatError(
                "lr_scale means nothing to torch", given=group["lr_scale"], write="multiply the group's lr"
            )
        params = group.get("params", ())
        params = [params] if isinstance(params, torch.Tensor) else list(params)
        params = [one[1] if isinstance(one, tuple) else one for one in params]
        if any(id(one) not in known for one in params):
            raise PreheatError(f"the group {group.get('name')!r} has a parameter that is not the model's")
        if any(id(one) in seen for one in params) or len({id(one) for one in params}) != len(params):
            raise PreheatError(f"the group {group.get('name')!r} has a parameter that stands twice")
        seen |= {id(one) for one in params}
        made.append({**group, "params": [one for one in params if one.requires_grad]})
    if not any(group["params"] for group in made):
        raise PreheatError("the groups have no trainable parameter", write="unfreeze before the groups are made")
    return made


def _split(
    found: Sequence[Place], groups: Sequence[Group], part: Callable[[Place], _Part | None], *, by_group: bool = False
) -> list[Group]:
    """The groups split into parts, in the order of their ranks, or of the groups; what has no part is left out."""
    of = {id(place.parameter): place for place in found}
    made: dict[tuple[float, float, str], Group] = {}
    for i, group in enumerate(groups):
        for parameter in group["params"]:
            one = part(of[id(parameter)])
            if one is None:
                continue
            key = (i, one.rank, one.name) if by_group else (one.rank, i, one.name)
            if key not in made:
                made[key] = _made(group, one)
            made[key]["params"].append(parameter)
    return [made[key] for key in sorted(made)]


def _made(group: Group, part: _Part) -> Group:
    """A group without parameters yet, for a part of another; a tensor is its own, as schedules write into it."""
    values = {key: value for key, value in group.items() if key not in ("params", "name")}
    values = {key: value.clone() if isinstance(value, torch.Tensor) else value for key, value in values.items()}
    values |= {key: values[key] * times for key, times in part.times.items() if key in values and times != 1}
    return {"name": _joined(group.get("name"), part.name), "params": []} | values | dict(part.sets)


def _joined(name: str | None, part: str) -> str:
    """What a part of a group is called: decay stands last, anything else first."""
    if name is None:
        return part
    if part.split("/")[0] in str(name).split("/"):
        raise PreheatError(
            f"the group {name!r} has a part {part!r} already",
            write="split it once only; a group that you made yourself may have another name",
        )
    return f"{name}/{part}" if part in (DECAY, NO_DECAY) else f"{part}/{name}"
