"""The page's own small reckonings, run in node: links, numbers as they are read, what is seen of a run."""

import base64
import json
from typing import Any

import pytest
from node import evaluator, needed

from preheat.studio.document import document_from
from preheat.studio.link import link

pytestmark = needed

RUN = {"clock": "step", "steps_per_epoch": "500", "samples_per_step": "", "tokens_per_step": "", "seconds_per_step": ""}
DOCUMENT: dict[str, Any] = {
    "schedules": [
        {"name": "µ ≥ 1 🔥 </script>", "text": "warmup(5%) >> decay(shape=cosine)", "peak": "3e-4", "run": None},
        {
            "name": "",
            "text": '{"lr": "warmup(1 epoch) >> hold()"}',
            "peak": "",
            "run": {"total": "7", **RUN},
            "position": 12,
            "given": True,
        },
    ],
    "run": {"total": "10_000", **RUN},
    "peak": "",
    "line": "lr",
    "chosen": 1,
    "axis": "epochs",
    "log": True,
    "difference": False,
    "view": [0.5, 4000],
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return evaluator(tmp_path_factory.mktemp("page"), "link", "numbers", "scale")


def test_the_page_reads_what_python_links(page: Any) -> None:
    assert page(f"page.fromHash({json.dumps('#' + link(DOCUMENT))})") == DOCUMENT


def test_python_reads_what_the_page_links(page: Any) -> None:
    hashed = page(f"page.toHash({json.dumps(DOCUMENT)})")
    data = json.loads(base64.urlsafe_b64decode(hashed + "=" * (-len(hashed) % 4)))
    assert document_from(data) == document_from(DOCUMENT)
    assert page(f"page.fromHash({json.dumps(hashed)})") == DOCUMENT


DAMAGED = (
    {},
    {"schedules": []},
    {"schedules": [7]},
    {"schedules": [{"text": 7}]},
    {"schedules": [{"text": "hold()"}], "log": "yes"},
)


@pytest.mark.parametrize("hashed", ["#nothing", "#%%%", link(DOCUMENT)[:-9], *map(link, DAMAGED)])
def test_a_damaged_link_is_refused_in_a_sentence(page: Any, hashed: str) -> None:
    assert "damaged" in page(f"page.fromHash({json.dumps(hashed)})")["thrown"]


@pytest.mark.parametrize("worth", [1, 2.5e-7, 1 / 256, 1 / 3600, 0.02, 50, 12.5, 4096])
def test_law_no_two_ticks_are_read_as_the_same_moment(page: Any, worth: float) -> None:
    for first in (0, 990, 10_000_019):
        said = page(f"[0, 1, 2, 3].map((k) => page.moment({first} + k, {worth!r}))")
        assert len(set(said)) == 4, said
        wanted = [(first + k) * worth for k in range(4)]
        assert [float(text.replace(",", "")) for text in said] == pytest.approx(wanted, abs=worth / 2)


def test_numbers_are_read_with_the_digits_that_say_something(page: Any) -> None:
    said = page("[0, 1, 0.1 + 0.2, 1/3, 3e-4, 2.5e-7, 123456789, null, NaN].map(page.value)")
    assert said == ["0", "1", "0.3", "0.333333", "0.0003", "2.5e-7", "1.23457e8", "–", "–"]


@pytest.mark.parametrize(
    ("low", "high", "wanted", "said"),
    [
        (0, 10_000, 6, ["0", "2k", "4k", "6k", "8k", "10k"]),
        (0, 1_000_000, 6, ["0", "200k", "400k", "600k", "800k", "1M"]),
        (0, 1, 5, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 3e-4, 6, ["0", "5e-5", "1.0e-4", "1.5e-4", "2.0e-4", "2.5e-4", "3.0e-4"]),
    ],
)
def test_labels_tell_ticks_apart(page: Any, low: float, high: float, wanted: int, said: list[str]) -> None:
    found = page(
        f"(() => {{ const {{at, step}} = page.ticks({low}, {high}, {wanted}); return page.labels(at, step); }})()"
    )
    assert found == said


def test_a_place_in_python_is_found_in_javascript(page: Any) -> None:
    text = "🔥🔥hold(1)"
    units = len(text[: text.index("hold")].encode("utf-16-le")) // 2
    assert page(f"page.place({json.dumps(text)}, {text.index('hold')})") == units


def test_there_and_back_in_the_frame(page: Any) -> None:
    for log in ("false", "true"):
        frame = f"{{left: 0, top: 0, width: 700, height: 300, x: [10, 1000], y: [0.001, 2], log: {log}}}"
        there = page(f"[page.fromX({frame}, page.toX({frame}, 77)), page.fromY({frame}, page.toY({frame}, 0.25))]")
        assert there == pytest.approx([77, 0.25])


def test_what_is_seen_stays_inside_of_the_run(page: Any) -> None:
    assert page("page.inside([-50, 20], 100, 1)") == [0, 70]
    assert page("page.inside([99.9, 100], 100, 1)") == [90, 100]
    assert page("page.inside([-5, 400], 100, 1)") is None
    assert page("[0, 1, 5, 9].map((x) => page.below([1, 5, 5, 7], x))") == [-1, 0, 2, 3]


def test_a_constant_stands_over_0_and_what_nearly_is_one_too_until_somebody_zooms_in(page: Any) -> None:
    def heights(values: list[float], log: bool = False, flat: str = "whole") -> Any:
        return page(f"page.heights({json.dumps(values)}, {json.dumps(log)}, false, page.FLAT.{flat})")

    for constant in ([3e-4, 3e-4], [1.0, 0.95], [7]):
        low, high = heights(constant)
        assert low <= 0 < max(constant) < high < 1.2 * max(constant)
        assert 0 < 2 * heights(constant, log=True)[0] <= max(constant)
    assert heights([-2, -2])[1] >= 0
    low, high = heights([0.95, 1.0], flat="zoomed")
    assert 0.9 < low < 0.95 < 1.0 < high
    assert heights([1, 1 - 1e-4], flat="zoomed")[0] <= 0


def test_of_a_run_that_diverges_no_more_is_seen_than_lets_the_others_be_seen(page: Any) -> None:
    fine, wild = [2.3, 1.0, 0.4], [2.4, 1e9, None]
    assert 2.4 < page(f"page.ceiling([{fine}, {json.dumps(wild)}], false)") < 10
    assert 2.4 < page(f"page.ceiling([{fine}, {json.dumps(wild)}], true)") < 1e5
    assert page("page.ceiling([[0.5, 0.9, 0.4]], false)") < 1


def test_a_logarithmic_axis_has_its_steps_at_round_numbers(page: Any) -> None:
    assert page("page.rungs([0.02, 30], true, 5).said") == ["0.1", "1", "10"]
    assert page("page.rungs([2e-5, 6e-4], true, 9).said") == ["2e-5", "5e-5", "1e-4", "2e-4", "5e-4"]
