"""No result is taken for another configuration's, and nothing that is written names a folder or a secret."""

import functools
import io
import os
import shlex
import sys

import held
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import preheat
from preheat.core.errors import PreheatError
from preheat.lab.driver import run_experiment
from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.identity.launched_files import files_in
from preheat.lab.naming import printable, relative, titled
from preheat.lab.report.reproduce import reproduction
from preheat.lab.running.command import TRAINER, LaunchOptions, fingerprint
from preheat.lab.summary import Failure

ARMS = {"none": preheat.decay(), "warm": preheat.warmup("50%") >> preheat.decay()}
NONE = (Arm("none", "decay()"),)
LOGS = "import os,sys; open(os.environ['PREHEAT_LOG'],'a').write('{\"step\": 0, \"loss\": 1}\\n')"


pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def compare(tmp_path):
    """`preheat.compare` in one folder; returns what was printed."""

    def run(train, **more):
        page = io.StringIO()
        usual = {"arms": ARMS, "seeds": 2, "metric": "loss", "engine": "inline", "out": tmp_path / "out"}
        preheat.compare(train, console=Console(file=page, width=200), **{**usual, **more})
        return page.getvalue()

    return run


@pytest.fixture
def launch(tmp_path):
    """A launched comparison in one folder; returns what was printed."""

    def run(command, secrets=(), arms=NONE, out="out"):
        page = io.StringIO()
        options = LaunchOptions(command=command, hide=secrets)
        code = fingerprint(command)
        study = Study("launch", "launch", options, arms, (0,), None, TRAINER, (preheat.lab.Metric("loss"),), code=code)
        words = ("preheat", "compare", "--launch", options.public()["command"])
        experiment = Experiment(titled(options.public()["command"]), (study,), words)
        run_experiment(experiment, tmp_path / out, engine="inline", console=Console(file=page, width=200))
        return page.getvalue()

    return run


def python(*words):
    """A command that logs one value, with these words after it."""
    return shlex.join([sys.executable, "-c", LOGS, *words])


def written(folder):
    """All that stands in a folder."""
    return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (held.given(width=1), held.given(width=64), "width was 1, and is 64"),
        (held.Model(1).train, held.Model(64).train, "self.width was 1, and is 64"),
        (held.given(width="/a/train"), held.given(width="/b/train"), "width was 'train', and is another one"),
        (held.closure(1), held.given(), "another comparison"),
    ],
)
def test_a_folder_with_runs_of_other_values_is_refused_and_says_which(compare, one, other, words):
    compare(one)
    assert "4 of 4 runs were finished before" in compare(one)
    with pytest.raises(PreheatError, match=words):
        compare(other)
    assert "4 of 4 runs were finished before" in compare(one)


def test_a_failure_quotes_no_secret_that_the_function_holds(compare, tmp_path, monkeypatch):
    def fails(schedule, seed, log, api_key, more):
        raise RuntimeError(f"refused {api_key}, {more}, {os.environ['SOME_API_KEY']}")

    monkeypatch.setenv("SOME_API_KEY", "third-secret-9")
    secrets = {"api_key": "first-secret-7", "more": ["--password", "second-secret-8"]}
    text = compare(functools.partial(fails, **secrets)) + written(tmp_path)
    assert "RuntimeError: refused ***" in text
    assert not {one for one in ("first-secret-7", "second-secret-8", "third-secret-9") if one in text}


def test_a_changed_value_of_the_module_is_another_configuration(compare, monkeypatch):
    compare(held.reads)
    monkeypatch.setattr("held.WIDTH", 64)
    with pytest.raises(PreheatError, match="WIDTH was 1, and is 64"):
        compare(held.reads)


def test_what_cannot_be_known_runs_once_and_is_not_taken_up_again_without_a_key(compare, tmp_path):
    function = functools.partial(held.train, more=object())
    assert "4/4" in compare(function)
    with pytest.raises(PreheatError, match=r"more is an object\(\).*nothing tells whether.*compare\(…, key="):
        compare(function)
    keyed = {"key": "width=64", "out": tmp_path / "keyed"}
    assert "4/4" in compare(function, **keyed)
    assert "4 of 4 runs were finished before" in compare(functools.partial(held.train, more=object()), **keyed)
    assert "width=64" in (tmp_path / "keyed" / "report.html").read_text()
    with pytest.raises(PreheatError, match="key was width=64, and is width=1"):
        compare(function, **{**keyed, "key": "width=1"})
    with pytest.raises(PreheatError, match="the key 'width=64' is not given now"):
        compare(function, out=tmp_path / "keyed")


@pytest.mark.parametrize("train", [lambda schedule, seed: 1, functools.partial(held.train, seed=1), held.closure])
def test_a_function_that_cannot_be_called_with_schedule_seed_and_log_is_refused(compare, tmp_path, train):
    with pytest.raises(PreheatError, match=r"compare calls train\(schedule, seed, log\)"):
        compare(train)
    assert not (tmp_path / "out").exists()


def test_any_name_can_be_logged(compare):
    def train(schedule, seed, log):
        log(0, loss=1.0, self=1, log=2, train=3, metrics=4)
        log(step=1, loss=1.0)

    assert "4/4" in compare(train, metric=("loss", "self"))


def test_another_folder_in_the_command_is_another_comparison(launch, tmp_path):
    launch(python("/mnt/a/train"))
    assert "1 of 1 runs were finished" in launch(python("/mnt/a/train"))
    with pytest.raises(PreheatError, match="the words of the command, or folders in it, are others"):
        launch(python("/mnt/otherdata/train"))
    for folder in ("/mnt", "otherdata", str(tmp_path)):
        assert folder not in written(tmp_path / "out")


def test_a_changed_file_of_settings_is_refused_and_a_changed_script_is_told(launch, tmp_path):
    script, settings = tmp_path / "script.py", tmp_path / "conf.yaml"
    script.write_text(LOGS)
    settings.write_text("width: 1")
    for place, words in enumerate((["--config", str(settings)], [f"--config={settings}"], ["-c", str(settings)])):
        settings.write_text("width: 1")
        command, out = shlex.join([sys.executable, str(script), *words]), f"out{place}"
        launch(command, out=out)
        script.write_text(LOGS + f"  # {place}")
        assert "made by another version of the training code" in launch(command, out=out)
        settings.write_text("width: 64")
        with pytest.raises(
            PreheatError, match=r"the file conf\.yaml, which the command names, has another content now"
        ):
            launch(command, out=out)


def test_what_the_training_writes_is_no_setting(tmp_path):
    for name in ("conf.yaml", "result.json", "log.txt", "big.bin"):
        (tmp_path / name).write_text("x")
    (tmp_path / "big.bin").write_bytes(bytes(2_000_000))
    at = {name: str(tmp_path / name) for name in ("conf.yaml", "result.json", "log.txt", "big.bin")}
    words = [
        "x" * 5000,
        "--out",
        at["result.json"],
        f"--log-file={at['log.txt']}",
        at["big.bin"],
        f"@{at['conf.yaml']}",
    ]
    assert [path.name for path in files_in(words)] == ["conf.yaml"]


def test_secrets_are_written_nowhere_and_a_rotated_one_takes_up_the_runs(launch, tmp_path):
    def words(key):
        return python("--api-key", key, f"wandb.key={key}", f"https://me:{key}@host/x", "--site-code", key + "site")

    assert "1/1" in launch(words("Xq7-first"), ("site-code",))
    assert "1 of 1 runs were finished" in launch(words("Xq7-second"), ("site-code",))
    text = written(tmp_path / "out")
    assert "Xq7" not in text
    assert "--site-code" in text


def test_the_output_of_a_command_that_fails_is_shown_without_its_secrets(launch, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_SERVICE_PASSWORD", "open sesame")
    code = "import os,sys; sys.exit('no entry for ' + sys.argv[2] + ' and ' + os.environ['MY_SERVICE_PASSWORD'])"
    text = launch(shlex.join([sys.executable, "-c", code, "--token", "Xq7abc"]))
    assert "no entry for *** and ***" in text
    assert "Xq7" not in text + "".join(path.read_text() for path in (tmp_path / "out").rglob("*.attempt"))


def test_quotes_lines_escapes_and_markup_are_shown_as_they_are(launch, compare, tmp_path):
    odd = "[/red] \x1b[31m \udcff\nsecond"
    text = launch(shlex.join(["sh", "-c", f"{python(odd)}\nexit 0"]), arms=(Arm("[/red]", "decay()"),), out="[/red]")
    assert "1/1" in text
    assert "[/red]" in text
    assert "\x1b" not in text + written(tmp_path / "[/red]")
    assert "1 other records in" in launch(python("x"), arms=(Arm("b", "hold(1)"),), out="[/red]")
    failing = shlex.join([sys.executable, "-c", "import sys; sys.exit('\\x1b[31m[/red]')"])
    text = launch(failing, out="failing")
    assert "[/red]" in text
    assert "\x1b" not in text
    compare(held.train, title="[/red]")
    assert printable("a\udcff\x1b\n") == "a\\udcff\\x1b\n"


PATHS = [
    ("data.dir=/srv/me/x", "data.dir=x"),
    ("-I/srv/me", "-Ime"),
    ("-v/srv/me:/data/set", "-vme:set"),
    ("file:///srv/me/x", "file:x"),
    ("sqlite:////srv/me/x.db", "sqlite:x.db"),
    ("--a=bc:/srv/me", "--a=bc:me"),
    ("~/a/x", "x"),
    ("--x=~me/a/x", "--x=x"),
    ("$HOME/a/x", "x"),
    ("x=[/a/b,/c/d]", "x=[b,d]"),
    ("PATH=/a/b:/c/d", "PATH=b:d"),
    ("{'a': '/srv/me/z'}", "{'a': 'z'}"),
    ("/srv/my data/set one/x", "x"),
    (r"C:\Users\me\x", "x"),
    (r"--data=D:/a/b", "--data=b"),
    (r"\\server\share\x", "x"),
    ("me@host:/srv/me/x", "me@host:x"),
    ('sh -c "cd /a/b && python /c/d.py --lr 1/2"', 'sh -c "cd b && python d.py --lr 1/2"'),
    ("/mnt/a/", "a"),
    ("sh run </srv/me/x", "sh run <x"),
]
KEPT = (
    *("a/b", "1/2", "2024/01/02", "./a/b", "../a/b", "ckpt/{run}", "{run}/x/y", "warm / cold", "warmup(5%) >> decay()"),
    *("a </b> b", "<b>x</b> y", "1 +/- 2", "“a”/b"),
    *("https://a.org/b/c", "s3://bucket/x/y", "hf://x/y", "train.py:10", "lr=1e-3/2", "and/or", "a=ramp(1/4, 1, 3)"),
)


def test_of_absolute_paths_the_last_part_stays_and_nothing_else_changes():
    assert [(word, relative(word)) for word, _ in PATHS] == PATHS
    assert [relative(word) for word in KEPT] == list(KEPT)


LETTERS = st.text("abcdefgxyz0123456789_- .é", min_size=1, max_size=8).map(str.strip)
NAMES = LETTERS.filter(lambda name: name.strip(". -") and " -" not in name)
FOLDERS = st.lists(NAMES.map(lambda name: f"Qfolder{name}"), min_size=1, max_size=4)
ROOTS = st.sampled_from(["/", "//", "~/", "file:///", "C:\\", "D:/", "$HOME/", "\\\\srv\\"])
BEFORE = st.sampled_from(
    ["", "--data=", "a=b:", "-I", "x,", "{'a': '", '"', "[", "(", "key: ", "a.b=", "@", "see ", "a;"]
)
AFTER = st.sampled_from(["", "'", '"', ",x", ":ro", "]", " --next 1/2", ")", "\nnext"])


@given(NAMES, BEFORE, ROOTS, FOLDERS, NAMES, AFTER)
def test_no_folder_is_left_wherever_the_path_stands(word, before, root, folders, last, after):
    between = "\\" if "\\" in root else "/"
    path = f"{root}{between.join([*folders, last])}"
    text = f"{word} {before}{path}{after}"
    options = LaunchOptions(command=shlex.join(["python", text, f"{before}{path}{after}"]))
    for shown in (relative(text), str(options.public()), titled(text)):
        assert "Qfolder" not in shown
    study = Study(titled(text), "launch", options, (Arm("a", "decay()"),), (0,), None, TRAINER)
    command = ("preheat", "--launch", options.command, text)
    assert "Qfolder" not in reproduction(Experiment("x", (study,), command))
    assert "Qfolder" not in reproduction(Experiment("x", (study,)))


def test_what_a_report_says_of_a_failure_names_its_kind_and_no_folder():
    assert (
        Failure("r", "the command ended with exit code 3: no file; see runs/r.txt").public
        == "the command ended with exit code 3"
    )
    assert (
        Failure("r", "cannot read /srv/me/data.bin with api_key=Xq7Xq7: gone").public
        == "cannot read data.bin with api_key=***"
    )
