"""Scripts for Megatron are read as text: what else than an assignment may change an option is refused, or told."""

from pathlib import Path

import pytest

from preheat import PreheatError
from preheat.compat import read
from preheat.compat.configs.reading import Reading

COMMAND = "torchrun pretrain_gpt.py \\\n  --lr $LR --min-lr 1e-5 --train-iters {iters} --lr-decay-style cosine{more}\n"


def reading(folder: Path, before: str = "", more: str = "", iters: str = "1000", after: str = "") -> Reading:
    path = folder / "train.sh"
    path.write_text(
        "#!/bin/bash\nLR=1e-4  # the peak\n" + before + "\n" + COMMAND.format(more=more, iters=iters) + after
    )
    return read(path)


@pytest.mark.parametrize(
    "line",
    [
        "if big; then LR=3e-4; fi",
        "[ $SIZE = big ] && LR=3e-4",
        "case $1 in\n  big) LR=3e-4;;\nesac",
        "for LR in 1e-4 3e-4; do\ntrue\ndone",
        "declare LR=3e-4",
        "declare -i LR",
        "LR+=5",
        "eval LR=3e-4",
        'eval "LR=3e-4"',
        "unset LR",
        "read LR < rate.txt",
        "while getopts l: option; do LR=$OPTARG; done",
        "printf -v LR '%s' 3e-4",
        "let LR=5",
        "((LR = 5))",
        "N=$((LR = 5))",
        "LR=3e-4; echo changed",
        "true; LR=3e-4",
    ],
)
def test_a_variable_that_may_have_changed_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(PreheatError, match=r"--lr is \$LR"):
        reading(tmp_path, line)


@pytest.mark.parametrize(
    ("before", "more", "place"),
    [
        ("source env.sh", "", "`source env.sh`"),
        (". env.sh", "", "`source env.sh`"),
        ("", " ${EXTRA_ARGS}", "`${EXTRA_ARGS}`"),
        ("", " --bf16 ${EXTRA_ARGS}", "`${EXTRA_ARGS}`"),
        ("", " --bf16 \\\n  $MORE", "`$MORE`"),
        ("", ' --bf16 "$@"', "`$@`"),
        ("", " $*", "`$*`"),
        ("", " $(cat more_args.txt)", "`$(cat more_args.txt)`"),
        ('ARGS="--lr-warmup-iters 10"', " ${ARGS//10/20}", "`${ARGS//10/20}`"),
        ("ARGS=(\n  --bf16\n  $MORE\n)", " ${ARGS[@]}", "`$MORE`"),
        ("", " --yaml-cfg x.yaml", "--yaml-cfg"),
        ("", " --use-checkpoint-opt_param-scheduler", "--use-checkpoint-opt_param-scheduler"),
    ],
)
def test_what_may_say_other_options_is_told(tmp_path: Path, before: str, more: str, place: str) -> None:
    found = [one for one in reading(tmp_path, before, more).findings if one.code == "not-carried"]
    assert [one.place for one in found] == [place]


@pytest.mark.parametrize(
    ("before", "more"),
    [
        ('echo "LR is $LR"', ""),
        ("export LR", ""),
        ("OTHER=$((2 * 3))\nNODES=$(hostname)", " --save $CHECKPOINTS --master-addr $(hostname)"),
        ("ARGS=(\n  --bf16\n  --save $OUT/lr\n)", ' "${ARGS[@]}"'),
        ('ARGS="--bf16"\nARGS="$ARGS --log-interval 1"', " $ARGS"),
        ("mkdir -p $OUT", " --lr-warmup-iters 10"),
    ],
)
def test_what_changes_nothing_is_no_fault(tmp_path: Path, before: str, more: str) -> None:
    assert [one for one in reading(tmp_path, before, more).findings if one.code in ("not-carried", "assumed")] == []


@pytest.mark.parametrize(
    ("text", "value"),
    [("7 / -2 * -300", 900), ("-7 % 4 + 13", 10), ("2 ** 5", 32), ("-7 / 2 + 10", 7), ("100 / 7", 14)],
)
def test_sums_are_those_of_the_shell(tmp_path: Path, text: str, value: int) -> None:
    assert reading(tmp_path, iters=f"$(({text}))").run.total == value


def test_an_assignment_inside_a_block_is_told(tmp_path: Path) -> None:
    found = reading(tmp_path, iters="$N", before="if big; then\n  N=500\nfi").findings
    assert [one.place for one in found] == ["--train-iters"]
