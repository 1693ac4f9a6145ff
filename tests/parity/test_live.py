"""Every restatement beside the library itself, where that is installed: random arguments, every update of the run."""

import pytest
from benchmarks.parity.case import arguments_of, compared, installed

TRIES = 20
CASES = [
    pytest.param(module.PEER, case, id=f"{module.PEER}-{case.scheduler}")
    for module in installed()
    for case in module.CASES
]


@pytest.mark.parametrize(("peer", "case"), CASES)
def test_a_restatement_is_what_the_library_computes(peer, case) -> None:
    for seed in range(TRIES):
        arguments = arguments_of(peer, case, seed)
        found = compared(peer, case, arguments)
        assert found.inside <= case.tolerance, (arguments, found)
        assert found.after <= case.tolerance, f"after the end: {arguments}"
