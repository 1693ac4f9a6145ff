"""All orders of building and loading × all that may have changed × all policies: right, or refused where that is due."""

import warnings
from collections import Counter

import pytest
from resuming.cells import POLICIES, cells
from resuming.running import PRELUDE, WrongRateError, run


@pytest.mark.parametrize("policy", POLICIES)
def test_no_cell_is_wrong_and_no_sound_one_refused(policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    counts, first = Counter(), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in cells(policy):
            verdict = _verdict(cell, first)
            counts[verdict] += 1
    with capsys.disabled():
        print(f"\n{policy}: {', '.join(f'{count} {verdict}' for verdict, count in sorted(counts.items()))}")
    assert set(counts) <= {"right", "refused"}, "\n\n".join(first.values())


def _verdict(cell: object, first: dict[str, str]) -> str:
    try:
        return "refused" if run(cell.program()).counts["refused"] else "right"
    except WrongRateError as error:
        verdict = "refused, though it is sound" if "# here: refused" in str(error) else "wrong"
        first.setdefault(verdict, f"{cell}\n{str(error).replace(PRELUDE, '')}")
        return verdict
