"""What `preheat show` prints, draws, refuses and loads."""

import os
import resource
import subprocess
import sys

import pytest

EXAMPLE = ("show", "ramp(0.01, 0.1, 1000) >> hold(0.1)", "--total", "3000")
PRINTED = """\
ramp(0.01, 0.1, 1000) >> hold(0.1, 'rest')
on 3,000 updates: ramp(0.01, 0.1, 1000) >> hold(0.1, 2000)

 0.1 ┤                       ⣠⠴⠋⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
     │                     ⣠⠞⠁
0.08 ┤                  ⢀⡤⠚⠁
     │                ⢀⡴⠋
0.06 ┤              ⣠⠞⠉
     │            ⣠⠞⠁
     │         ⢀⡴⠋
0.04 ┤       ⣠⠴⠋
     │     ⣠⠞⠁
0.02 ┤  ⢀⡤⠚⠁
     │ ⠴⠋
   0 ┤
     └─────────────────────────────────────┴────────────────────────────────────
       0                                 1,500                      update 2,999

updates        length  value       part
0 … 999         1,000  0.01 → 0.1  ramp(0.01, 0.1, 1000)
1,000 … 2,999   2,000  0.1         hold(0.1, 2000)

update  value
     0  0.01     first
     1  0.01009
   999  0.09991
 1,000  0.1      highest, begins: hold(0.1, 2000)
 1,001  0.1
 2,999  0.1      last
 3,000  0.1      after the run
"""


def test_the_example_of_the_project(ask):
    answer = ask(*EXAMPLE)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == PRINTED


def test_the_peak_multiplies_values_and_leaves_the_text_alone(ask):
    out = ask("show", "warmup(500) >> decay()", "--total", "10k", "--peak", "3e-4").out
    assert "times the peak, 0.0003" in out
    assert "0 … 499         500  0 → 0.0003  ramp(0.0, 1.0, 500)\n" in out
    assert "   500  0.0003       highest, begins: ramp(1.0, 0.0, 9500)\n" in out


def test_units_are_told_their_worth(ask):
    out = ask("show", "warmup('3 epochs') >> decay()", "--total", "90 epochs", "--steps-per-epoch", "5005").out
    assert "on 450,450 updates: ramp(0.0, 1.0, 15015) >> ramp(1.0, 0.0, 435435)" in out
    hours = ask("show", "warmup('30 min') >> decay()", "--total", "6 h", "--clock", "second").out
    assert "on 21,600 seconds: ramp(0.0, 1.0, 1800)" in hours


def test_without_a_total_the_length_of_the_schedule_is_shown(ask):
    assert "without --total, its own length: 1,400 updates\n" in ask("show", "warmup(500) >> decay(900)").out


def test_without_a_total_an_endless_schedule_gets_a_horizon_and_says_so(ask):
    out = ask("show", "warmup(4000) >> invsqrt(4000)").out
    assert "without --total it never ends: the first 16,000 updates\n" in out
    assert "4,000 …    no end  1 → 0.5 …  invsqrt(4000, 'rest')" in out
    assert "16,000  0.5       goes on" in out
    assert "after the run" not in out


@pytest.mark.parametrize(
    "text", ["hold(1, 5).repeated(None)", "step_decay(5, factor=0.5)", "warmup(2.5) >> restarts(10)"]
)
def test_a_schedule_without_end_is_shown_as_far_as_the_total(ask, text):
    answer = ask("show", text, "--total", "100")
    assert (answer.code, answer.err) == (0, "")
    assert "99" in answer.out
    assert "over: keeps its last value" not in answer.out


def test_after_its_end_a_schedule_keeps_its_last_value_and_the_phases_say_so(ask):
    out = ask("show", "ramp(0.01, 0.1, 1000)", "--total", "3000").out
    assert "1,000 … 2,999   2,000  0.1         (over: keeps its last value)" in out


def test_a_phase_too_short_for_an_update_says_none(ask):
    out = ask("show", "ramp(0, 1, 2.5) >> hold(1, 0.2 ticks) >> decay(7)").out
    assert "none        0.2  1      hold(1.0, '0.2 ticks')" in out
    assert "3 … 9         7  1 → 0  ramp(1.0, 0.0, 7)" in out


def test_long_lists_are_cut_and_say_how_much_is_missing(ask):
    out = ask("show", "steps([1, 0.5], [3, 3]).repeated(2) >> " + " >> ".join(["hold(1, 2)"] * 40)).out
    assert "and 29 more phases" in out
    assert "more edges; preheat table prints every value" in out
    assert len(out.splitlines()) < 70


def test_a_narrow_spike_is_seen(ask):
    out = ask("show", "hold(1, 500_000) >> hold(5, 2) >> hold(1)", "--total", "1M").out
    assert "\n5 ┤ " in out
    assert "500,000  5      highest, begins: hold(5.0, 2)" in out


def test_a_logarithmic_axis(ask):
    out = ask("show", "ramp(1e-6, 1, 1000, shape='exponential')", "--log").out
    assert " 0.01 ┤" in out
    assert "--log needs a value above 0" in ask("show", "hold(0)", "--log").err


def test_pictures_are_written_where_they_are_wanted(ask, tmp_path):
    pytest.importorskip("matplotlib")
    png, svg = tmp_path / "curve.png", tmp_path / "curve.svg"
    out = ask(*EXAMPLE, "--png", str(png), "--svg", str(svg)).out
    assert f"Wrote {png}\nWrote {svg}\n" in out
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text(encoding="utf-8")
    assert text.startswith("<svg xmlns=")
    assert "color-scheme:light dark" in text, "alone in a dark window its light text would stand on white"
    refused = ask(*EXAMPLE, "--svg", str(tmp_path / "no" / "such.svg"))
    assert (refused.code, refused.out) == (2, "")
    assert "cannot write" in refused.err


def test_without_matplotlib_a_png_is_refused_with_what_to_install(ask, monkeypatch, tmp_path):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.ticker"):
        monkeypatch.setitem(sys.modules, name, None)
    answer = ask(*EXAMPLE, "--png", str(tmp_path / "curve.png"))
    assert answer.code == 2
    assert 'pip install "preheat[plots]"' in answer.err


def test_a_terminal_without_unicode_gets_ascii(command):
    answer = command(*EXAMPLE, PYTHONIOENCODING="ascii")
    assert answer.returncode == 0
    assert answer.stdout.isascii()
    assert "0 ... 999 1,000 0.01 -> 0.1 ramp(0.01, 0.1, 1000)" in " ".join(answer.stdout.split())
    assert "***" in answer.stdout


def test_it_loads_neither_torch_nor_numpy_nor_rich():
    code = "import sys; from preheat.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    answer = subprocess.run([sys.executable, "-c", code, *EXAMPLE], capture_output=True, text=True, encoding="utf-8")
    loaded = {name.split(".")[0] for name in answer.stderr.split()}
    assert "cyclopts" in loaded
    assert not loaded & {"torch", "numpy", "rich", "matplotlib", "jax", "scipy"}
    assert not loaded & {"html", "tomllib", "docstring_parser"}, "what only pictures, presets and help pages need"


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="measures the processor time of a child")
def test_it_answers_within_half_a_second(command):
    """Processor time, the best of three: how long a busy machine lets it wait says nothing about it."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert command(*EXAMPLE).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5
