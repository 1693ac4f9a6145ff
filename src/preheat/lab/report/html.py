"""The report of an experiment: one HTML page that needs nothing but itself.

The first screen answers: of each study the sentence and the picture, and what to run next. Then for each study the verdict in
full, the tables and the charts, then how to do it again and where it was done. The templates escape every text, links are
relative, and nothing is fetched.
"""

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from preheat.lab.report import table
from preheat.lab.report.next_step import next_steps
from preheat.lab.report.panels import StudyPanels
from preheat.lab.report.reproduce import environment_pairs, reproduction
from preheat.lab.statistics.headline import headline
from preheat.lab.statistics.target import target_sentences
from preheat.lab.statistics.verdict import headed, study_verdict
from preheat.lab.summary import Summary, environments
from preheat.plots.panel import INK, SCALE
from preheat.plots.svg import style, svg, swatch

LONG = 320  # characters of a verdict that are easily read in one piece


def report_html(summary: Summary) -> str:
    """The page as text."""
    pages = [StudyPanels(*both) for both in zip(summary.studies, summary.records, strict=True)]
    known = {"environments": environments(summary), "steps": next_steps(summary), "pages": pages}
    return templates().get_template("report.html").render(summary=summary, **known)


@cache
def templates() -> Environment:
    """The templates of the page, with what they call."""
    found = Environment(
        loader=PackageLoader("preheat.lab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    called: dict[str, Any] = {
        "chart": lambda panel, height=300: Markup(svg(panel, height=height, in_page=True)),
        "chart_style": Markup(style()),
        "swatch": lambda style: Markup(swatch(style)),
        "scale": list(zip(SCALE, INK, strict=True)),
        "table": table,
    }
    for function in (clauses, environment_pairs, headed, headline, reproduction, study_verdict, target_sentences):
        called[function.__name__] = function
    found.globals.update(called)
    return found


def clauses(text: str) -> tuple[list[str], list[str]]:
    """A long verdict by its clauses: what is shown, and what is folded, all after the first sentence if that is much."""
    if len(text) <= LONG:
        return [text], []
    first, *rest = [re.split(r"(?<=;) ", sentence) for sentence in re.split(r"(?<=[.]) ", text)]
    more = [clause for sentence in rest for clause in sentence]
    return (first, more) if len(more) > 2 else (first + more, [])
