"""`preheat table` gives back the very numbers that the schedule gives."""

import csv
import io
import json

import pytest

import preheat

SPECS = [
    "ramp(0.01, 0.1, 1000) >> hold(0.1)",
    "warmup('5%', start=0.01, shape='exponential') >> decay(to=0.1, shape='cosine')",
    "invsqrt(100)",
    "decay(300, shape='sqrt').repeated(None, stretch=1.5, shrink=0.9)",
    "table([0.1, 0.3, -0.2]) >> rectified(0.999)",
]


def values(spec: str, peak: float = 1.0) -> list[float]:
    schedule = preheat.parse(spec).bind(preheat.Run(total=3000))
    return [schedule(t) * peak for t in range(3000)]


@pytest.mark.parametrize("spec", SPECS)
def test_csv_reads_back_exactly(ask, spec):
    answer = ask("table", spec, "--total", "3000")
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert answer.code == 0
    assert [int(row["step"]) for row in rows] == list(range(3000))
    assert [float(row["value"]) for row in rows] == values(spec)


@pytest.mark.parametrize("spec", SPECS)
def test_json_reads_back_exactly(ask, spec):
    read = json.loads(ask("table", spec, "--total", "3000", "--format", "json", "--peak", "3e-4").out)
    assert list(read) == ["schedule", "peak", "steps", "values"]
    assert preheat.parse(read["schedule"]) == preheat.parse(spec).bind(preheat.Run(total=3000))
    assert read["peak"] == 3e-4
    assert read["steps"] == list(range(3000))
    assert read["values"] == values(spec, 3e-4)


def test_every_so_many(ask):
    assert ask("table", "warmup(3) >> decay(5)", "--every", "3").out == "step,value\n0,0.0\n3,1.0\n6,0.4\n"
    assert ask("table", "warmup(3) >> decay(5)", "--every", "99").out == "step,value\n0,0.0\n"


def test_more_rows_than_are_written_at_once(ask):
    out = ask("table", "hold(1)", "--total", "10_000").out
    assert out.count("\n") == 10_001
    assert out.endswith("\n9999,1.0\n")


def test_the_first_column_says_what_it_counts(ask):
    assert ask("table", "hold(1)", "--total", "2 min", "--clock", "second").out.startswith("second,value\n0,1.0\n")
