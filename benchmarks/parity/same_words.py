"""python -m benchmarks.parity.same_words [--write]: one sentence in the words of many libraries, and what each makes of it.

"Linear warmup over 4 updates, then linear decay to 0, 12 updates in all", at a rate of 1 at the peak. What the sentence does
not say is left at the library's default. Prints a table, beside the running library where it is installed; --write puts it
into docs/conventions.md, and into docs/zh/conventions.md in the words of CHINESE.
"""

from __future__ import annotations

import argparse
import math
import re
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.parity.case import arguments_of, lines
from benchmarks.words import ENGLISH, Words
from preheat.compat import restate
from preheat.core.plan import Plan
from preheat.core.stated import plain

DOCS = Path(__file__).parents[2] / "docs"
PAGE, CHINESE_PAGE = DOCS / "conventions.md", DOCS / "zh" / "conventions.md"
BEGIN, END = "<!-- table of benchmarks.parity.same_words -->", "<!-- end of the table -->"
WARMUP, TOTAL, SHOWN = 4, 12, 14
NEAR = 1e-6  # two libraries compute in single precision
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Row(NamedTuple):
    """The sentence as one library is told it."""

    library: str
    scheduler: str
    arguments: dict[str, Any]


ROWS = (
    Row("transformers", "linear", {"num_warmup_steps": WARMUP, "num_training_steps": TOTAL}),
    Row(
        "torch",
        "SequentialLR",
        {
            "schedulers": [
                ["LinearLR", {"total_iters": WARMUP}],
                ["LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": TOTAL - WARMUP}],
            ],
            "milestones": [WARMUP],
        },
    ),
    Row("optax", "join_schedules", {"schedules": ["warmup(4)", "decay(8)"], "boundaries": [WARMUP]}),
    Row("pytorch_warmup", "linear_warmup", {"warmup_period": WARMUP, "lr_scheduler": f"decay({TOTAL})"}),
    Row(
        "ignite",
        "create_lr_scheduler_with_warmup",
        {"lr_scheduler": "decay(8)", "warmup_start_value": 0.0, "warmup_duration": WARMUP},
    ),
    Row("timm", "PolyLRScheduler", {"t_initial": TOTAL, "power": 1.0, "warmup_t": WARMUP}),
    Row("torchtitan", "lr_schedulers_container", {"warmup_steps": WARMUP, "training_steps": TOTAL}),
    Row(
        "nanochat",
        "base_train",
        {"num_iterations": TOTAL, "warmup_steps": 4, "warmdown_ratio": 8 / 12, "final_lr_frac": 0.0},
    ),
    Row("olmo_core", "linear_with_warmup", {"warmup": WARMUP, "t_max": TOTAL, "alpha_f": 0.0, "max_steps": TOTAL}),
    Row("fairseq", "polynomial_decay", {"lr": 1.0, "warmup_updates": WARMUP, "total_num_update": TOTAL}),
    Row(
        "deepspeed",
        "WarmupDecayLR",
        {"total_num_steps": TOTAL, "warmup_max_lr": 1.0, "warmup_num_steps": WARMUP, "warmup_type": "linear"},
    ),
    Row(
        "megatron",
        "arguments",
        {"lr": 1.0, "lr_decay_style": "linear", "lr_warmup_iters": WARMUP, "train_iters": TOTAL},
    ),
    Row("nemo", "PolynomialDecayAnnealing", {"max_steps": TOTAL, "warmup_steps": WARMUP, "power": 1.0}),
    Row(
        "mmengine",
        "param_scheduler",
        {
            "schedulers": [
                {"type": "LinearLR", "begin": 0, "end": WARMUP, "by_epoch": False},
                {
                    "type": "LinearLR",
                    "start_factor": 1.0,
                    "end_factor": 0.0,
                    "begin": 4,
                    "end": TOTAL,
                    "by_epoch": False,
                },
            ]
        },
    ),
    Row(
        "detectron2",
        "warmup_param_scheduler",
        {
            "scheduler": {"type": "LinearParamScheduler", "start_value": 1.0, "end_value": 0.0},
            "warmup_factor": 0.001,
            "warmup_length": WARMUP / TOTAL,
            "max_iter": TOTAL,
        },
    ),
    Row("composer", "linear_with_warmup_scheduler", {"t_warmup": "4ba", "max_duration": "12ba"}),
    Row(
        "levanter",
        "optimizer_config",
        {
            "num_train_steps": TOTAL,
            "learning_rate": 1.0,
            "warmup": WARMUP,
            "lr_schedule": "linear",
            "min_lr_ratio": 0.0,
        },
    ),
    Row(
        "paddle",
        "LinearWarmup",
        {
            "learning_rate": {"type": "PolynomialDecay", "learning_rate": 1.0, "decay_steps": 8, "end_lr": 0.0},
            "warmup_steps": WARMUP,
            "start_lr": 0.0,
            "end_lr": 1.0,
        },
    ),
    Row("pytorch_optimizer", "linear", {"t_max": TOTAL, "max_lr": 1.0, "warmup_steps": WARMUP}),
    Row("diffusers", "get_linear_schedule_with_warmup", {"num_warmup_steps": WARMUP, "num_training_steps": TOTAL}),
    Row(
        "big_vision",
        "create_learning_rate_schedule",
        {"total_steps": TOTAL, "decay_type": "linear", "warmup_steps": WARMUP},
    ),
    Row(
        "kohya",
        "get_scheduler_fix",
        {
            "lr_scheduler": "linear",
            "max_train_steps": TOTAL,
            "lr_warmup_steps": WARMUP,
            "lr_decay_steps": 0,  # from here on its defaults: its command line always has all of them
            "lr_scheduler_num_cycles": 1,
            "lr_scheduler_power": 1.0,
            "lr_scheduler_timescale": None,
            "lr_scheduler_min_lr_ratio": None,
        },
    ),
    Row(
        "fvcore",
        "CompositeParamScheduler",
        {
            "schedulers": [
                {"type": "LinearParamScheduler", "start_value": 0.0, "end_value": 1.0},
                {"type": "LinearParamScheduler", "start_value": 1.0, "end_value": 0.0},
            ],
            "lengths": [WARMUP / TOTAL, 1 - WARMUP / TOTAL],
            "interval_scaling": ["rescaled", "rescaled"],
            "max_iter": TOTAL,
        },
    ),
    Row(
        "fastai",
        "combine_scheds",
        {
            "pcts": [WARMUP / TOTAL, 1 - WARMUP / TOTAL],
            "scheds": [{"type": "SchedLin", "start": 0.0, "end": 1.0}, {"type": "SchedLin", "start": 1.0, "end": 0.0}],
            "num_updates": TOTAL,
            "n_iter": TOTAL,
        },
    ),
)
"""The libraries in whose words it can be said."""
LEFT_OUT = {  # the other libraries that are restated
    "axolotl": "its linear is transformers'",
    "llama_factory": "its linear is transformers'",
    "nanogpt": "it has a cosine alone",
    "keras": "no schedule of its own warms up before a linear decay",
    "schedulefree": "it warms up and never decays",
    "ultralytics": "its lengths are epochs, and its rate falls once an epoch",
}
CHINESE = Words(
    {  # what is written on the page, word for word
        "library": "库",
        "sequence": "序列",
        "by its": "所用接口",
        "libraries": "库",
        "first rate": "起始值",
        "highest rate": "最高值",
        "last rate": "最终值",
        "differs from A at": "与 A 不同的更新",
        "in preheat": "在 preheat 里",
        "{} at update {}": "{}，在第 {} 次更新",
        "{} to {}": "{} 至 {}",
        ", ": "、",
        "* {}: {}": "* {}：{}",
        "{} libraries make {} different sequences of it.": "同一句话，{} 个库给出 {} 种不同的序列。",
        "The other libraries that are restated here cannot say it:": "这里复现的其余各库表达不了这句话：",
        "its linear is transformers'": "它的线性调度就是 transformers 的",
        "it has a cosine alone": "只有余弦",
        "no schedule of its own warms up before a linear decay": "自带的调度没有先预热再线性衰减的",
        "it warms up and never decays": "有预热，但从不衰减",
        "its lengths are epochs, and its rate falls once an epoch": "长度以轮（epoch）计，学习率每轮才降一次",
    }
)
PAGES = {PAGE: ENGLISH, CHINESE_PAGE: CHINESE}


class Made(NamedTuple):
    """What a library makes of the sentence: the values of the first updates, and a letter for the sequence of the run."""

    row: Row
    values: list[float]
    letter: str


def made() -> list[Made]:
    """The rows, each with its sequence."""
    found, different = list[Made](), list[list[float]]()
    for row in ROWS:
        values = restate(row.library, row.scheduler, **row.arguments).table(SHOWN).tolist()
        for known in different:
            if all(abs(a - b) <= NEAR for a, b in zip(known[:TOTAL], values[:TOTAL], strict=True)):
                break
        else:
            known = values
            different.append(values)
        found.append(Made(row, values, LETTERS[different.index(known)]))
    return found


def beside(row: Row) -> float | None:
    """The largest difference to the running library within the run; None where it is not installed."""
    try:
        module = import_module(f"benchmarks.parity.peers.{row.library}")
    except ImportError:
        return None
    for case in module.CASES:
        if _key(case.scheduler) == _key(row.scheduler):
            base = {"base_lr": 1.0} if "base_lr" in arguments_of(row.library, case, 0) else {}
            given = lines(case.run(base | row.arguments, TOTAL))["lr"]
            ours = restate(row.library, row.scheduler, **row.arguments).table(TOTAL).tolist()
            return max(abs(a - b) for a, b in zip(ours, given, strict=False))
    return None


def _key(name: str) -> str:
    return name.lower().replace("_", "")


def shown(value: float) -> str:
    """A value as the fraction that it is, else in three digits."""
    fraction = Fraction(value).limit_denominator(100)
    return str(fraction) if abs(value - fraction) < NEAR else f"{value:.3g}"


def table(rows: list[Made], words: Words = ENGLISH) -> list[str]:
    """The table in Markdown, those with the same sequence together."""
    head = [words("library"), words("sequence"), *map(str, range(TOTAL)), words("by its")]
    body = [
        [one.row.library, one.letter, *map(shown, one.values[:TOTAL]), f"`{one.row.scheduler}`"]
        for one in sorted(rows, key=lambda one: one.letter)
    ]
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body)]


def sequences(rows: list[Made], words: Words = ENGLISH) -> list[str]:
    """A row in Markdown for each sequence: who makes it, and at which updates it is another than the first."""
    columns = ("sequence", "libraries", "first rate", "highest rate", "last rate", "differs from A at", "in preheat")
    head = [words(column) for column in columns]
    body, groups = [], {one.letter: [other for other in rows if other.letter == one.letter] for one in rows}
    first = groups[LETTERS[0]][0].values[:TOTAL]
    for letter, same in groups.items():
        values = same[0].values[:TOTAL]
        top = max(range(TOTAL), key=lambda t: (round(values[t], 6), -t))
        off = [t for t in range(TOTAL) if abs(values[t] - first[t]) > NEAR]
        names = words(", ").join(one.row.library for one in same)
        peak = words("{} at update {}").format(shown(values[top]), top)
        text, where = min((written(one.row) for one in same), key=len), ranges(off, words) or "-"
        body.append([letter, names, shown(values[0]), peak, shown(values[-1]), where, f"`{text}`"])
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body)]


def written(row: Row) -> str:
    """A restatement in preheat's own words, within the run: the values, without saying whether they are rates."""
    target = restate(row.library, row.scheduler, **row.arguments).target
    values = plain(target["lr"] if isinstance(target, Plan) else target)
    return repr(values.truncated(TOTAL) if TOTAL < values.length < math.inf else values)


def ranges(updates: list[int], words: Words = ENGLISH) -> str:
    """Updates in ascending order, those without a gap as a range."""
    runs: list[list[int]] = []
    for t in updates:
        if runs and runs[-1][-1] == t - 1:
            runs[-1].append(t)
        else:
            runs.append([t])
    between = words("{} to {}")
    parts = (between.format(run[0], run[-1]) if len(run) > 1 else str(run[0]) for run in runs)
    return words(", ").join(parts)


def left_out(words: Words = ENGLISH) -> list[str]:
    """A line in Markdown for each library that cannot say it."""
    line = words("* {}: {}")
    return [line.format(library, words(why)) for library, why in sorted(LEFT_OUT.items())]


def counted(rows: list[Made], words: Words = ENGLISH) -> str:
    """How many there are of each."""
    libraries, different = len({one.row.library for one in rows}), len({one.letter for one in rows})
    return words("{} libraries make {} different sequences of it.").format(libraries, different)


def text_of(rows: list[Made], words: Words = ENGLISH) -> str:
    """All that is generated on the page."""
    without = words("The other libraries that are restated here cannot say it:")
    tables = ["", *table(rows, words), "", *sequences(rows, words), ""]
    return "\n".join([counted(rows, words), *tables, without, "", *left_out(words)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity.same_words", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table into docs/conventions.md and docs/zh")
    options, rows = parser.parse_args(), made()
    print(text_of(rows))
    print()
    for one in rows:
        off = beside(one.row)
        print(f"{one.row.library}: {'not installed' if off is None else f'{off:.1e} from the running library'}")
    for path, words in PAGES.items() if options.write else ():
        before, after = re.split(f"(?<={BEGIN}\n).*?(?={END})", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        path.write_text(f"{before}\n{text_of(rows, words)}\n\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
