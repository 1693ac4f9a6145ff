"""Files of the repository that pages link to, `../examples/stages.py`, as pages of source. On GitHub the link is the file
itself; here it is a page beside it, so that a site on a disk is whole, and no address of a repository stands in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).parents[2]
_LANGUAGES = {
    ".py": "python",
    ".toml": "toml",
    ".json": "json",
    ".jsonl": "json",
    ".yaml": "yaml",
    ".md": "markdown",
    ".sh": "bash",
}


class Linked(SphinxTransform):
    """Turns a link to a file with text, which would be a download, into one to its page; pictures stay what they are."""

    default_priority = 50  # before downloads are collected

    def apply(self, **_: Any) -> None:
        for node in list(self.document.findall(addnodes.download_reference)):
            path = (Path(self.env.doc2path(self.env.docname)).parent / node["reftarget"]).resolve()
            if path.suffix not in _LANGUAGES:
                continue
            page = f"source/{path.relative_to(ROOT).as_posix()}"
            _linked(self.env).setdefault(self.env.docname, set()).add(page)
            up = "../" * self.env.docname.count("/")
            node.replace_self(nodes.reference("", "", *node.children, refuri=f"{up}{page}.html", internal=True))


def _linked(env: BuildEnvironment) -> dict[str, set[str]]:
    if not hasattr(env, "preheat_linked"):
        env.preheat_linked = {}
    return env.preheat_linked


def _forget(_: Sphinx, env: BuildEnvironment, page: str) -> None:
    _linked(env).pop(page, None)


def _pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    for page in sorted(set().union(*_linked(app.env).values())):
        path = page.removeprefix("source/")
        text = (ROOT / path).read_text()
        shown = app.builder.highlighter.highlight_block(text, _LANGUAGES[Path(path).suffix], linenos=False)
        yield page, {"title": path, "body": f"<h1>{path}</h1>{shown}", "parents": []}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(Linked)
    app.connect("env-purge-doc", _forget)
    app.connect("html-collect-pages", _pages)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
