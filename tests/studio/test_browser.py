"""The studio in a real browser: what is typed, dragged, compared, opened and taken away, by hand and by keys."""

import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from chromium import CONTRAST, LEAST, VIEWS, launched
from notebook import Notebook

import preheat as ph
from preheat.review.diff import diff
from preheat.studio.exported import export
from preheat.studio.link import link
from preheat.studio.server import Server
from preheat.studio.service import QUESTIONS, answer

TEXT = "warmup(5%) >> decay(shape=cosine)"
RUN = {"total": "10_000", "clock": "step"}
HOSTILE = """<img src=x onerror="document.title='hit'"><script>document.title='hit'</script>"""
LONGEST = 5  # s of a million updates, from the address to the curve, on a machine that is busy with other tests


def document(*texts, **more):
    """A document as a link holds it."""
    return {"schedules": [{"text": text} for text in texts or [TEXT]], "run": RUN, **more}


@pytest.fixture(scope="module")
def browser():
    with launched() as opened:
        yield opened


@contextmanager
def serving(start=None):
    with Server(start=start) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


class Watched:
    """What the browser complained of, and what it asked another than our own for."""

    def __init__(self):
        self.complaints, self.foreign, self.forgiven = [], [], ()

    def page(self, context, own):
        """A page that may ask its own address alone."""

        def asked(route):
            if route.request.url.startswith(own):
                return route.continue_()
            self.foreign.append(route.request.url)
            return route.abort()

        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if own.startswith("http"):
            page.route("**/*", asked)
        else:
            page.on(
                "request",
                lambda request: request.url.startswith((own, "blob:", "data:")) or self.foreign.append(request.url),
            )
        return page


@pytest.fixture
def opened(browser, server):
    """Open the studio on a document, in a view; fails at the end if the browser complained or asked another host."""
    watched, contexts = Watched(), []

    def go(held=None, view="light", *, address=None, **more):
        context = browser.new_context(**{**VIEWS[view], "permissions": ["clipboard-read", "clipboard-write"], **more})
        contexts.append(context)
        address = address or server.address
        page = watched.page(context, address)
        page.goto(address + (f"#{link(held)}" if held else ""))
        page.locator("details.table tbody tr").first.wait_for(state="attached")
        return page

    go.watched = watched
    yield go
    for context in contexts:
        context.close()
    assert [said for said in watched.complaints if not any(part in said for part in watched.forgiven)] == []
    assert watched.foreign == []


def text_of(page, nth=1):
    return page.get_by_label(f"Text of schedule {nth}")


def until(page, said, expected=True, *, seconds=8):
    """Ask the page until it answers what is expected."""
    end = time.monotonic() + seconds
    while (found := said()) != expected:
        assert time.monotonic() < end, f"{found!r}, not {expected!r}"
        page.wait_for_timeout(15)


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


def test_no_letter_is_lost_however_fast_they_come(opened):
    """What is drawn of a letter comes after the next ones, and does not take them back."""
    page = opened(document())
    for text in (TEXT, f"{TEXT} >> hold(7)", "warmup(10%) >> hold()"):
        text_of(page).click()
        page.keyboard.press("Control+A")
        page.keyboard.type(text, delay=0)
        page.wait_for_timeout(100)
        assert text_of(page).input_value() == text


def test_every_keystroke_is_evaluated_and_wrong_text_says_where_and_what_to_write(opened):
    page = opened(document())
    field = text_of(page)
    field.fill("")
    for end in range(1, len(TEXT) + 1):
        field.press_sequentially(TEXT[end - 1])
        (found,) = answer("draw", {"document": document(TEXT[:end]), "points": 50})["curves"]
        error = found.get("error")
        until(page, lambda: field.get_attribute("aria-invalid") == "true", error is not None)
        until(page, lambda: page.locator(".problem").count() > 0, error is not None)
    field.fill("warmup(5%) >> decai()")
    page.locator(".problem", has_text="decai").wait_for()
    said = page.locator(".problem").inner_text()
    assert "column 15" in said
    assert "decay" in said
    assert page.locator("mark.wrong").inner_text() == "decai"


def test_a_handle_is_dragged_and_the_text_follows_in_one_step(opened):
    page = opened(document())
    knob = page.get_by_role("slider", name="end of warmup")
    knob.wait_for()
    box = knob.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(x + 10 * step, y)
    until(page, lambda: text_of(page).input_value() != TEXT)
    page.mouse.up()
    until(page, lambda: text_of(page).input_value().startswith("warmup(1"))  # as a share, as it was written
    dragged = ""
    while dragged != (dragged := text_of(page).input_value()):  # the last answer may be on its way
        page.wait_for_timeout(300)
    assert dragged.endswith(" >> decay(shape=cosine)")
    assert "%" in dragged
    page.keyboard.press("Control+z")
    until(page, text_of(page).input_value, TEXT)
    page.keyboard.press("Control+Shift+Z")
    until(page, text_of(page).input_value, dragged)


def test_a_constant_is_halved_by_a_drag_down_half_the_frame_and_has_few_digits(opened):
    page = opened(document("hold()", peak="3e-4"))
    knob = page.get_by_role("slider", name="start of hold")
    knob.wait_for()
    box, frame = knob.bounding_box(), page.locator(".over").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + frame["height"] / 2, steps=4)
    peak = page.get_by_label("peak", exact=True)
    until(page, lambda: 1e-4 < float(peak.input_value()) < 2e-4)
    page.mouse.up()
    assert len(peak.input_value()) <= len("0.0001234")


def test_what_check_and_explain_say_follows_the_text(opened):
    page = opened(document())
    for text in ("warmup(50%) >> hold()", "warmup(5%) >> decay(30%) >> hold(0.5)"):
        text_of(page).fill(text)
        said = answer("review", {"document": document(text), "schedule": 0})
        page.get_by_role("heading", name=f"Findings: {len(said['findings'])}").wait_for()
        for row, finding in zip(page.locator(".findings-list li").all(), said["findings"], strict=True):
            row.get_by_text(finding["code"]).click()
            for part in ("place", "what", "write", "means"):
                assert finding[part] in row.inner_text()
        for sentence in said["sentences"]:
            assert page.locator(".explain p", has_text=sentence).count() >= 1
        cells = page.locator(".explain tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(c => c.textContent))"
        )
        assert cells == [list(row) for row in said["rows"]]


def test_two_are_compared_and_the_first_update_that_differs_is_said(opened):
    other = "warmup(5%) >> decay(to=0.1, shape=cosine)"
    page = opened(document())
    page.get_by_role("button", name="another over").click()
    text_of(page, 2).fill(other)
    page.get_by_label("difference").check()
    first = diff(ph.parse(TEXT), ph.parse(other), run=ph.Run(total=10_000)).lines[0].first.at
    page.locator(".says", has_text=f"{int(first):,}").wait_for()


def test_every_form_is_copied_as_python_writes_it(opened):
    held = document(peak="3e-4")
    page = opened(held)
    page.locator(".copy pre").wait_for()
    whole = json.loads(
        page.evaluate("JSON.stringify([...document.querySelector('.copy select').options].map(o => o.value))")
    )
    assert whole == [form["id"] for form in answer("catalogue", {})["forms"]]
    refused = 0
    for form in whole:
        page.get_by_label("Form", exact=True).select_option(form)
        expected = answer("copy", {"document": held, "schedule": 0, "form": form})
        if "error" in expected:
            refused += 1
            page.locator(".copy .refusal", has_text=expected["error"]["what"]).wait_for()
            continue
        until(page, page.locator(".copy pre").text_content, expected["text"])
        page.locator(".copy").get_by_role("button", name="Copy").click()
        until(page, lambda: clipboard(page), expected["text"])
    assert refused < len(whole)


def test_what_is_copied_as_python_runs_and_gives_the_same_rates(opened):
    page = opened(document(peak="3e-4"))
    page.get_by_label("Form", exact=True).select_option("python")  # and at once, before it is there
    page.keyboard.press("Alt+c")
    page.locator(".copy .said", has_text="Copied").wait_for()
    made: dict = {}
    exec(clipboard(page), made)
    expected = ph.parse(TEXT).bind(ph.Run(total=10_000), peak=3e-4)
    assert [made["value"](t) for t in range(0, 10_000, 97)] == [expected(t) for t in range(0, 10_000, 97)]


def test_what_is_copied_is_never_what_stood_there_before(opened):
    page = opened(document())
    page.locator(".copy pre").wait_for()
    for text in ("warmup(7%) >> hold()", "warmup(8%) >> hold()"):
        text_of(page).fill(text)
        page.keyboard.press("Alt+c")  # at once, while Python has not been asked yet
        until(page, lambda text=text: text in clipboard(page))


def test_a_key_that_follows_a_choice_at_once_acts_on_what_was_chosen(opened):
    held = document(peak="3e-4")
    page = opened(held)
    page.locator(".copy pre").wait_for()
    page.evaluate(
        """async () => {
          const form = document.querySelector(".copy select")
          form.value = "python"
          form.dispatchEvent(new Event("change", {bubbles: true}))
          await new Promise(done => setTimeout(done))  // the next task, long before the next frame
          document.dispatchEvent(new KeyboardEvent("keydown", {altKey: true, code: "KeyC", bubbles: true}))
        }"""
    )
    page.locator(".copy .said", has_text="Copied").wait_for()
    assert clipboard(page) == answer("copy", {"document": held, "schedule": 0, "form": "python"})["text"]


def test_an_exported_page_is_opened_from_disk_and_copies(browser, opened, tmp_path):
    path = export([TEXT, "warmup(10%) >> decay()"], tmp_path / "page.html", run=ph.Run(total=10_000), peak=3e-4)
    context = browser.new_context(**VIEWS["light"])
    page = opened.watched.page(context, path.as_uri())
    page.goto(path.as_uri())
    page.locator("details.table tbody tr").first.wait_for(state="attached")
    assert not page.get_by_role("button", name="Open").is_visible()
    assert text_of(page).get_attribute("readonly") is not None
    page.locator(".copy pre").wait_for()
    page.locator(".explain p").first.wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="SVG").click()
    assert Path(saved.value.path()).read_text(encoding="utf-8").startswith("<svg")
    context.close()


def test_a_link_gives_the_same_page(opened):
    page = opened(document())
    text_of(page).fill("warmup(7%) >> decay()")
    page.get_by_label("total", exact=True).fill("20k")
    page.get_by_label("logarithmic").check()
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    until(page, lambda: page.url, clipboard(page))
    before = page.locator("details.table tbody").inner_text()
    page.reload()
    until(page, text_of(page).input_value, "warmup(7%) >> decay()")
    until(page, page.locator("details.table tbody").inner_text, before)
    assert page.get_by_label("logarithmic").is_checked()


def test_a_damaged_link_is_said_and_the_schedules_of_the_command_are_shown(opened):
    with serving({"document": document("hold(0.25)"), "opened": None}) as server:
        page = opened(address=server.address)
        page.goto(server.address + "#nothing")
        page.reload()
        page.get_by_role("alert").filter(has_text="damaged").wait_for()
        assert text_of(page).input_value() == "hold(0.25)"
        page.evaluate("location.hash = 'nothing-either'")
        page.wait_for_timeout(100)
        assert text_of(page).input_value() == "hold(0.25)"


def test_by_keys_alone_a_preset_is_opened_changed_and_copied(opened):
    page = opened(document())
    page.keyboard.press("Alt+o")
    page.get_by_role("dialog").wait_for()
    page.get_by_label("Search").wait_for()
    page.keyboard.type("gpt3")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    preset = ph.presets["gpt3"]
    until(page, lambda: ph.parse(text_of(page).input_value() or "hold()") == ph.parse(preset))
    assert not page.get_by_role("dialog").is_visible()
    page.get_by_role("slider", name="end of").first.focus()
    before = text_of(page).input_value()
    page.keyboard.press("ArrowRight")
    until(page, lambda: text_of(page).input_value() != before)
    page.keyboard.press("Control+z")
    until(page, text_of(page).input_value, before)
    page.locator(".copy pre").wait_for()
    page.get_by_label("Form", exact=True).focus()
    page.keyboard.press("Alt+c")
    page.locator(".copy .said", has_text="Copied").wait_for()


def test_tab_reaches_everything_and_shows_where_it_is(opened):
    page = opened(document())
    page.get_by_role("slider").first.wait_for()
    page.locator(".copy pre").wait_for()
    usable = "button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea, summary, [tabindex='0']"
    places = f'[...document.querySelectorAll("{usable}")].filter(e => e.checkVisibility() && e.tabIndex >= 0)'
    page.wait_for_load_state("networkidle")  # what Python answers later may bring more to reach
    page.wait_for_timeout(200)
    wanted, reached = page.evaluate(f"{places}.length"), set()
    for _ in range(wanted + 1):
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            f"""() => {{
              const e = document.activeElement, style = getComputedStyle(e)
              return [{places}.indexOf(e), style.outlineStyle == "none" ? 0 : parseFloat(style.outlineWidth)]
            }}"""
        )
        if place >= 0:
            reached.add(place)
            assert outline >= 2, place
    assert reached == set(range(wanted))


@pytest.mark.parametrize("view", ["light", "dark", "phone"])
def test_text_stands_out_and_the_page_fits_its_width(opened, view):
    page = opened(document(TEXT, "warmup(", peak="3e-4"), view)
    page.locator(".copy pre").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    page.evaluate("document.querySelectorAll('.stale').forEach(e => e.style.transition = 'none')")
    found = page.evaluate(CONTRAST)
    assert len(found) > 30
    assert min(found) >= [LEAST, ""]
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(fits)
    page.keyboard.press("Alt+o")
    page.locator(".entries button").first.wait_for()
    assert min(page.evaluate(CONTRAST)) >= [LEAST, ""]
    assert page.evaluate(fits)


def test_the_colours_are_those_of_the_system_until_somebody_switches_and_stay_switched(opened):
    def paper(page):
        return page.evaluate("getComputedStyle(document.querySelector('.preheat-studio')).backgroundColor")

    page = opened(document(), "dark")
    dark = paper(page)
    page.get_by_role("button", name="Light colours").click()
    until(page, lambda: paper(page) != dark)
    light = paper(page)
    page.reload()
    page.get_by_role("button", name="Dark colours").wait_for()
    assert paper(page) == light
    assert paper(opened(document(), "light")) == light


def test_the_table_has_the_values_of_python(opened):
    page = opened(document(peak="3e-4"))
    curve = ph.parse(TEXT).bind(ph.Run(total=10_000), peak=3e-4)
    rows = page.evaluate(
        "[...document.querySelectorAll('details.table tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    assert len(rows) >= 10
    for update, value in rows:
        expected = curve(float(update.replace(",", "").replace(" ", "").replace(" ", "").replace(" ", "")))
        assert float(value.removeprefix("≈ ").replace("−", "-")) == pytest.approx(expected, rel=1e-5, abs=1e-12), update


def test_where_nothing_can_be_dragged_the_page_says_why(opened):
    page = opened(document("warmup(500) * decay()"))
    page.locator(".chart p", has_text="No point can be dragged").wait_for()
    assert page.locator(".knob").count() == 0
    text_of(page).fill("warmup(500) >> decay()")
    page.locator(".knob").first.wait_for()
    assert page.locator(".chart p", has_text="dragged").count() == 0


def test_names_and_texts_are_text_whatever_they_say(opened):
    held = document(TEXT, HOSTILE)
    held["schedules"][0]["name"] = HOSTILE
    page = opened(held)
    page.locator(".problem").first.wait_for()
    page.locator(".explain p").first.wait_for()
    page.keyboard.press("Alt+o")
    page.get_by_label("A path").fill(HOSTILE)
    page.keyboard.press("Enter")
    page.locator("dialog .refusal").wait_for()
    assert page.title() == "preheat studio"
    assert page.locator("img, .preheat-studio script").count() == 0


def test_that_python_has_ended_is_said_and_the_page_goes_on_when_it_is_back(opened):
    opened.watched.forgiven = ("Failed to load resource",)
    page = opened(document())
    page.locator(".copy pre").wait_for()
    page.route("**/ask/*", lambda route: route.abort("connectionrefused"))
    text_of(page).fill("hold()")
    alert = page.get_by_role("alert").filter(has_text="ended")
    alert.wait_for()
    assert (
        page.locator(".copy").get_by_role("button", name="Copy").is_disabled()
    )  # its text is of what stood there before
    page.keyboard.press("Alt+c")
    page.get_by_role("status").filter(has_text="not of what stands").wait_for(state="attached")
    page.get_by_role("button", name="Copy from #").click()
    page.get_by_role("button", name="Copied").wait_for()
    with serving({"document": document("decay()"), "opened": None}) as another:
        fresh = opened(address=another.address)
        fresh.goto(another.address + clipboard(page))
        fresh.reload()
        until(fresh, text_of(fresh).input_value, "hold()")
    page.unroute("**/ask/*")
    page.get_by_role("button", name="Try again").click()
    alert.wait_for(state="detached")
    text_of(page).fill("hold(0.5)")
    page.locator(".explain p", has_text="hold(0.5").first.wait_for()


def test_a_million_updates_are_there_soon(opened):
    started = time.monotonic()
    page = opened(document("warmup(5%) >> decay(shape=cosine)", run={"total": "1M", "clock": "step"}))
    assert time.monotonic() - started < LONGEST
    assert page.locator("canvas").count() >= 1


def test_a_scheduler_of_another_library_is_opened_with_arguments_of_ones_own(opened):
    page = opened(document())
    page.get_by_role("button", name="Open").click()
    page.get_by_label("over the present ones").check()
    page.get_by_label("Search").fill("transformers linear")
    page.locator(".entries button").first.click()
    page.get_by_label("Arguments").fill("num_warmup_steps=-, num_training_steps=1000")
    page.locator(".peer").get_by_role("button", name="Open").click()
    page.locator("dialog .refusal").wait_for()
    page.get_by_label("Arguments").fill("num_warmup_steps=100, num_training_steps=1000")
    page.locator(".peer").get_by_role("button", name="Open").click()
    text_of(page, 2).wait_for()
    assert text_of(page).input_value() == TEXT
    assert ph.parse(text_of(page, 2).input_value()).bind(ph.Run(total=1000))(50) == 0.5


def test_a_config_is_opened_from_a_file_and_by_its_path(opened, tmp_path):
    config = {
        "learning_rate": 5e-5,
        "max_steps": 500,
        "warmup_steps": 50,
        "lr_scheduler_type": "linear",
        "output_dir": "x",
    }
    path = tmp_path / "training_args.json"
    path.write_text(json.dumps(config))
    page = opened(document())
    for how in ("dropped", "file", "path"):
        if how != "dropped":
            page.get_by_role("button", name="Open").click()
        if how == "dropped":
            carried = page.evaluate_handle(
                """text => {
                  const carried = new DataTransfer()
                  carried.items.add(new File([text], "training_args.json"))
                  return carried
                }""",
                path.read_text(),
            )
            page.locator("canvas").first.dispatch_event("drop", {"dataTransfer": carried})
        elif how == "file":
            page.locator("dialog input[type=file]").set_input_files(path)
        else:
            page.get_by_label("A path").fill(str(path))
            page.keyboard.press("Enter")
        until(page, page.get_by_label("total", exact=True).input_value, "500")
        assert ph.parse(text_of(page).input_value()).bind(ph.Run(total=500))(50) == 5e-5
        page.keyboard.press("Control+z")
        until(page, text_of(page).input_value, TEXT)


def test_pictures_are_saved_under_the_name_of_the_schedule(opened):
    page = opened(document())
    for kind, begins in (("svg", b"<svg"), ("png", b"\x89PNG")):
        with page.expect_download() as saved:
            page.get_by_role("button", name=kind.upper()).click()
        assert saved.value.suggested_filename == f"warmup-5%-decay-shape=cosine.{kind}"
        content = Path(saved.value.path()).read_bytes()
        assert content.startswith(begins)
        assert len(content) > 2000


def test_runs_of_a_comparison_are_shown_with_a_legend(opened):
    def run(arm, seed, study):
        at = [0, 10, 20]
        return {
            "arm": arm,
            "study": study,
            "seed": seed,
            "at": at,
            "loss": [3.0, 2.0, None],
            "rate_at": at,
            "rate": [0.0, 0.1, 0.1],
        }

    runs = [
        run(arm, seed, study) for study in ("post-norm", "pre-norm") for arm in ("none", "linear") for seed in (0, 1)
    ]
    opening = {"schedules": [], "run": None, "peak": "", "findings": [], "notes": [], "runs": runs}
    with serving({"document": document(), "opened": opening}) as server:
        page = opened(address=server.address)
        page.locator(".runs canvas").nth(1).wait_for()
        page.get_by_role("tab", name="pre-norm").click()
        assert page.get_by_role("tabpanel").get_attribute("aria-label") == "pre-norm"
        page.get_by_label("linear").uncheck()
        page.locator(".runs summary").click()
        assert page.locator(".runs tbody tr").count() == 2
        assert "not finite" in page.locator(".runs tbody").inner_text()


LABELS = """
  window.cut = []; window.seen = 0
  const write = CanvasRenderingContext2D.prototype.fillText
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    if (this.textAlign == "right" && this.getTransform().e == 0) {
      window.seen += 1
      if (x < this.measureText(text).width) window.cut.push(text)
    }
    return write.apply(this, arguments)
  }
"""
"""What counts the labels of vertical axes, and keeps those that the edge of a canvas cuts."""


def wild_runs():
    """The runs of a comparison of which one diverges."""
    at, rate = [0, 10, 20], [1.2345e-9, 1.2346e-9, 1.2347e-9]
    losses = {"none": [2.4, 1e16, None], "linear": [2.4, 0.5, 0.0]}
    return [
        {"arm": arm, "study": "s", "seed": 0, "at": at, "loss": loss, "rate_at": at, "rate": rate}
        for arm, loss in losses.items()
    ]


def test_no_label_of_an_axis_is_cut(browser):
    opening = {"schedules": [], "run": None, "peak": "", "findings": [], "notes": [], "runs": wild_runs()}
    held = document("hold(0.998, 5000) >> ramp(0.998, 1.0, rest)", peak="3.0001e-7", view=[2000, 9000])
    with serving({"document": held, "opened": opening}) as server:
        context = browser.new_context(**VIEWS["light"])
        context.add_init_script(LABELS)
        page = context.new_page()
        page.goto(server.address)
        page.locator(".runs canvas").nth(1).wait_for()
        page.locator(".runs p", has_text="1e16").wait_for()
        page.locator(".knob").first.wait_for(timeout=8000)
        for box in ("logarithmic loss", "logarithmic"):
            page.get_by_label(box, exact=True).check()
            page.wait_for_timeout(100)
        assert page.evaluate("window.seen") > 20
        assert page.evaluate("window.cut") == []
        context.close()


def test_every_question_of_the_page_is_answered_and_no_other_is_asked(opened):
    asked = set()
    page = opened(document())
    page.on("request", lambda request: asked.add(request.url.rpartition("/")[2]) if request.method == "POST" else None)
    page.reload()
    page.locator(".copy pre").wait_for()
    page.locator(".explain p").first.wait_for()
    assert {"draw", "review", "copy", "catalogue"} <= asked <= set(QUESTIONS)


@pytest.fixture
def cells(browser):
    """A widget in two cells of a notebook; fails at the end if the browser complained."""
    pytest.importorskip("anywidget", reason="needs the Python package anywidget")
    from preheat.widget import Studio

    watched, context = Watched(), browser.new_context(**VIEWS["light"])

    def made(*given, theme="", **more):
        page = watched.page(context, "about:")
        return page, Notebook(page, Studio(*given, **more), cells=2, theme=theme)

    yield made
    context.close()
    assert watched.complaints == []
    assert watched.foreign == []


def test_in_a_notebook_every_view_and_python_follow_each_other(cells):
    page, notebook = cells(TEXT, run=ph.Run(total=10_000), peak=3e-4)
    studio, told = notebook.widget, []
    studio.observe(lambda change: told.append(change["new"]), "value")
    first, second = (page.locator(".cell").nth(nth).get_by_label("Text of schedule 1") for nth in (0, 1))
    first.fill("warmup(7%) >> decay()")
    until(page, second.input_value, "warmup(7%) >> decay()")
    until(page, lambda: studio.value, ph.parse("warmup(7%) >> decay()"))
    assert told[-1] == studio.value

    knob = page.locator(".cell").nth(1).get_by_role("slider", name="end of warmup")
    knob.focus()
    knob.press("ArrowRight")
    until(page, lambda: studio.text != "warmup(7%) >> decay()")
    until(page, first.input_value, studio.text)
    assert ph.parse(studio.text) == studio.value == told[-1]

    assert notebook.questions <= {"catalogue", "draw", "edit"}  # what is folded is not asked for
    page.get_by_text("Copy as").first.click()
    page.locator(".cell").first.locator(".copy code", has_text=studio.text.partition("(")[0]).wait_for()
    assert "copy" in notebook.questions

    studio.value = ph.warmup(100) >> ph.hold()
    notebook.tell()
    until(page, first.input_value, studio.text)
    until(page, second.input_value, studio.text)
    first.press("Control+z")
    until(page, lambda: studio.text != repr(ph.warmup(100) >> ph.hold()))


def test_a_notebook_and_the_widget_keep_their_styles_to_themselves_and_a_closed_view_ends(cells):
    page, notebook = cells(TEXT, theme='data-jp-theme-light="false"')
    page.get_by_role("button", name="Open").first.wait_for()
    shown = "[...document.querySelectorAll('.cell > div')].map(e => e.shadowRoot.querySelector('.preheat-studio'))"
    assert page.evaluate(f"{shown}.map(e => e.dataset.theme)") == ["dark", "dark"]
    assert page.evaluate("document.querySelectorAll('style, link').length") == 1
    assert page.get_by_role("button", name="Open").first.evaluate("e => getComputedStyle(e).color") != "rgb(1, 2, 3)"
    page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    until(page, lambda: page.evaluate(f"{shown}.map(e => e.dataset.theme)"), ["light", "light"])
    page.evaluate("ends[0]()")
    assert page.evaluate("document.querySelectorAll('.cell > div').length") == 1
    notebook.widget.text = "hold()"
    notebook.tell()
    until(page, page.get_by_label("Text of schedule 1").input_value, "hold()")
