import math
from xml.etree import ElementTree

import pytest
from made_runs import NONE, compared, gridded, made_run, made_summary, many_arms, plain_study, unstable

from preheat.core.errors import PreheatError
from preheat.lab.report.figure import WIDTHS, save_figure
from preheat.plots.mpl import look

pytest.importorskip("matplotlib")
MAKES = {"plain": compared, "grid": gridded, "unstable": unstable, "many": many_arms}


def saved(summary, path, **more):
    save_figure(summary.studies, summary.records, path, **more)
    return path.read_bytes()


def size(png):
    """Width and height, as the header of a PNG says."""
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", MAKES)
def test_a_figure_is_as_wide_as_its_columns_at_300_dots_an_inch(name, columns, tmp_path):
    width, height = size(saved(MAKES[name](), tmp_path / "figure.png", columns=columns))
    assert width == round(WIDTHS[columns] * 300)
    assert height > 500


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_runs_give_the_same_file(suffix, tmp_path):
    summary = gridded()
    assert saved(summary, tmp_path / f"a.{suffix}") == saved(summary, tmp_path / f"b.{suffix}")


def test_several_formats_are_written_at_once(tmp_path):
    summary = compared()
    save_figure(summary.studies, summary.records, tmp_path / "a.png", tmp_path / "a.svg")
    assert size((tmp_path / "a.png").read_bytes())[0] == 2040
    ElementTree.parse(tmp_path / "a.svg")


def test_text_in_an_svg_is_text_and_nothing_of_the_day_is_in_it(tmp_path):
    text = saved(gridded(), tmp_path / "a.svg").decode()
    words = "".join(ElementTree.fromstring(text).itertext())
    assert all(word in words for word in ("made study", "none", "linear", "2.410", "against the peak", "0.003"))
    assert "<dc:date>" not in text


def test_names_are_shown_as_they_are(tmp_path):
    summary = compared(arms=(NONE, type(NONE)("_$x_1$ <b>&", "decay()")))
    assert "$x_1$ <b>&" in "".join(ElementTree.fromstring(saved(summary, tmp_path / "a.svg")).itertext())


def test_names_that_differ_at_their_ends_do_so_in_the_figure(tmp_path):
    arms = tuple(type(NONE)(f"a rather long name of an arm {k}", f"warmup({k + 1}) >> decay()") for k in range(8))
    text = saved(compared(arms=arms), tmp_path / "a.svg").decode()
    shown = {word for word in ElementTree.fromstring(text).itertext() if "…" in word}
    assert len(shown) == 8
    assert len({(look(k)["color"], str(look(k)["ls"])) for k in range(8)}) == 8


def test_letters_that_no_font_has_are_no_warning(tmp_path, recwarn):
    saved(compared(arms=(NONE, type(NONE)("日本語 𓀀", "decay()"))), tmp_path / "a.png")
    assert [str(one.message) for one in recwarn] == []


@pytest.mark.parametrize("losses", [[1e300, 2.0], [math.nan, math.inf], [0.0, 0.0], [-1.0, 5e-324]])
def test_whatever_was_measured_has_a_figure(losses, tmp_path):
    def run_of(arm, seed):
        run = made_run(losses[0] if math.isfinite(losses[0]) else 2.0, seed=seed)
        run.columns["loss"][:] = (losses * len(run.steps))[: len(run.steps)]
        return run

    assert saved(made_summary(plain_study(), run_of), tmp_path / "a.png")


def test_where_nothing_has_run_there_is_a_figure_too(tmp_path):
    assert saved(made_summary(plain_study(), lambda arm, seed: None), tmp_path / "a.png")


def test_other_endings_and_widths_are_refused(tmp_path):
    with pytest.raises(PreheatError, match=r"ends in \.png, \.svg or \.pdf, not a\.jpg"):
        saved(compared(), tmp_path / "a.jpg")
    with pytest.raises(PreheatError, match="1 or 2 columns wide, not 3"):
        saved(compared(), tmp_path / "a.png", columns=3)
