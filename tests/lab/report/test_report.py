import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from fake_runs import experiment_of
from made_runs import compared, gridded, made_run, made_summary, plain_study, unstable

from preheat.lab.experiment import Experiment, Metric, TargetValue
from preheat.lab.naming import relative
from preheat.lab.report.html import LONG, report_html, templates
from preheat.lab.statistics.race import RaceSummary
from preheat.lab.summary import Failure, summary_of, to_dict
from preheat.plots.panel import SCALE

HOSTILE = [
    '<script>alert("1")</script>',
    "a\"b' onload='x",
    "</style><img src=x>",
    "https://example.org/x",
    "$x_1$ & co",
]


class Page(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag, kind=""):
        """The attributes of every such tag, of a class where one is given."""
        return [given for name, given in self.tags if name == tag and kind in ("", *given.get("class", "").split())]


def verdict_html(text):
    return str(templates().get_template("macros.html").module.verdict(text))


def page_of(summary_from, table, **more):
    text = report_html(summary_from(table, **more))
    return text, Page(text)


@pytest.mark.parametrize("make", [compared, gridded, unstable])
def test_the_page_asks_for_nothing_and_runs_nothing(make):
    text = report_html(make())
    page = Page(text)
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text
    assert "@import" not in text
    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "b", "span", "div", "small"),
        *("table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "code", "pre", "ul", "li", "a", "i"),
        *("nav", "section", "figure", "figcaption", "details", "summary", "fieldset", "legend", "label", "input"),
        *("svg", "path", "text", "circle"),
    }
    assert not any("src" in attributes for _, attributes in page.tags)
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_links_are_relative_and_no_path_of_the_machine_is_written(summary_from, tmp_path):
    command = ("preheat", "compare", "digits", "--out", str(tmp_path / "here"), f"--data={tmp_path}/there")
    text, page = page_of(summary_from, {"none": [2.5], "linear": [2.1]}, command=command)
    links = [given["href"] for given in page.all("a") if not given["href"].startswith("#")]
    assert "runs/fake-study-none-seed0.jsonl" in links
    assert all(re.fullmatch(r"[\w-]+(/[\w.-]+)*\.\w+", link) for link in links)
    assert "preheat compare digits --out here --data=there" in page.text
    for path in (str(tmp_path), str(Path.home()), str(Path.cwd())):
        assert path not in text


def test_a_hostile_name_is_only_text(summary_from):
    table = {name: [2.0 + 0.1 * k, 2.1 + 0.2 * k] for k, name in enumerate(HOSTILE)}
    failure = Failure("<b>run</b>", "<i>Error</i>: /secret/place")
    text, page = page_of(summary_from, table, failures=[failure])
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "i"})  # no heat map here, so no i of our own
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert all(name in page.text for name in HOSTILE)
    assert "<b>run</b>: <i>Error</i>" in page.text
    assert "secret" not in text


def test_the_sentence_comes_first_then_what_to_do_next_then_the_verdict_and_the_numbers(summary_from):
    command = ("preheat", "compare", "bytes", "--seeds", "2", "--out", "x")
    summary = summary_from({"none": [2.5, 2.6], "linear": [2.1, 2.21]}, command=command)
    page = Page(report_html(summary))
    words = (summary.headlines[0], "What to do next", summary.verdicts[0], "2.550 ± 0.071", "Values are the mean")
    places = [page.text.index(word) for word in (*words, "threads a run")]
    assert places == sorted(places)


def test_without_a_command_the_page_shows_python_that_makes_the_same_experiment(summary_from):
    summary = summary_from({"none": [2.5], "linear": [2.1]})
    script = re.search(r"<pre>(.*?)</pre>", report_html(summary).split('id="again"')[1], re.DOTALL)[1]
    seen = {}
    code = unescape(script).replace('if __name__ == "__main__":', "if True:").replace("run_experiment(", "keep(")
    exec(
        code.replace("import run_experiment", "import run_experiment as _"),
        {"keep": lambda *given: seen.update(x=given)},
    )
    made = seen["x"][0]
    assert isinstance(made, Experiment)
    assert [trial.identity for trial in made.trials()] == [trial.identity for trial in summary.experiment.trials()]


@pytest.mark.parametrize(
    "table",
    [
        {"none": [], "linear": [2.0]},
        {"none": [3e38, 2.5], "linear": [2.0, 1e300]},
        {"none": [None, None], "linear": [None, 2.1]},
        {"none": [2.0]},
    ],
)
def test_a_page_can_be_made_of_whatever_there_is(summary_from, table):
    text, page = page_of(summary_from, table)
    assert "nan" not in page.text.split("How to reproduce")[0].lower().replace("finan", "")
    assert text.endswith("</html>\n")


def test_a_single_update_has_a_page(summary_from):
    assert "Training loss" in report_html(summary_from({"none": [2.0, 2.1], "linear": [2.2, 2.3]}, steps=1))


def test_the_summary_holds_every_number_of_the_table_and_is_strict_json(summary_from):
    summary = summary_from({"none": [2.5, 2.6], "linear": [2.1, 2.2], "wild": [None, 2.0]}, diverged={("none", 0)})
    value = json.loads(json.dumps(to_dict(summary), allow_nan=False))
    study = value["studies"][0]
    none, linear, wild = study["arms"]
    assert study["verdict"] == summary.verdicts[0]
    assert study["first"] == "none"
    assert study["seeds"] == [0, 1]
    assert none["losses"] == {"0": 2.5, "1": 2.6}
    assert (none["mean"], none["diverged"], none["difference"]) == (2.55, 1, None)
    assert linear["difference"]["mean"] == pytest.approx(-0.4)
    assert set(linear["difference"]) >= {"mean", "low", "high", "seeds", "better"}
    assert (wild["mean"], wild["non_finite"], wild["losses"]["0"]) == (None, 1, None)
    assert value["environment"][0]["runs"] == 6


def test_runs_from_different_places_are_told_apart(summary_from):
    summary = summary_from({"none": [2.5], "linear": [2.1]})
    next(iter(summary.records[0].values())).header["threads"] = 7
    assert [group["runs"] for group in to_dict(summary)["environment"]] == [1, 1]
    assert "threads a run: 7" in report_html(summary)


def test_only_absolute_paths_lose_their_folders():
    kept = ("runs/demo", "--arm", "none=decay()", "a=ramp(1/4, 1, 3)", "--out=runs/x", "make")
    assert [relative(word) for word in kept] == list(kept)
    assert relative("/srv/someone/runs/x") == "x"
    assert relative("C:\\Users\\someone\\x") == "x"
    assert relative("/") == "."


def test_an_experiment_says_what_it_was_when_nothing_has_run(summary_from):
    page = Page(report_html(summary_of(experiment_of(), {})))
    assert "No run has finished." in page.text


def test_a_page_has_one_heading_a_way_past_it_and_a_name_for_every_part():
    page = Page(report_html(gridded()))
    assert len(page.all("h1")) == 1
    assert page.all("a", "skip") == [{"class": "skip", "href": "#results"}]
    assert all(given.get("aria-labelledby") for given in page.all("section"))
    assert [given["href"][1:] for given in page.all("a") if given["href"].startswith("#")][1:] == [
        given["id"] for given in page.all("section")
    ]


def test_every_curve_has_its_numbers_as_a_table():
    page = Page(report_html(compared()))
    assert len(page.all("figure")) == page.text.count("Numbers") == 3  # the picture at the head has two charts
    assert all(title in page.text for title in ("Training loss", "Against none", "Schedule", "Gradient norm"))


def test_what_a_band_is_stands_below_it():
    assert "Band: lowest to highest seed." in report_html(compared(seeds=3))
    assert "Band: 95 % t interval." in report_html(compared(seeds=5))
    assert "Band" not in report_html(compared(seeds=1))


def test_instabilities_are_marked_by_shape_told_in_words_and_counted():
    text = report_html(unstable())
    page = Page(text)
    assert "none, seed 0: loss spike at update 40, loss 11" in page.text
    assert "none, seed 1: loss no longer finite at update 30" in page.text
    assert "△ loss spike" in page.text
    assert "✕ loss no longer finite" in page.text
    assert re.search(r"none</th><td>1</td><td>1 of 3</td><td>40</td><td>30 \(seed 1\), 0 \(seed 2\)</td>", text)
    assert "No spike of the loss" in report_html(compared())


def test_where_no_rate_was_logged_the_schedules_are_drawn():
    assert "Computed from the schedules; the runs logged no lr." in report_html(compared(lr=False))
    assert "As logged by the runs." in report_html(compared())


def test_a_heat_map_has_a_value_in_each_cell_and_signs_that_are_not_colours():
    page = Page(report_html(gridded()))
    cells = [
        given["class"].split() for given in page.all("td") if re.search(r"\b(h\d|hatched)", given.get("class", ""))
    ]
    assert len(cells) == 6
    assert [kinds for kinds in cells if "hatched" in kinds] == [["hatched"]]
    assert [kinds for kinds in cells if "best" in kinds] == [["h0", "best"]]
    assert sum("edge" in kinds for kinds in cells) == 1  # the other family trains everywhere
    assert "2.410★ best" in page.text
    assert "–✕ 3 of 3" in page.text


def test_the_colours_of_a_heat_map_get_lighter_in_even_steps():
    def light(colour):
        """The lightness of CIE L*a*b*."""
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 116 * sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True)) ** (1 / 3) - 16

    steps = [light(after) - light(before) for before, after in pairwise(SCALE)]
    assert min(steps) > 0.7 * max(steps) > 0


def test_a_grid_shows_its_families_the_best_peak_and_every_metric():
    page = Page(report_html(gridded()))
    assert "Validation loss against the peak" in page.text
    assert "Each at its best peak, against none @ 0.003" in page.text
    assert "Training loss at peak 0.003" in page.text
    assert "Loss at the 2 other peaks" in page.text
    assert "Accuracy (higher is better)" in page.text
    assert page.text.index("Failed runs") < page.text.index("trains up to")


def test_where_higher_is_better_the_arrows_say_so():
    study = plain_study(metrics=(Metric("accuracy", "max"),))
    table = {"none": 0.5, "linear": 0.6}
    summary = made_summary(
        study, lambda arm, seed: made_run(2.0, seed=seed, others={"accuracy": table[arm.name] + seed / 50}.items())
    )
    assert "← worse · difference of accuracy · better →" in report_html(summary)


def test_a_further_metric_has_a_table_of_its_own():
    study = plain_study(metrics=(Metric("val_loss"), Metric("old_loss")))
    made = made_summary(
        study, lambda arm, seed: made_run(2.0 + seed, seed=seed, others={"old_loss": 3.0 + seed}.items())
    )
    text = report_html(made)
    assert "<h3>Old loss (lower is better)</h3>" in text
    assert "4.000 ± 1.000" in text


def test_what_rises_is_drawn_whole_and_its_jumps_are_no_spikes():
    def run_of(arm, seed):
        run = made_run(2.0, seed=seed, others={"accuracy": 0.9}.items())
        run.columns["accuracy"] = [0.5 + 0.4 * (step > 40) for step in run.steps]
        del run.columns["loss"]
        return run

    page = Page(report_html(made_summary(plain_study(metrics=(Metric("accuracy", "max"),)), run_of)))
    assert "accuracy" in page.text
    assert "No spike of the loss" in page.text
    assert "0.9" in page.text


def test_a_race_says_what_it_saved_and_what_that_risks():
    summary = compared()
    race = RaceSummary({"linear": 2}, 6, 1, 0.031)
    raced = replace(summary, studies=(replace(summary.studies[0], race=race),))
    text = Page(report_html(raced)).text
    assert "Raced: 1 of 6 runs were not needed." in text
    assert "linear after 2" in text
    assert "3.1 %" in text


def test_people_s_own_training_is_reproduced_by_the_call_that_made_it():
    def train(schedule, seed, log):
        """Never called."""

    study = plain_study(metrics=(Metric("val_loss"), Metric("accuracy", "max")), function=train)
    text = unescape(report_html(made_summary(study, lambda arm, seed: None, command=())))
    assert "preheat.compare(\n" in text
    assert "metric=['val_loss', 'accuracy:max']" in text
    compile(re.search(r"<pre>(.*?)</pre>", text.split('id="again"')[1], re.DOTALL)[1], "again", "exec")


def test_a_long_verdict_is_laid_out_and_folded_without_changing_a_word():
    text = "First this; then that. " * 20
    out = verdict_html(text.strip())
    assert "<details>" in out
    assert re.sub(r"\s+", " ", re.sub("<summary>.*?</summary>|<[^>]+>", " ", out)).strip() == text.strip()
    assert verdict_html("x" * LONG) == f"<span>{'x' * LONG}</span>"


def test_a_large_grid_has_a_page_of_a_size_that_can_be_sent():
    started = time.process_time()
    text = report_html(gridded(peaks=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2), seeds=6))
    assert len(text) < 1_500_000
    assert time.process_time() - started < 20  # 60 runs take a fraction of a second; this only bounds a blow-up


def test_what_draws_and_what_fills_templates_is_loaded_where_a_report_is_made():
    code = "import sys, preheat.lab.driver; print({'jinja2', 'matplotlib'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize("make", [compared, gridded, unstable])
def test_a_summary_in_a_notebook_is_a_few_lines(make):
    summary = make()
    text = repr(summary)
    assert text.startswith(f"Summary of {summary.experiment.title}: {len(summary.records[0])} runs")
    assert summary.verdicts[0][:400] in text
    assert len(text) < 600 * (1 + len(summary.studies))


def test_what_is_said_of_a_target_is_not_folded():
    study = replace(plain_study(), target=TargetValue(2.6))
    text = report_html(made_summary(study, lambda arm, seed: made_run(2.5 + seed / 50 - 0.2 * (arm.name != "none"))))
    shown = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
    assert "Validation loss against the target: " in shown
