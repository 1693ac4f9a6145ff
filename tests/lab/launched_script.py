"""A training script as people have them: it follows its schedule, keeps a checkpoint, and reports."""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

import preheat

arguments = argparse.ArgumentParser()
arguments.add_argument("--seed", type=int, default=0)
arguments.add_argument("--steps", type=int, default=30)
arguments.add_argument("--checkpoint", type=Path)
arguments.add_argument("--fault", default="")
arguments.add_argument("--once", type=Path, help="the fault happens only while this file is not there")
given = arguments.parse_args()

plan = preheat.from_env(default="warmup(3) >> decay()")
schedule = getattr(plan, "schedule", plan).bind(preheat.Run(total=given.steps))
state = {"step": 0, "loss": 5.0 + 0.1 * given.seed}
if given.checkpoint and given.checkpoint.exists():
    state = json.loads(given.checkpoint.read_text())
for step in range(state["step"], given.steps):
    state["loss"] -= 0.1 * schedule(step)
    preheat.log(step, loss=state["loss"], lr=schedule(step))
    if given.checkpoint:
        given.checkpoint.with_suffix(".part").write_text(json.dumps({**state, "step": step + 1}))
        given.checkpoint.with_suffix(".part").rename(given.checkpoint)
    if step == given.steps // 2 and given.fault and not (given.once and given.once.exists()):
        if given.once:
            given.once.touch()
        if given.fault == "exit":
            sys.exit("out of luck")
        if given.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if given.fault == "hang":
            time.sleep(600)
preheat.log(given.steps - 1, val_loss=state["loss"])
print("ended with", state["loss"])
