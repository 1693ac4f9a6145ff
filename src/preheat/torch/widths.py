"""Which dimensions of a model's weights grow with its width, seen by comparison with a narrower one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import nn

from preheat.core.errors import PreheatError
from preheat.torch.layouts import Place

INPUT, HIDDEN, OUTPUT = "input", "hidden", "output"
_FROM_SECOND = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
_FROM_FIRST = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Embedding, nn.EmbeddingBag)


def roles(
    wide: Sequence[Place], base: Sequence[Place], inputs: Collection[int], outputs: Collection[int], multiplied: bool
) -> dict[int, tuple[str, float]]:
    """What every trainable weight is (input, hidden or output), by its id, and what its rate is multiplied with.

    wide, base: the parameters of the model and of the narrow one.   inputs, outputs: the ids of those that were said to be.
    multiplied: whether the model multiplies its output by fan_in(base)/fan_in itself.

    Raises PreheatError where the two are not one model in two widths, or where it cannot be seen what a weight is.
    """
    shapes = {place.name: place.shape for place in base}
    names = [place.name for place in wide]
    if names != list(shapes):
        other = next(iter(sorted(set(names) ^ set(shapes))), "their order")
        raise PreheatError(
            f"the model and its base differ in more than their width: {other!r} is not in both",
            write="build both with one function that takes the width",
        )
    found: dict[int, tuple[str, float]] = {}
    for place in (place for place in wide if place.parameter.requires_grad):
        key, narrow = id(place.parameter), shapes[place.name]
        if len(narrow) != len(place.shape):
            raise PreheatError(f"{place.name!r} has another number of dimensions in the base")
        found[key] = _role(place, narrow, key in inputs, key in outputs)
        if found[key][0] == OUTPUT and place.is_embedding and not multiplied:
            raise PreheatError(
                f"{place.name!r} is an embedding and the output at once, and their rates differ",
                write="multiply the output by fan_in(base)/fan_in in the model and say output_multiplier=True, or untie them",
            )
        if found[key][0] == OUTPUT and (multiplied or place.is_embedding):
            found[key] = OUTPUT, 1.0
    return found


def _role(place: Place, narrow: tuple[int, ...], is_input: bool, is_output: bool) -> tuple[str, float]:
    """What a weight is, and its fan_in in the base divided by its own."""
    grown = [i for i, (size, small) in enumerate(zip(place.shape, narrow, strict=True)) if size != small]
    times = {narrow[i] / place.shape[i] for i in grown}
    if "lora_" in place.name or "parametrizations." in place.name:
        kind = "a low-rank adapter" if "lora_" in place.name else "reparametrised"
        raise PreheatError(f"{place.name!r} is {kind}, of which maximal update parametrisation says nothing")
    if place.is_embedding and 0 in grown:
        raise PreheatError(
            f"{place.name!r} has {narrow[0]} rows in the base and {place.shape[0]} here; a width is what a row holds",
            write="build both with the same vocabulary",
        )
    if is_input or len(place.shape) < 2 or not grown:
        return INPUT, 1.0
    if is_output and len(times) == 1:
        return OUTPUT, times.pop()
    tied = place.is_embedding and any(isinstance(owner, nn.Linear) for owner in place.owners)
    source = _source(place)
    if tied and grown == [1]:
        return OUTPUT, narrow[1] / place.shape[1]
    if source is not None and all(i < 2 for i in grown):
        if source not in grown:
            return INPUT, 1.0
        return (HIDDEN if len(grown) == 2 else OUTPUT), narrow[source] / place.shape[source]
    if len(grown) == 1 and all(size == 1 for i, size in enumerate(place.shape) if i not in grown):
        return INPUT, 1.0  # a vector, such as a class token
    if len(grown) == 2 and len(times) == 1:
        return HIDDEN, times.pop()
    raise PreheatError(
        f"{place.name!r} of {type(place.owners[0]).__name__} is {narrow} in the base and {place.shape} here, and what of it "
        "is the input cannot be seen",
        write=f"write inputs=[{place.name!r}] if it takes something of a fixed size, outputs=[…] if it gives it",
    )


def _source(place: Place) -> int | None:
    """Which dimension of a weight is what it takes in; None where that is not known."""
    for owner in place.owners:
        if isinstance(owner, _FROM_FIRST) or type(owner).__name__ == "Conv1D":  # transformers' own
            return 0
        if isinstance(owner, _FROM_SECOND):
            return 1
    return None
