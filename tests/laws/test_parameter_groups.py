"""Groups of random modules: every trainable parameter stands once, whatever they are made of, split by whichever way."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import preheat as ph

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils.parametrizations import weight_norm  # noqa: E402

from preheat.torch.groups import layerwise_decay, muon, mup, no_decay  # noqa: E402

FIXED, BASE, WIDE = 3, 2, 4  # sizes: one that never grows, the width of the base model, and the other

# of a leaf, by what it is: how it is made, and which of its parameters take in the width and so learn slower under muP; the
# sizes are drawn, `w` being the width
size = st.sampled_from([FIXED, "w"])
sizes = st.tuples(size, size)


def _linear(source: int, out: int, *, bias: bool) -> nn.Module:
    return nn.Linear(source, out, bias=bias)


LEAVES = {
    "linear": lambda source, out: _linear(source, out, bias=True),
    "no bias": lambda source, out: _linear(source, out, bias=False),
    "conv": lambda source, out: nn.Conv2d(source, out, 2),
    "transposed": lambda source, out: nn.ConvTranspose1d(source, out, 2),
    "embedding": lambda source, out: nn.Embedding(FIXED, out),
    "layer norm": lambda source, out: nn.LayerNorm(out),
    "batch norm": lambda source, out: nn.BatchNorm1d(out),
    "rms norm": lambda source, out: nn.RMSNorm(out),
    "recurrent": nn.GRU,
}
OPAQUE = {  # what muP refuses, or has to be told
    "reparametrised": lambda source, out: weight_norm(nn.Linear(source, out)),
    "raw": lambda source, out: nn.ParameterList([torch.zeros(source, out), torch.zeros(out)]),
}
HOLDERS = ("sequential", "list", "named")
leaves = st.tuples(st.sampled_from([*LEAVES, *OPAQUE]), sizes)
transparent = st.tuples(st.sampled_from(list(LEAVES)), sizes)


def _trees(leaf: st.SearchStrategy) -> st.SearchStrategy:
    return st.recursive(
        leaf, lambda inner: st.tuples(st.sampled_from(HOLDERS), st.lists(inner, min_size=1, max_size=4)), max_leaves=8
    )


specs = st.tuples(_trees(leaves), st.integers(0, 2**16), st.booleans())
clear_specs = _trees(transparent)
fewer = settings(max_examples=settings.default.max_examples // 4)  # modules take longer to make than schedules


class Named(nn.Module):
    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))
        for i, part in enumerate(parts):
            setattr(self, f"part{i}", part)


def built(spec: tuple, width: int) -> nn.Module:
    with torch.device("meta"):  # shapes are enough, and drawing weights takes longest
        return _built(spec, width)


def _built(spec: tuple, width: int) -> nn.Module:
    kind, inside = spec
    if kind not in HOLDERS:
        return (LEAVES | OPAQUE)[kind](*(width if one == "w" else one for one in inside))
    parts = [_built(one, width) for one in inside]
    return {"sequential": lambda: nn.Sequential(*parts), "list": lambda: nn.ModuleList(parts)}.get(
        kind, lambda: Named(parts)
    )()


def drawn(spec: tuple) -> nn.Module:
    """A module, some of whose weights are shared (a linear map's with an embedding, and a whole module), and some frozen."""
    tree, seed, tied = spec
    model = nn.ModuleDict({"inner": built(tree, WIDE)})
    if tied:
        weights = [one for one in model.modules() if isinstance(one, nn.Linear | nn.Embedding)]
        weights = [one for one in weights if "weight" in dict(one.named_parameters(recurse=False))]
        for one, other in pairwise(weights):
            if one.weight.shape == other.weight.shape:
                other.weight = one.weight
        model["again"] = model["inner"]
    for i, parameter in enumerate(model.parameters()):
        parameter.requires_grad_(seed >> i % 16 & 3 != 3)
    return model


def checked(model: nn.Module, *lists: list[dict]) -> dict[int, dict]:
    """The group of every parameter; each trainable one stands in exactly one, and groups have different names."""
    groups = [group for groups in lists for group in groups]
    found = [(id(one), group) for group in groups for one in group["params"]]
    assert sorted(key for key, _ in found) == sorted(id(one) for one in model.parameters() if one.requires_grad)
    assert len({group["name"] for group in groups}) == len(groups)
    assert all(group["params"] for group in groups)
    return dict(found)


def known(make: Callable[[], Any]) -> Any:
    """What is made of a random tree; nothing where its layers are not known, or it has none."""
    try:
        return make()
    except ph.PreheatError as error:
        if not any(said in str(error) for said in ("only one layer", "several lists of blocks", "no trainable")):
            raise
        return assume(False)


def layered(model: nn.Module, **how: object) -> list[dict]:
    return known(lambda: layerwise_decay(model, 0.5, **how))


@fewer
@given(specs)
def test_every_trainable_parameter_decays_or_does_not(spec: tuple) -> None:
    model = drawn(spec)
    assume(any(one.requires_grad for one in model.parameters()))
    of = checked(model, no_decay(model, weight_decay=0.1, lr=1.0))
    for module in model.modules():
        for name, one in module.named_parameters(recurse=False):
            if one.requires_grad and (one.ndim < 2 or isinstance(module, nn.LayerNorm) or name.startswith("bias")):
                assert (of[id(one)]["name"], of[id(one)]["weight_decay"]) == ("no_decay", 0.0)
            elif one.requires_grad:
                assert (of[id(one)]["name"], of[id(one)]["weight_decay"]) == ("decay", 0.1)
            assert one.requires_grad or id(one) not in of


@fewer
@given(specs)
def test_layers_and_decay_compose_in_either_order_and_cover_all(spec: tuple) -> None:
    model = drawn(spec)
    assume(any(one.requires_grad for one in model.parameters()))
    alone = checked(model, layered(model, lr=1.0))
    first = checked(model, layered(model, lr=1.0, groups=no_decay(model)))
    second = checked(model, no_decay(model, groups=layered(model, lr=1.0)))
    for key, group in alone.items():
        assert first[key]["name"] == second[key]["name"]
        assert first[key]["name"].startswith(f"{group['name']}/")
        assert first[key]["lr"] == second[key]["lr"] == group["lr"]
        assert group["lr"] in {0.5**d for d in range(12)}
    torch.optim.AdamW(layered(model, lr=1.0, groups=no_decay(model)))  # torch takes them


@fewer
@given(specs)
def test_muon_and_the_rest_cover_all(spec: tuple) -> None:
    model = drawn(spec)
    matrices, others = known(lambda: muon(model))
    of = checked(model, matrices, others)
    assert all(one.ndim == 2 for group in matrices for one in group["params"])
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.weight.requires_grad:
            assert of[id(module.weight)]["name"] == "others"


@fewer
@given(clear_specs)
def test_the_rate_of_a_weight_falls_with_the_width_that_it_takes_in(tree: tuple) -> None:
    wide, base = built(tree, WIDE), built(tree, BASE)
    of = checked(wide, mup(wide, base, lr=1.0, weight_decay=0.1))
    for module in wide.modules():
        for name, one in module.named_parameters(recurse=False):
            dimension = 0 if isinstance(module, nn.ConvTranspose1d | nn.Embedding) else 1
            takes_width = one.ndim > 1 and one.shape[dimension] == WIDE
            expected = BASE / WIDE if takes_width and not isinstance(module, nn.LayerNorm) else 1.0
            assert of[id(one)]["lr"] == expected, name
            assert of[id(one)]["lr"] * of[id(one)]["weight_decay"] == 0.1
    assert {group["lr"] for group in mup(wide, built(tree, WIDE), lr=1.0, weight_decay=0.1)} == {1.0}
