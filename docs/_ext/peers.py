"""Other libraries' schedulers, as preheat restates them: ```{peers}``` shows each library with its schedulers."""

import inspect
from collections.abc import Iterator

from docstrings import described
from docutils import nodes
from docutils.statemachine import StringList
from reference import call, known, meanings, sections, types
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from preheat.compat import PEERS, peer
from preheat.core.findings import CODES


class Peers(SphinxDirective):
    """Every library that is restated."""

    def run(self) -> list[nodes.Node]:
        return sections(self, self.libraries())

    def libraries(self) -> Iterator[tuple[str, list[nodes.Node]]]:
        for library in sorted(PEERS):
            one = peer(library)
            held = nodes.paragraph("", f"Held against version {one.version}: ", nodes.literal("", one.source))
            blocks = [
                f"````{{py:function}} preheat.compat.{library}.{name}{call(function)}\n"
                f"```{{restated}} {library} {name}\n```\n````"
                for name, function in sorted(one.functions.items())
            ]
            holder = nodes.container()
            self.state.nested_parse(StringList("\n\n".join(blocks).splitlines(), source=self.env.docname), 0, holder)
            yield library, [held, *holder.children]


class Restated(SphinxDirective):
    """What is said of one scheduler."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        function = peer(self.arguments[0])[self.arguments[1]]
        return described(inspect.getdoc(function) or "", types(function), known())


class Codes(SphinxDirective):
    """Every kind of finding."""

    def run(self) -> list[nodes.Node]:
        return [meanings(CODES)]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("peers", Peers)
    app.add_directive("restated", Restated)
    app.add_directive("codes", Codes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
