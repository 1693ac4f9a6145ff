"""The four commands of Slurm that submitit calls, for one machine: jobs are real processes, nothing waits in a queue."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path


def install(folder):
    """Write the commands into a folder that can stand in PATH; their memory is the folder beside it."""
    commands, state = folder / "bin", folder / "state"
    for path in (commands, state):
        path.mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel"):
        path = commands / name
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            f"from pathlib import Path\nfrom fake_slurm import {name}\n{name}(Path({str(state)!r}), sys.argv[1:])\n"
        )
        path.chmod(0o755)
    return commands, state


def sbatch(state, arguments):
    """Start the script once, or once for every index of its array."""
    text = Path(arguments[0]).read_text()
    if "partition=closed" in text:
        sys.exit("sbatch: error: invalid partition specified: closed")
    number = str(int.from_bytes(os.urandom(4)))
    script = state / f"{number}.sh"
    script.write_text(text)
    array = re.search(r"--array=0-(\d+)", text)
    for index in range(int(array[1]) + 1) if array else [None]:
        name = number if index is None else f"{number}_{index}"
        own = {} if index is None else {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": str(index)}
        fixed = {"SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0", "SLURM_PROCID": "0"}
        job = subprocess.Popen(
            ["bash", "-c", f"bash '{script}'; echo $? > '{state / name}.exit'"],
            env={**os.environ, **fixed, **own, "SLURM_JOB_ID": number, "SLURM_LOCALID": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        (state / f"{name}.pid").write_text(str(job.pid))
    print(f"Submitted batch job {number}")


def srun(state, arguments):
    """Carry out a command, its output in files."""
    number = os.environ["SLURM_JOB_ID"]
    values = {"%A": number, "%j": number, "%a": os.environ.get("SLURM_ARRAY_TASK_ID", ""), "%t": "0"}
    streams = {}
    while arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option in ("--output", "--error"):
            path = re.sub("%[Ajat]", lambda found: values[found[0]], arguments.pop(0))
            streams["stdout" if option == "--output" else "stderr"] = open(path, "ab")  # noqa: SIM115  this process ends with it
    sys.exit(subprocess.run(arguments, check=False, **streams).returncode % 256)


def sacct(state, arguments):
    """The state of every job asked for."""
    print("JobID|State|NodeList")
    for at, word in enumerate(arguments):
        if word == "-j":
            for path in state.glob(f"{arguments[at + 1]}*.pid"):
                print(f"{path.stem}|{state_of(path)}|here")


def state_of(path):
    """What became of a job."""
    if path.with_suffix(".cancelled").exists():
        return "CANCELLED"
    if not path.with_suffix(".exit").exists():
        return "RUNNING"
    return "COMPLETED" if path.with_suffix(".exit").read_text().strip() == "0" else "FAILED"


def scancel(state, arguments):
    """End a job and all that it started."""
    path = state / f"{arguments[0]}.pid"
    path.with_suffix(".cancelled").touch()
    os.killpg(int(path.read_text()), signal.SIGKILL)
