"""A refusal carries its parts wherever it is raised again, and its text is theirs."""

import pickle

import pytest

from preheat import ParseError, PreheatError, Run, parse
from preheat.cli.refusals import SCHEDULE, at_prompt
from preheat.core.text.parser import Language, Reader
from preheat.lab.experiment import Arm, Study
from preheat.lab.tasks import BytesOptions


def refused(act) -> PreheatError:
    with pytest.raises(PreheatError) as caught:
        act()
    return caught.value


CASES = [
    (lambda: parse("ramp(1, 2, '5%')")(3), "total"),
    (lambda: parse("ramp(1, 2, '5%')").bind(Run()), "total"),
    (lambda: parse("warmup(500) >> decay()").bind(Run()), "total_or_span"),
    (lambda: parse("hold() >> decay(5)").bind(Run()), "total"),
    (lambda: Run(total="5%"), "fixed_total"),
    (lambda: parse("warmup('2 epochs')").bind(Run()), "steps_per_epoch"),
    (lambda: parse("warmup('2 samples')").bind(Run()), "samples_per_step"),
    (lambda: Run(total="2B tokens"), "tokens_per_step"),
    (lambda: parse("warmup('2 h')").bind(Run()), "clock"),
    (lambda: parse("warmup(500)").bind(Run(total=100)), "truncate"),
]


@pytest.mark.parametrize(("act", "hint"), CASES, ids=range(len(CASES)))
def test_a_cure_that_is_an_argument_of_run_has_a_key_and_a_spelling_at_the_prompt(act, hint):
    error = refused(act)
    assert error.hint == hint
    assert str(error) == f"{error.reason}; {error.write}"
    assert str(at_prompt(error, SCHEDULE)) == f"{error.reason}; {SCHEDULE[hint]}"
    assert "Run(" not in SCHEDULE[hint]
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.write, again.hint) == (str(error), error.write, error.hint)


def test_without_a_hint_a_refusal_is_printed_as_it_is():
    error = PreheatError("x", given=3, write="write 4")
    assert (error.reason, at_prompt(error, SCHEDULE)) == ("x, not 3", error)


def test_the_parts_survive_an_arm_around_them():
    study = ("bytes", "bytes", BytesOptions(), (Arm("x", "warmup(500)"),), (0,), 400)
    error = refused(lambda: Study(*study))
    assert error.hint == "truncate"
    assert error.write.endswith("cut them with bind(run, truncate=True)")
    assert str(error).startswith("arm 'x' cannot run for 400 steps: the parts need 500 steps")


def test_the_parts_survive_a_column_around_them():
    def run():
        return Run(total="5%")

    error = refused(Reader("run()", Language({"run": run})).result)
    assert (type(error), error.hint) == (ParseError, "fixed_total")
    assert error.write == "write Run(total=10_000); in 'run()'"
    assert str(error) == f"column 1: the total of a run cannot be '5%'; {error.write}"
    error = refused(lambda: parse("table([])"))
    assert (error.hint, error.write) == ("", "write table([0.1, 0.2]); in 'table([])'")
    assert str(error) == "column 1: a table needs at least one value; write table([0.1, 0.2]); in 'table([])'"
