"""Every form of a copy is a whole that runs, or is read, as it stands, and gives the values of the curve on the page."""

import json
import shlex
import shutil
import subprocess
from typing import Any

import pytest

import preheat as ph
from preheat.cli import main
from preheat.compat.configs import Config, Given, read_config
from preheat.compat.writers import WRITERS
from preheat.core.codegen.export import FORMS as SOURCES
from preheat.review.laid_out import laid_out
from preheat.studio.copying import FORMS, forms
from preheat.studio.document import document_from
from preheat.studio.service import answer

TOTAL = 60
QUOTED = "warmup('10%') >> hold(1.0, '20 steps') >>\n decay(to=0.1, shape='cosine')"
PLAN = json.dumps({"lr": "warmup(6) >> decay()", "weight_decay": "absolute(ramp(0.1, 0.0, 30) >> hold(0.05))"})
GROUPS = json.dumps({"lr": "warmup(6) >> decay()", "head/lr": "relative((warmup(6) >> decay()).scaled(10))"})
RATES = "absolute(ramp(1e-07, 0.1, 12, shape=exponential) >> hold(0.1))"


def document(text: str, peak: str = "", **run: str) -> dict[str, Any]:
    return {"schedules": [{"text": text}], "run": {"total": str(TOTAL), **run}, "peak": peak}


def copied(form: str, given: dict[str, Any]) -> str:
    found = answer("copy", {"document": given, "schedule": 0, "form": form})
    assert "error" not in found, found
    assert found["form"] == form
    return found["text"]


def meant(given: dict[str, Any]) -> dict[str, list[float]]:
    """What the page draws: every value of every line."""
    lines = laid_out(document_from(given).subject(0))
    return {line.key: [line.at(t) for t in range(line.updates)] for line in lines}


def ran(text: str, **known: Any) -> dict[str, Any]:
    exec(compile(text, "copied", "exec"), known)
    return known


SINGLE = [document(QUOTED), document(QUOTED, "3e-4"), document(RATES), document(RATES, "0.5")]
PLANS = [document(PLAN), document(PLAN, "3e-4"), document(GROUPS, "0.01")]
RATED = [given for given in SINGLE if given["peak"] or "absolute" in given["schedules"][0]["text"]]
named = pytest.mark.parametrize


@named("given", [*SINGLE, *PLANS], ids=str)
def test_python_gives_the_values_of_the_page(given: dict[str, Any]) -> None:
    value = ran(copied("python", given))["value"]
    functions = value if isinstance(value, dict) else {"lr": value}
    assert {key: [one(t) for t in range(TOTAL)] for key, one in functions.items()} == meant(given)


@named("given", [*SINGLE, *PLANS], ids=str)
def test_a_plan_as_json_holds_the_run_and_the_peak(given: dict[str, Any]) -> None:
    plan = ph.parse(copied("json", given))
    assert {key: plan[key].table(TOTAL).tolist() for key in plan} == meant(given)


@named("given", [*SINGLE, *PLANS], ids=str)
def test_the_command_prints_the_values_of_the_page(given: dict[str, Any], capsys) -> None:
    shown, table = copied("command", given).rstrip().split("\npreheat table")
    assert main(shlex.split(shown)[1:]) == 0
    capsys.readouterr()
    assert main(["table", *shlex.split(table)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "step,value"
    assert [float(row.split(",")[1]) for row in rows[1:]] == meant(given)["lr"]


@named("text", ["decay() * hold(1.0, 'rest')", 'decay(shape="cosine")', "warmup(1 epoch) >> decay()"])
def test_a_shell_reads_the_command_as_it_is_meant(text: str) -> None:
    """Quotes of both kinds, brackets, stars; and worths of the run are options."""
    line = copied("command", document(text, "0.1", steps_per_epoch="7.5")).splitlines()[1]
    found = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True).stdout
    assert found.splitlines()[2] == text
    assert "--steps-per-epoch\n7.5\n" in found


def followed(optimizer: Any, scheduler: Any, step: Any) -> list[float]:
    rates = []
    for _ in range(TOTAL):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        step(optimizer, scheduler)
    return rates


def stepped(optimizer: Any, scheduler: Any) -> None:
    optimizer.step()
    scheduler.step()


@named("given", [*SINGLE, *PLANS[:2]], ids=str)
def test_the_loop_trains_at_the_values_of_the_page(given: dict[str, Any]) -> None:
    import torch

    seen: list[dict[str, float]] = []
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight], lr=0.7, weight_decay=0.3)

    def loss(batch: int) -> Any:
        group = optimizer.param_groups[0]
        seen.append({"lr": group["lr"], "weight_decay": group["weight_decay"]})
        return (weight * batch).sum()

    ran(copied("scheduler", given), optimizer=optimizer, batches=range(TOTAL), loss=loss)
    base = 1.0 if given["peak"] or "absolute(ramp(1e" in given["schedules"][0]["text"] else 0.7
    for key, values in meant(given).items():
        want = [value * (base if key == "lr" else 1.0) for value in values]
        assert [one[key] for one in seen] == pytest.approx(want, rel=1e-14)


@named("given", [SINGLE[1], SINGLE[2], PLANS[1]], ids=str)
def test_yaml_builds_the_scheduler(given: dict[str, Any]) -> None:
    import torch
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.7, weight_decay=0.3)
    config = OmegaConf.create(copied("yaml", given))
    rates = followed(optimizer, instantiate(config.scheduler)(optimizer), stepped)
    assert rates == pytest.approx(meant(given)["lr"], rel=1e-14)


@named("given", [*RATED, *PLANS[1:]], ids=str)
def test_axolotls_yaml_is_read_back(given: dict[str, Any]) -> None:
    reading = read_config(Config("config.yaml", copied("axolotl", given)), Given())
    assert reading.run.total == TOTAL
    target = reading.target if isinstance(reading.target, ph.Plan) else ph.Plan(reading.target)
    found = {key: target[key].bind(reading.run).table(TOTAL) for key in target}
    for key, values in meant(given).items():
        assert found[key] == pytest.approx(values, rel=1e-14)


def test_axolotl_is_told_updates_where_it_cannot_know_what_a_unit_is_worth() -> None:
    worths = {"steps_per_epoch": "20", "tokens_per_step": "1M"}
    for text in (
        "warmup(10M tokens) >> decay()",
        '{"lr": "warmup(1 epoch) >> decay()", "weight_decay": "absolute(hold(0.1))"}',
    ):
        given = document(text, "3e-4", **worths)
        written = copied("axolotl", given)
        assert "token" not in written
        assert "epoch" not in written
        reading = read_config(Config("config.yaml", written), Given())
        target = reading.target if isinstance(reading.target, ph.Plan) else ph.Plan(reading.target)
        assert target["lr"].bind(reading.run).table(TOTAL) == pytest.approx(meant(given)["lr"], rel=1e-14)
    assert "warmup(10%)" in copied("axolotl", document("warmup(10%) >> decay()", "3e-4", **worths))  # a share stays one


def test_yaml_takes_no_number_for_text() -> None:
    """YAML reads 1e-05 as text."""
    import yaml

    for peak in ("1e-5", "1.5e-7", "3e-4", "1e20"):
        said = yaml.safe_load(copied("yaml", document("decay()", peak)))
        assert said["scheduler"]["peak"] == float(peak)


@named("given", SINGLE, ids=str)
def test_source_without_preheat_gives_the_values_of_the_page(given: dict[str, Any]) -> None:
    text = copied("source", given)
    assert "preheat" not in text
    function = ran(text)["schedule"]
    assert [function(t) for t in range(TOTAL)] == meant(given)["lr"]


@named("given", SINGLE, ids=str)
def test_torchs_lambda_trains_at_the_values_of_the_page(given: dict[str, Any]) -> None:
    import torch

    text = copied("torch", given)
    assert "preheat" not in text
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=1.0)
    rates = followed(optimizer, ran(text)["scheduler"](optimizer), stepped)
    assert rates == pytest.approx(meant(given)["lr"], rel=1e-14)


@named("form", ["jax", "optax"])
def test_jax_gives_the_values_of_the_page(form: str) -> None:
    import jax

    for given in RATED:
        function = jax.jit(ran(copied(form, given))["schedule"])
        values = meant(given)["lr"]
        found = [float(function(t)) for t in range(TOTAL)]
        assert found == pytest.approx(values, abs=1e-6 * max(values))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@named("given", SINGLE, ids=str)
def test_javascript_gives_the_values_of_the_page(given: dict[str, Any]) -> None:
    printed = f"JSON.stringify(Array.from({{length: {TOTAL}}}, (_, t) => schedule(t)))"
    program = f"{copied('javascript', given)}\nconsole.log({printed})"
    found = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True).stdout
    assert json.loads(found) == pytest.approx(meant(given)["lr"], rel=1e-14)


def test_latex_is_cases_for_a_paper() -> None:
    text = copied("latex", document("warmup(10) >> decay()", "0.1"))
    assert text.count(r"\begin{cases}") == text.count(r"\end{cases}") == 1
    assert r"\text{if } t < 10" in text


@named("library", WRITERS)
def test_a_config_is_read_back_with_the_values_of_the_page(library: str) -> None:
    """The same as the writers' own tests, through the page; what a library cannot say is refused with what to do instead."""
    given = document("hold(1.0, 30) >> decay()", "0.1")
    found = answer("copy", {"document": given, "schedule": 0, "form": library})
    if "error" in found:
        assert found["error"]["write"], library
        return
    names = {"json": "config.json", "python": "config.py", "toml": "config.toml", "shell": "config.sh"}
    language = next(form["language"] for form in forms() if form["id"] == library)
    reading = read_config(Config(names[language], found["text"]), Given(total=TOTAL), library)
    assert reading.table(TOTAL) == pytest.approx(meant(given)["lr"], abs=1e-9 * 0.1)


def test_at_least_one_config_can_say_it() -> None:
    given = document("warmup(6) >> decay()", "0.1")
    said = [form for form in WRITERS if "text" in answer("copy", {"document": given, "schedule": 0, "form": form})]
    assert "transformers" in said


@named("form", ["axolotl", "optax", "transformers"])
def test_where_a_rate_is_needed_the_page_says_to_fill_in_the_peak(form: str) -> None:
    found = answer("copy", {"document": document("warmup(6) >> decay()"), "schedule": 0, "form": form})
    assert "peak" in found["error"]["write"]


def test_what_does_not_fit_is_refused_in_its_field() -> None:
    found = answer("copy", {"document": document("warmup(100) >> decay()"), "schedule": 0, "form": "python"})
    assert found["error"]["field"] == "run"
    found = answer("copy", {"document": document("warmpu(6)"), "schedule": 0, "form": "python"})
    assert found["error"]["field"] == "text"


def test_a_run_of_any_length_is_copied_at_once_or_refused() -> None:
    given = document("warmup(5%) >> decay()", "0.1") | {"run": {"total": "1000000000000"}}
    for form in FORMS:
        found = answer("copy", {"document": given, "schedule": 0, "form": form})
        if form in WRITERS:
            assert "at most 2,000,000" in found["error"]["message"]
        elif form != "jax" and form != "optax":  # 32 bits do not hold such a count
            assert found["text"], form


ALONE = {*SOURCES} - {"python"} | {"source"}  # without preheat
WORTH = 10  # tokens in an update
BY_TOKENS = document(QUOTED.replace("20 steps", "200 tokens"), "3e-4", clock="token", tokens_per_step=str(WORTH)) | {
    "run": {"total": str(TOTAL * WORTH), "clock": "token", "tokens_per_step": str(WORTH)}
}
PLAN_BY_TOKENS = BY_TOKENS | {"schedules": [{"text": PLAN}]}
SAMPLES = {"schedules": [{"text": "warmup(60) >> decay()"}], "peak": "0.1"} | {
    "run": {"total": str(TOTAL * WORTH), "clock": "sample", "samples_per_step": str(WORTH)}
}
TICKS = [BY_TOKENS, PLAN_BY_TOKENS, SAMPLES]


@named("given", TICKS, ids=str)
def test_on_a_clock_of_tokens_every_form_is_one_of_updates(given: dict[str, Any], capsys) -> None:
    want = {key: pytest.approx(values, rel=1e-12) for key, values in meant(given).items()}
    assert len(meant(given)["lr"]) == TOTAL
    value = ran(copied("python", given))["value"]
    functions = value if isinstance(value, dict) else {"lr": value}
    assert {key: [one(t) for t in range(TOTAL)] for key, one in functions.items()} == want
    plan = ph.parse(copied("json", given))
    assert {key: plan[key].table(TOTAL).tolist() for key in plan} == want
    source = ran(copied("source", given))
    written = {"lr": "schedule"} if "schedule" in source else {key: f"schedule_{key}" for key in plan}
    assert {key: [source[name](t) for t in range(TOTAL)] for key, name in written.items()} == want
    table = copied("command", given).rstrip().split("\npreheat table")[1]
    assert main(["table", *shlex.split(table)]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [float(row.split(",")[1]) for row in rows] == meant(given)["lr"]
    for form in ALONE:
        found = answer("copy", {"document": given, "schedule": 0, "form": form})
        if "error" not in found:
            assert f"t: updates, of 10 {given['run']['clock']}s each" in found["text"], form
            assert found["notes"] == [f"Told in updates, of 10 {given['run']['clock']}s each."]


@named("given", [BY_TOKENS, SAMPLES], ids=str)
def test_on_a_clock_of_tokens_loops_and_yaml_train_at_the_values_of_updates(given: dict[str, Any]) -> None:
    import torch
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    def fresh() -> Any:
        return torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.7)

    optimizer, seen = fresh(), []

    def loss(batch: int) -> Any:
        seen.append(optimizer.param_groups[0]["lr"])
        return optimizer.param_groups[0]["params"][0].sum()

    ran(copied("scheduler", given), optimizer=optimizer, batches=range(TOTAL), loss=loss)
    assert seen == pytest.approx(meant(given)["lr"], rel=1e-12)
    config = OmegaConf.create(copied("yaml", given))
    other = fresh()
    rates = followed(other, instantiate(config.scheduler)(other), stepped)
    assert rates == pytest.approx(meant(given)["lr"], rel=1e-12)
    reading = read_config(Config("config.yaml", copied("axolotl", given)), Given())
    assert reading.target.bind(reading.run).table(TOTAL) == pytest.approx(meant(given)["lr"], rel=1e-12)


def test_on_a_clock_of_tokens_a_config_counts_updates() -> None:
    said = 0
    for library in WRITERS:
        found = answer("copy", {"document": SAMPLES, "schedule": 0, "form": library})
        if "error" in found:
            continue
        said += 1
        names = {"json": "config.json", "python": "config.py", "toml": "config.toml", "shell": "config.sh"}
        language = next(form["language"] for form in forms() if form["id"] == library)
        reading = read_config(Config(names[language], found["text"]), Given(total=TOTAL), library)
        assert reading.table(TOTAL) == pytest.approx(meant(SAMPLES)["lr"], abs=1e-9 * 0.1)
    assert said >= 3


@named("clock", ["token", "sample", "epoch", "second"])
def test_where_an_update_is_worth_nothing_known_each_form_says_what_it_counts_or_is_refused(clock: str) -> None:
    given = document("warmup(6) >> decay()", "0.1", clock=clock)
    for form in FORMS:
        found = answer("copy", {"document": given, "schedule": 0, "form": form})
        if form in (*WRITERS, "axolotl", "torch", "optax"):
            assert f"clock counts {clock}s" in found["error"]["message"], form
            assert "“" in found["error"]["write"] or "choose" in found["error"]["write"]
        elif form in ALONE:
            assert f"t: the {clock}s that have passed, not updates" in found["text"], form
        else:
            assert clock in found["text"] + " ".join(found["notes"]), form
    for form in ("python", "json", "source", "latex"):
        notes = answer("copy", {"document": given, "schedule": 0, "form": form})["notes"]
        assert f"t is the {clock}s that have passed, not updates." in notes


@named("clock", ["token", "sample", "epoch", "second"])
def test_the_loop_runs_on_any_clock(clock: str) -> None:
    import torch

    given = document("warmup(6) >> decay()", "0.1", clock=clock)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.7)
    known: dict[str, Any] = {"batches": range(3), "epochs": 2, f"{clock}s_of": lambda batch: 5}
    weight = optimizer.param_groups[0]["params"][0]
    found = ran(copied("scheduler", given), optimizer=optimizer, loss=lambda batch: weight.sum(), **known)
    passed = {"epoch": 2, "token": 15, "sample": 15}.get(clock)
    if passed is not None:
        value = (ph.warmup(6) >> ph.decay()).bind(ph.Run(total=TOTAL), peak=0.1)
        assert found["scheduler"].get_last_lr() == [value(passed)]


@named("text", ["warmup(10) >> invsqrt(10)", "noam(64, 10)", "hold()", "warmup(5) >> hold()"])
def test_of_what_never_ends_the_command_runs_too(text: str, capsys) -> None:
    given = document(text, "0.001" if "noam" not in text else "", total="")
    for line in copied("command", given).splitlines():
        assert main(shlex.split(line)[1:]) == 0, line
    assert len(capsys.readouterr().out.splitlines()) > 100
    (note,) = answer("copy", {"document": given, "schedule": 0, "form": "command"})["notes"]
    assert "never ends: the table has what is looked at here, 1" in note


def test_factors_that_a_scheduler_refuses_are_refused_at_copying() -> None:
    given = document("ramp(0.01, 0.1, 50) >> hold(0.1)")
    for form in ("scheduler", "yaml", "torch", *WRITERS):
        found = answer("copy", {"document": given, "schedule": 0, "form": form})
        assert "reach up to 0.1, not 1" in found["error"]["message"], form
        assert "relative(" in found["error"]["write"]
    copied("scheduler", document("relative(ramp(0.01, 0.1, 50) >> hold(0.1))"))


def test_a_preset_that_counts_tokens_is_held_against_its_updates() -> None:
    preset = ph.presets["gpt3"]
    run = {"total": "300B tokens", "clock": "token", "tokens_per_step": "3200000"}
    given = {"schedules": [{"text": repr(preset.schedule)}], "run": run, "peak": "6e-5"}
    for form in WRITERS:
        message = answer("copy", {"document": given, "schedule": 0, "form": form}).get("error", {}).get("message", "")
        assert "at most" not in message.partition("by")[0], form
    assert "total=93750" in copied("python", given)


def test_every_writer_and_source_of_the_project_is_a_form() -> None:
    assert {*WRITERS, *SOURCES} - {"python"} <= set(FORMS)
    assert [form["id"] for form in forms()] == list(FORMS)
    assert all(form["label"] and form["language"] for form in forms())
