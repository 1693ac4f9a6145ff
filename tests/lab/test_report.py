import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_runs import experiment_of

from preheat.lab.experiment import Experiment
from preheat.lab.report import relative, report_html
from preheat.lab.summary import Failure, to_dict

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


def page_of(summary_from, table, **more):
    text = report_html(summary_from(table, **more))
    return text, Page(text)


def test_the_page_asks_for_nothing_and_runs_nothing(summary_from):
    text, page = page_of(summary_from, {"none": [2.5, 2.6], "linear": [2.1, 2.2]})
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text
    assert "@import" not in text
    assert {tag for tag, _ in page.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "b", "span", "div"),
        *("table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "code", "pre", "ul", "li", "a"),
        *("svg", "path", "text", "circle"),
    }
    assert not any("src" in attributes for _, attributes in page.tags)
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_links_are_relative_and_no_path_of_the_machine_is_written(summary_from, tmp_path):
    command = ("preheat", "compare", "digits", "--out", str(tmp_path / "here"), f"--data={tmp_path}/there")
    text, page = page_of(summary_from, {"none": [2.5], "linear": [2.1]}, command=command)
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert "runs/fake-study-none-seed0.jsonl" in links
    assert all(re.fullmatch(r"[\w-]+(/[\w.-]+)*\.\w+", link) for link in links)
    assert "preheat compare digits --out here --data=there" in page.text
    for path in (str(tmp_path), str(Path.home()), str(Path.cwd())):
        assert path not in text


def test_a_hostile_name_is_only_text(summary_from):
    table = {name: [2.0 + 0.1 * k, 2.1 + 0.2 * k] for k, name in enumerate(HOSTILE)}
    failure = Failure("<b>run</b>", "<i>Error</i>: /secret/place")
    text, page = page_of(summary_from, table, failures=[failure])
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "i"})
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert all(name in page.text for name in HOSTILE)
    assert "<b>run</b>: <i>Error</i>" in page.text
    assert "secret" not in text


def test_verdicts_come_first_then_the_numbers(summary_from):
    summary = summary_from({"none": [2.5, 2.6], "linear": [2.1, 2.2]})
    page = Page(report_html(summary))
    places = [
        page.text.index(word) for word in (summary.verdicts[0], "2.550 ± 0.071", "How to reproduce", "Environment")
    ]
    assert places == sorted(places)


def test_without_a_command_the_page_shows_python_that_makes_the_same_experiment(summary_from):
    summary = summary_from({"none": [2.5], "linear": [2.1]})
    script = re.search(r"<pre>(.*?)</pre>", report_html(summary), re.DOTALL)[1]
    seen = {}
    from html import unescape

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
    assert set(linear["difference"]) == {"mean", "low", "high", "seeds", "better"}
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
    from preheat.lab.summary import summary_of

    page = Page(report_html(summary_of(experiment_of(), {})))
    assert "No run has finished." in page.text
