"""Values that a training function reads in any of the user's own modules are held; their source is the code."""

import importlib
import sys
import textwrap

import pytest

from preheat.lab.identity.holdings import holdings
from preheat.lab.identity.reading import is_own

PROJECT = {
    "trainer_of_mine": """
        import mine.sub.deep
        import mine.settings as settings
        from mine.model import build, Model
        from mine import helper

        def train(schedule, seed, log):
            from mine.lazy import WIDTH
            from .lazy import nothing
            import mine.later as later
            log(0, loss=build() + Model().value() + mine.sub.deep.DEPTH + settings.get() + WIDTH + later.RATE)
            log(1, loss=getattr(settings, "by_name") + helper.scaled(2) + train.factor)

        train.factor = 1
        """,
    "mine/__init__": "",
    "mine/sub/__init__": "",
    "mine/sub/deep": "DEPTH = 3\nUNREAD = 4\n",
    "mine/settings": "by_name = 5\nset_from_outside = 6\n\ndef get():\n    return set_from_outside\n",
    "mine/model": """
        from mine.base import Base

        WIDTH = 1.0

        def build():
            return WIDTH * 7

        class Model(Base):
            size = 8

            def value(self):
                return self.size + self.inherited
        """,
    "mine/base": """
        from mine.model_around import around

        class Kind(type):
            of_the_class = 9

        class Base(metaclass=Kind):
            inherited = 10

            def further(self):
                return around() + 11
        """,
    "mine/model_around": "import mine.base\n\ndef around():\n    return mine.base.Base\n",
    "mine/helper": """
        import functools

        def doubled(function):
            @functools.wraps(function)
            def outer(x):
                return 12 * function(x)

            return outer

        @doubled
        def scaled(x):
            return 13 * x

        scaled.share = 14
        """,
    "mine/lazy": "from mine.lazier import more\nWIDTH = 15\nOTHER = 16\n",
    "mine/lazier": "more = 17\n",
    "mine/later": "RATE = 18\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes the modules, some of them edited, and imports the function anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)

    def forget():
        for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "trainer_of_mine")]:
            del sys.modules[name]

    def load(before="", after=""):
        texts = {name: textwrap.dedent(text) for name, text in PROJECT.items()}
        assert not before or sum(text.count(before) for text in texts.values()) == 1
        for name, text in texts.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(before, after) if before else text)
        forget()
        importlib.invalidate_caches()
        return importlib.import_module("trainer_of_mine").train

    yield load
    forget()


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("WIDTH = 1.0", "mine.model.WIDTH"),
        ("DEPTH = 3", "mine.sub.deep.DEPTH"),
        ("by_name = 5", "settings.by_name"),
        ("set_from_outside = 6", "mine.settings.set_from_outside"),
        ("size = 8", "Model.size"),
        ("of_the_class = 9", "Kind.of_the_class"),
        ("inherited = 10", "Base.inherited"),
        ("scaled.share = 14", "scaled.share"),
        ("train.factor = 1", "train.factor"),
        ("\nWIDTH = 15", "mine.lazy.WIDTH"),
        ("RATE = 18", "mine.later.RATE"),
    ],
)
def test_values_in_every_module_of_the_users_own_are_held(project, before, name):
    held, _ = holdings(project())
    changed, _ = holdings(project(before, before + "5"))
    assert {one for one in held | changed if held.get(one) != changed.get(one)} == {name}


@pytest.mark.parametrize("before", ["WIDTH * 7", "around() + 11", "return 12", "return 13", "OTHER = 16", "more = 17"])
def test_source_in_every_module_of_the_users_own_is_code(project, before):
    held, code = holdings(project())
    changed, other = holdings(project(before, before + "5"))
    assert changed == held
    assert other != code


def test_what_is_not_read_is_neither_and_what_is_loaded_by_now_does_not_matter(project):
    before = holdings(project())
    assert holdings(project("UNREAD = 4", "UNREAD = 5")) == before
    train = project()
    assert "mine.later" not in sys.modules
    for name in ("mine.later", "mine.lazy"):
        importlib.import_module(name)
    assert holdings(train) == before
    sys.modules["mine.later"].RATE = 19
    assert holdings(train)[0]["mine.later.RATE"][0] == "19"


@pytest.mark.parametrize("name", ["json", "torch", "numpy", "preheat", "preheat.core.node", "pytest", "no such", None])
def test_what_is_installed_from_elsewhere_is_not_entered(name):
    assert not is_own(name)
    assert is_own(__name__)
