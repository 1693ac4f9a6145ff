"""A notebook for widgets, without Jupyter: a page with cells, and the kernel's side of one widget in this process."""

import json
from typing import Any

_PAGE = "<!doctype html><title>notebook</title><style>button {{ color: rgb(1, 2, 3) }}</style><body {theme}>{cells}"
_HOST = """async ([esm, state]) => {
  const listening = {}, changed = new Set()
  const tell = (event, ...more) => [...(listening[event] ?? [])].forEach(act => act(...more))
  window.hear = messages => {
    for (const [kind, content] of messages)
      if (kind == "message") tell("msg:custom", content, [])
      else { state[kind] = content; tell(`change:${kind}`) }
  }
  const say = async (kind, content) => hear(JSON.parse(await kernel(kind, JSON.stringify(content))))
  const model = {
    get: name => state[name],
    set: (name, value) => { state[name] = value; changed.add(name); tell(`change:${name}`) },
    save_changes: () => { say("state", Object.fromEntries([...changed].map(name => [name, state[name]]))); changed.clear() },
    on: (event, act) => (listening[event] ??= new Set()).add(act),
    off: (event, act) => listening[event]?.delete(act),
    send: content => say("message", content),
  }
  const widget = (await import(URL.createObjectURL(new Blob([esm], {type: "text/javascript"})))).default
  window.ends = []
  for (const el of document.querySelectorAll(".cell")) ends.push(await widget.render({model, el}))
}"""


class Notebook:
    """A widget in `cells` cells of a page. `questions`: what the page has asked so far."""

    def __init__(self, page: Any, widget: Any, cells: int = 1, theme: str = "") -> None:
        self.page, self.widget, self.said, self.questions = page, widget, [], set()
        widget.send = lambda content, buffers=None: self.said.append(("message", content))
        widget.observe(lambda change: self.said.append((change["name"], change["new"])), "document")
        page.expose_function("kernel", self._heard)
        page.set_content(_PAGE.format(theme=theme, cells='<div class="cell"></div>' * cells))
        state = widget.get_state()
        page.evaluate(_HOST, [state["_esm"], {name: state[name] for name in ("document", "sheet", "hosts")}])

    def _heard(self, kind: str, text: str) -> str:
        content = json.loads(text)
        if kind == "message":
            self.questions.add(content["question"])
            self.widget._handle_custom_msg(content, [])
        else:
            before = len(self.said)
            self.widget.set_state(content)
            self._drop_echo(before, content)
        return self._spoken()

    def _drop_echo(self, before: int, content: dict[str, Any]) -> None:
        """What the page has just said is not told to it again, as in Jupyter."""
        echoes = list(content.items())
        self.said[before:] = [one for one in self.said[before:] if one not in echoes]

    def _spoken(self) -> str:
        said, self.said = self.said, []
        return json.dumps(said)

    def tell(self) -> None:
        """What Python has said since, to the page."""
        self.page.evaluate("messages => hear(messages)", json.loads(self._spoken()))
