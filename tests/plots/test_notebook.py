"""What a notebook shows of schedules, plans and schedulers: well-formed, escaped, in light and dark, and never an error."""

import copy
import pickle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from chromium import launched
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import endless, growing, trees, written_spans

import preheat as ph
from preheat.plots.panel import DARK, LIGHT

RUN = ph.Run(total=1000)
MIXED = ph.warmup(500) >> ph.decay()


def shown(value: Any) -> ElementTree.Element:
    """What is shown, as a tree: HTML that is well-formed XML too."""
    return ElementTree.fromstring(value._repr_html_())


def texts(tree: ElementTree.Element) -> list[str]:
    return ["".join(one.itertext()).strip() for one in tree.iter() if one.tag in ("text", "code", "p", "td", "th")]


def cells(tree: ElementTree.Element) -> list[list[str]]:
    return [[cell.text or "" for cell in row] for row in tree.iter("tr")]


def charts(tree: ElementTree.Element) -> list[ElementTree.Element]:
    return [element for element in tree.iter("svg") if element.get("role") == "img"]


def test_a_bound_schedule_shows_its_curve_and_phases() -> None:
    tree = shown((ph.warmup("5%") >> ph.decay(to=0.1)).bind(RUN))
    assert len(charts(tree)) == 1
    assert cells(tree) == [
        ["updates", "length", "value", "part"],
        ["0 … 49", "50", "0 → 1", "ramp(0.0, 1.0, 50)"],
        ["50 … 999", "950", "1 → 0.1", "ramp(1.0, 0.1, 950)"],
    ]
    assert {"lr, factor", "update", "ramp(0.0, 1.0, 50) >> ramp(1.0, 0.1, 950)"} <= set(texts(tree))


def test_shares_of_a_run_are_drawn_as_shares_and_ticks_as_ticks() -> None:
    assert "% of the run" in texts(shown(ph.warmup("5%") >> ph.decay()))
    assert "update" in texts(shown(ph.warmup(5) >> ph.decay(10)))
    assert "update, goes on" in texts(shown(ph.warmup(4000) >> ph.invsqrt(4000)))


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        (MIXED, "how long ramp(1.0, 0.0, 'rest') lasts is not known"),
        (ph.warmup("2 epochs") >> ph.hold(), "'2 epochs' has no length until the run is known"),
        (ph.decay(shape="log"), "how long"),
        (ph.warmup("60%") >> ph.decay("60%"), "need 1200"),
        (ph.hold(1e300, 5).scaled(1e300), "its values overflow"),
        (ph.rectified(0.999) * ph.decay(), "how long"),
    ],
)
def test_what_has_no_curve_without_a_run_says_why_and_lists_its_parts(schedule: ph.Schedule, why: str) -> None:
    tree = shown(schedule)
    assert not charts(tree)
    said = [text for text in texts(tree) if text.startswith("No curve: ")]
    assert said
    assert why in said[0]
    assert cells(tree)[0] == ["part"]
    assert len(cells(tree)) > 1


def test_a_plan_shows_each_line_and_rates_have_no_factor() -> None:
    tree = shown(
        ph.Plan({"lr": ph.warmup("5%") >> ph.decay(), "weight_decay": ph.absolute(ph.hold(0.1)), "x/lr": MIXED})
    )
    assert [chart.get("aria-label") for chart in charts(tree)] == ["lr, factor", "weight_decay"]
    assert {"Plan of 3 lines", "x/lr: ramp(0.0, 1.0, 500) >> ramp(1.0, 0.0, 'rest')"} <= set(texts(tree))
    assert [chart.get("aria-label") for chart in charts(shown(ph.absolute(ph.hold(0.1))))] == ["lr"]
    assert [chart.get("aria-label") for chart in charts(shown(ph.relative(ph.hold(3))))] == ["lr, factor"]


def test_a_scheduler_shows_where_it_is_and_asking_changes_nothing() -> None:
    torch = pytest.importorskip("torch")
    from preheat.torch import Scheduler

    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))], lr=1e-3)
    scheduler = Scheduler(optimizer, ph.Plan({"lr": MIXED, "weight_decay": ph.absolute(ph.hold(0.1))}), run=RUN)
    for _ in range(250):
        optimizer.step()
        scheduler.step()
    before = copy.deepcopy(scheduler.state_dict())
    tree = shown(scheduler)
    assert scheduler.state_dict() == before
    assert "Scheduler(position 250 of 1000, lr=0.0005)" in texts(tree)
    dots = [dot for chart in charts(tree) for dot in chart.iter("circle")]
    axis = next(path for path in charts(tree)[0].iter("path") if path.get("class") == "axis").get("d")
    left, right = float(axis[1:].split()[0]), float(axis.split("H")[1])
    assert float(dots[0].get("cx")) == pytest.approx(left + (right - left) * 250 / 999, abs=0.1)
    assert len(dots) == 2
    assert repr(scheduler) == "Scheduler(position 250 of 1000, lr=0.0005)"


def test_names_are_escaped() -> None:
    tree = shown(ph.Plan({"<script>alert(1)</script>&\"'/lr": ph.decay(5)}))
    assert not [*tree.iter("script")]
    assert any(text.startswith("<script>alert(1)</script>&\"'/lr: ramp") for text in texts(tree))


def test_a_long_text_is_cut_and_many_phases_are_counted() -> None:
    steps = ph.steps([1 / k for k in range(1, 400)], [3] * 399)
    tree = shown(steps)
    assert max(map(len, texts(tree))) < 2000
    assert cells(tree)[-1] == ["and 387 more"]
    assert len(steps._repr_html_()) < 40_000


@settings(max_examples=min(60, settings().max_examples))
@given(st.one_of(trees(written_spans, 2), growing(depth=2), endless()), st.sampled_from(["", "absolute", "bound"]))
def test_every_schedule_shows_something(s: ph.Schedule, kind: str) -> None:
    if kind == "bound":
        try:
            s = s.bind(ph.Run(total=999, steps_per_epoch=7, samples_per_step=32, tokens_per_step=4096), truncate=True)
        except ph.BindError:
            return
    tree = shown(ph.absolute(s) if kind == "absolute" else s)
    assert charts(tree) or any(text.startswith("No curve: ") for text in texts(tree))
    assert cells(tree)


def test_values_stay_values() -> None:
    s = (ph.warmup("5%") >> ph.decay()).bind(RUN)
    s._repr_html_()
    assert not vars(s)
    assert pickle.loads(pickle.dumps(s)) == s


def test_colours_follow_the_notebook_and_else_the_system(tmp_path: Path) -> None:
    """In a browser: what a JupyterLab or VS Code page says comes first."""
    said = {
        "": {"light": LIGHT[0], "dark": DARK[0]},
        'data-jp-theme-light="false"': {"light": DARK[0], "dark": DARK[0]},
        'data-jp-theme-light="true"': {"light": LIGHT[0], "dark": LIGHT[0]},
        'class="vscode-dark"': {"light": DARK[0], "dark": DARK[0]},
    }
    html = ph.decay(10)._repr_html_()
    with launched() as browser:
        for body, colours in said.items():
            for scheme, colour in colours.items():
                page = browser.new_page(color_scheme=scheme)
                page.set_content(f"<body {body}>{html}</body>")
                found = page.evaluate("getComputedStyle(document.querySelector('.preheat-chart .line.s0')).stroke")
                channels = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
                assert found == f"rgb({channels[0]}, {channels[1]}, {channels[2]})", (body, scheme)
                page.close()


def test_a_plan_of_many_lines_is_cut_as_a_table_is() -> None:
    html = ph.Plan({f"group_{i}/lr": "warmup(10) >> decay(90)" for i in range(500)})._repr_html_()
    assert html.count("<table>") == 12
    assert "and 488 more lines" in html
