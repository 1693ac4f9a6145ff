"""The texts: what is held out, that names and refusals are right, and that every one can be trained on."""

import pytest

from preheat.core.errors import PreheatError
from preheat.lab.tasks import corpus


def test_the_held_out_files_are_never_trained_on():
    training, held_out = corpus.sources()
    assert training
    assert held_out
    assert not {path.name for path in training} & {path.name for path in held_out}
    text = corpus.read("library")
    assert text.training == b"".join(path.read_bytes() for path in training)
    assert text.held_out == b"".join(path.read_bytes() for path in held_out)


def test_the_library_is_small_large_enough_and_stable():
    text = corpus.read("library")
    assert 1_000_000 < len(text.training) < corpus.LIMIT
    assert len(text.held_out) > 100_000
    again = corpus.Text("library", text.training, text.held_out)
    assert again.fingerprint == text.fingerprint
    assert corpus.fingerprint(text.held_out, text.training) != text.fingerprint


def test_the_docs_are_prose_and_every_topic_is_on_one_side():
    topics = pytest.importorskip("pydoc_data.topics").topics
    text = corpus.read("docs")
    assert 200_000 < len(text.training) < corpus.LIMIT
    assert len(text.held_out) > 10_000
    for words in topics.values():
        assert (words.encode() in text.training) != (words.encode() in text.held_out)


def test_the_tests_are_refused_in_a_sentence_where_python_comes_without_them(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(PreheatError, match=r"came without the standard library's tests .* use the text 'docs'"):
        corpus.suite_sources()
    (tmp_path / "test").mkdir()
    for number in range(40):
        (tmp_path / "test" / f"test_{number}.py").write_text("pass\n")
    training, held_out = corpus.suite_sources()
    assert len(training) + len(held_out) == 40


def test_a_python_without_source_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(PreheatError, match="holds none; use the digits task"):
        corpus.sources()


@pytest.mark.parametrize("name", ["doc", 3, None])
def test_another_name_is_refused_with_those_that_are_known(name):
    with pytest.raises(PreheatError, match=r"no text is called .*docs"):
        corpus.read(name)
