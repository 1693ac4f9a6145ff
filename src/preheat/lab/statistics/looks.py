"""How often results were reported before: each report on other runs was a chance to be misled.

What counts is what a report was made from, not what was planned. A report on the same runs as one before is no further
look; one on fewer or on other seeds is. One seed claims nothing, so a report on one seed is none.
"""

from collections.abc import Iterable, Mapping, Sequence

from preheat.lab.trials import Trials

Look = Mapping[str, Sequence[int]]
"""What one report was made from: by the name of the arm the seeds that had finished in it and in its reference."""


def look_at(trials: Trials) -> dict[str, tuple[int, ...]]:
    """The look that a report on these runs is."""
    pairs = [(arm, trials.study.reference(arm)) for arm in trials.study.arms]
    return {
        arm.name: tuple(sorted(trials.of(arm).keys() & trials.of(first).keys()))
        for arm, first in pairs
        if first is not None
    }


def earlier_looks(trials: Trials, looked: Iterable[Look]) -> int:
    """How many looks at other runs came before the first one at these, of the comparison that had the most.

    looked: all looks so far, in their order. A comparison is an arm against the reference, in a grid a family at all its
    peaks: an arm that was added later has not been looked at.
    """
    looks, most = [*looked, look_at(trials)], 0
    for row in trials.study.families.values():
        seen = [tuple(tuple(sorted(look.get(arm.name, ()))) for arm in row.values()) for look in looks]
        telling = list(dict.fromkeys(one for one in seen if any(len(seeds) > 1 for seeds in one)))
        if seen[-1] in telling:
            most = max(most, telling.index(seen[-1]))
    return most


def with_look(trials: Trials, looked: Iterable[Look]) -> tuple[Look, ...]:
    """All looks, this one included; each once."""
    now, before = look_at(trials), [{name: tuple(seeds) for name, seeds in look.items()} for look in looked]
    return tuple(before) if now in before else (*before, now)


def read_looks(value: object) -> list[Look]:
    """The looks that a summary has kept. Raises ValueError for anything else."""
    if not isinstance(value, list):
        raise ValueError("not a list of looks")
    for look in value:
        if not isinstance(look, dict) or not all(isinstance(seeds, list) for seeds in look.values()):
            raise ValueError("not a look")
        if any(type(seed) is not int for seeds in look.values() for seed in seeds):
            raise ValueError("not a seed")
    return value
