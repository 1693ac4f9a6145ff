"""The frame of the report: one page with everything inside it, no script, nothing to load."""

from collections.abc import Sequence
from html import escape

from preheat.lab.report.style import STYLE
from preheat.plots.charts import style, swatch

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Even if a name that slipped through carried markup, the browser would fetch and run nothing."""


def page(title: str, body: str, series: int = 0) -> str:
    """The whole document; `series` is the highest number of curves that one legend can hide."""
    hidden = "".join(f".curves:has(.t{k}:not(:checked)) .k{k}{{display:none}}" for k in range(series))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style()}{STYLE}{hidden}</style></head>\n"
        f'<body><a class="skip" href="#results">Skip to the results</a><main id="results">{body}</main></body></html>\n'
    )


def element(name: str, text: object, **attributes: str) -> str:
    """`<name …>text</name>`, text and attributes escaped; `class_` is written class, `data_label` data-label."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{given}>{escape(str(text))}</{name}>"


def section(key: str, title: str, body: str) -> str:
    """A part of the page with its heading, to which a link can lead."""
    return (
        f'<section id="{key}" aria-labelledby="{key}-title">{element("h2", title, id=f"{key}-title")}{body}</section>'
    )


def contents(entries: Sequence[tuple[str, str]]) -> str:
    """Links to the sections."""
    links = "".join(f"<li>{element('a', title, href=f'#{key}')}</li>" for key, title in entries)
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def cards(columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table that becomes a card per row on a narrow screen, each cell with the name of its column.

    The roles are written out, because a table that is not laid out as one is none to a screen reader.
    """
    head = "".join(element("th", column, scope="col", role="columnheader") for column in columns)
    body = ""
    for first, *others in rows:
        values = "".join(card_value(column, text) for column, text in zip(columns[1:], others, strict=True))
        body += f'<tr role="row">{element("th", first, scope="row", role="rowheader")}{values}</tr>'
    inner = f'<thead role="rowgroup"><tr role="row">{head}</tr></thead><tbody role="rowgroup">{body}</tbody>'
    return scrolled(f'<table class="cards" role="table" aria-label="{escape(caption)}">{inner}</table>', caption)


def card_value(column: str, text: str) -> str:
    """One cell; what is empty is left out where the row is a card."""
    more = {"class_": "none"} if text == "–" else {}
    return element("td", text, data_label=column, role="cell", **more)


def rows_table(columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table of numbers, which scrolls sideways where it is too wide."""
    head = "".join(element("th", column, scope="col") for column in columns)
    body = "".join(
        f"<tr>{element('th', first, scope='row')}{''.join(element('td', text) for text in others)}</tr>"
        for first, *others in rows
    )
    label = f'aria-label="{escape(caption)}"'
    return scrolled(f"<table {label}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", caption)


def scrolled(inner: str, label: str) -> str:
    """Something wide in a box that scrolls by itself, by keyboard too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">{inner}</div>'


def folded(summary: str, inner: str) -> str:
    """What is shown when it is asked for."""
    return f"<details>{element('summary', summary)}{inner}</details>"


def figure(chart: str, caption: str, numbers: str = "") -> str:
    """A chart with what there is to say of it, and its numbers."""
    said = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure tabindex="0">{chart}{said}{folded("Numbers", numbers) if numbers else ""}</figure>'


def legend(names: Sequence[str]) -> str:
    """Names with their colours and dashes; each shows or hides its curves in the same `.curves`."""
    boxes = (
        f'<label><input type="checkbox" class="t{k}" checked>{swatch(k)}{element("span", name)}</label>'
        for k, name in enumerate(names)
    )
    return f'<fieldset class="legend"><legend>Curves shown</legend>{"".join(boxes)}</fieldset>'


def facts(pairs: Sequence[tuple[str, str]], code: bool = False) -> str:
    """Names with their values."""
    values = [(element("dt", name), element("code" if code else "span", text)) for name, text in pairs]
    return f"<dl>{''.join(f'{name}<dd>{text}</dd>' for name, text in values)}</dl>"
