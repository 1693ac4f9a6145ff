"""The frame of the report: one page with everything inside it, no script, nothing to load."""

from html import escape

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Even if a name that slipped through carried markup, the browser would fetch and run nothing."""

STYLE = """
:root{color-scheme:light dark;--page:#fff;--text:#14181d;--soft:#5b6470;--line:#e3e6ea;--card:#f6f7f9;--accent:#0b63b5}
@media(prefers-color-scheme:dark){:root{--page:#14181d;--text:#e6e9ed;--soft:#a7b0ba;--line:#2c333b;--card:#1b2027;--accent:#6cb2ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 16px}
h2{font-size:1.25rem;margin:48px 0 4px}
h3{font-size:1rem;margin:24px 0 4px}
.soft,small{color:var(--soft)}
.verdict{border-left:4px solid var(--accent);background:var(--card);padding:12px 16px;margin:12px 0}
.verdict b{display:block}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px;margin:16px 0}
.charts>*{border:1px solid var(--line);border-radius:8px;padding:8px}
.charts svg{display:block;width:100%;height:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:16px 0 4px}
th,td{text-align:right;padding:6px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
td{font-variant-numeric:tabular-nums}
th{color:var(--soft);font-weight:600}
th:first-child,td:first-child{text-align:left;padding-left:0;font-weight:600;white-space:normal}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:12px 0}
dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
code,pre{font:.88em/1.5 ui-monospace,monospace}
pre{background:var(--card);padding:12px 16px;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}
a{color:var(--accent)}
ul.records{columns:18rem;padding-left:1.2em}
@media(max-width:720px){
 main{padding:20px 14px 48px}
 thead{display:none}
 table,tbody,tr,td{display:block}
 tr{border:1px solid var(--line);border-radius:8px;padding:6px 12px;margin:10px 0}
 td{display:flex;justify-content:space-between;gap:16px;padding:3px 0;border:0}
 td::before{content:attr(data-label);color:var(--soft);font-weight:400}
 td.none{display:none}.charts>*{padding:4px}
 td:first-child{font-size:1.05em}td:first-child::before{content:none}
 dl{grid-template-columns:1fr}dd{margin-bottom:6px}
}
"""


def page(title: str, body: str) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )


def element(name: str, text: object, **attributes: str) -> str:
    """`<name …>text</name>`, text and attributes escaped; `class_` is written class, `data_label` data-label."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{given}>{escape(str(text))}</{name}>"


def rows_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table that becomes a card per row on a narrow screen, each cell with the name of its column."""
    head = "".join(element("th", column, scope="col") for column in columns)
    body = ""
    for row in rows:
        cells = "".join(cell(column, text) for column, text in zip(columns, row, strict=True))
        body += f"<tr>{cells}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def cell(column: str, text: str) -> str:
    """One cell; what is empty is left out where the row is a card."""
    return (
        element("td", text, data_label=column, class_="none") if text == "–" else element("td", text, data_label=column)
    )


def facts(pairs: list[tuple[str, str]], code: bool = False) -> str:
    """Names with their values."""
    values = [(element("dt", name), element("code" if code else "span", text)) for name, text in pairs]
    return f"<dl>{''.join(f'{name}<dd>{text}</dd>' for name, text in values)}</dl>"
