"""Which files a launched command names, and which of them are settings."""

import shlex

import pytest

from preheat.lab.running.command import LaunchOptions, fingerprint

SETTINGS = [
    "t s{seed}.yaml",
    "t --config conf-{arm}-{seed}.yaml",
    "sh -c 'cd . && python t.py --config conf.yaml; echo done'",
    "ssh host \"sh -c 'python t.py conf.yaml'\"",
    "t @args.txt",
    "t v.env",
    "t --env-file=.env",
    "t c.json5",
    "t c.hocon",
    "t c.properties",
    "t --config-dir cfg",
    "t --config-path=cfg --config-name inner",
    "t --configs conf.yaml,k3.yaml",
    "t -ck5.yaml",
    "t +conf=file:conf.yaml",
    "t ++conf=@conf.yaml",
]
FILES = (
    *("s0.yaml", "s1.yaml", "conf-none-0.yaml", "conf.yaml", "args.txt", "v.env", ".env", "c.json5", "c.hocon"),
    *("c.properties", "cfg/deep/inner.yaml", "k3.yaml", "k5.yaml", "t.py", "cfg/notes.md", "log.json"),
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("width: 1")
    return tmp_path


@pytest.mark.parametrize("command", SETTINGS)
def test_another_content_of_a_file_of_settings_is_another_configuration(command, folder):
    before, script = LaunchOptions(command=command).public(), fingerprint(command)
    for name in FILES:
        if name not in ("t.py", "cfg/notes.md", "log.json"):
            (folder / name).write_text("width: 64")
    assert LaunchOptions(command=command).public()["files"] != before["files"]
    assert fingerprint(command) == script, "settings are no scripts"


def test_each_file_of_a_list_counts(folder):
    command = "t --configs conf.yaml,k3.yaml"
    before = LaunchOptions(command=command).public()["files"]
    assert set(before) == {"conf.yaml", "k3.yaml"}


@pytest.mark.parametrize(
    "command",
    [
        "t --checkpoint s{seed}.yaml --log-file=log.json",
        "t {run}.yaml {log}",
        "sh -c 'python x > log.json; python x 2>log.json | tee log.json'",
        "t cfg t.py --data-dir cfg",
        "t --seed {seed}",
        "t --seed={seed} {arm}",
        "t --name {arm}-{seed}",
    ],
)
def test_what_is_written_or_no_settings_does_not_count(command):
    assert LaunchOptions(command=command).public()["files"] == {}


def test_a_script_in_a_nested_command_is_a_version_of_the_code(folder):
    command = shlex.join(["sh", "-c", "exec python t.py"])
    before = fingerprint(command)
    (folder / "t.py").write_text("pass")
    assert fingerprint(command) != before
