"""In what two runs differ, in words: why the results of the one are not taken for the other's."""

from collections.abc import Mapping
from typing import Any

from preheat.lab.identity.holdings import KEY, UNKNOWN

_MOST = 3  # values that are named

_DIGESTS = {
    "words": "the words of the command, or folders in it, are others",
    "folders": "folders in the options are others",
}


def difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first setting that differs; of settings within settings only the one."""
    name = next(name for name in now if then.get(name, ...) != now[name])
    before, after = then.get(name), now[name]
    if name == "held":
        return _held_difference(before if isinstance(before, Mapping) else {}, after)
    if name == "files" and isinstance(before, Mapping):
        return _files_difference(before, after)
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        return difference(before, after)
    return _DIGESTS.get(name, f"{name} is {before!r}, and now it is {after!r}")


def _held_difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What a training function holds that it did not hold then."""
    if (KEY in then) != (KEY in now):
        key = (then if KEY in then else now)[KEY][0]
        return f"the key {key!r} is not given now" if KEY in then else f"the key {key!r} is given now and was not then"
    differing = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    differing.sort(key=lambda name: (then.get(name) or [""])[0] == (now.get(name) or [""])[0])  # what can be seen first
    texts = [_value_difference(name, then.get(name), now.get(name)) for name in differing]
    more = f" and {len(texts) - _MOST} more" if len(texts) > _MOST else ""
    return "; ".join(texts[:_MOST]) + more


def _value_difference(name: str, then: Any, now: Any) -> str:
    """One value: `width was 1, and is 64`."""
    before, after = (one[0] if isinstance(one, list) and len(one) == 2 else None for one in (then, now))
    if now and str(now[1]).startswith(UNKNOWN):
        return (
            f"{name} is {after}, and nothing tells whether it is the one of the earlier call (in a new folder "
            f'compare(…, key="{name}=…") names the configuration, and its runs can be taken up again)'
        )
    if before is None:
        return f"{name} is {after}, and was not held then"
    if after is None:
        return f"{name} was {before}, and is not held now"
    if before == after:
        return f"{name} was {before}, and is another one (its folder or its content differs)"
    return f"{name} was {before}, and is {after}"


def _files_difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Files that the command names: one whose content is another."""
    name = next(name for name in {**then, **now} if then.get(name) != now.get(name))
    what = (
        "was not there then"
        if name not in then
        else "is not there now"
        if name not in now
        else "has another content now"
    )
    return f"the file {name}, which the command names, {what} (if the training writes it, put {{run}} into its name)"
