"""Fine-tune a model on another text, all of it or by LoRA, and measure what it learned and what it forgot.

    python examples/finetune.py                                        # the first time, it pre-trains what it starts from
    python examples/finetune.py --method lora --peak 3e-3
    python examples/finetune.py --layer-factor 2.6                     # each layer below learns 2.6 times as slowly
    python examples/finetune.py --unfreeze "10%"                       # the head first, every 10 % one layer more
    preheat compare --launch "python examples/finetune.py --seed {seed}" \\
        --arm none='decay()' --arm linear='warmup("10%") >> decay()' --peaks 1e-3,3e-3,1e-2 --seeds 5 \\
        --metric val_loss --metric old_loss --out runs/finetune

`val_loss` is on the held-out part of the new text, `old_loss` on that of the old one: what it rises by was forgotten.

Freezing, unfreezing and discriminative rates are lines of a plan, one for each group of parameters (Howard & Ruder 2018,
arXiv:1801.06146). A rate of 0 changes nothing, so a layer whose line begins with `hold(0, "30%")` is frozen that long, and
nothing is added to the optimizer when it thaws. The line is saved, resumed, printed and checked as any other.
"""

import argparse
import math
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from shared import DEVICE, SHAPE, Text, blocks, build_model, evaluate, load, precision, say, seeded, train
from torch import nn

import preheat as ph
from preheat.core.errors import PreheatError
from preheat.core.node import Schedule
from preheat.core.plan import Absolute, Plan
from preheat.torch import Scheduler

ADAPTED = {"gpt": ["c_attn"], "ber": ["query", "value"]}  # the layers that LoRA stands beside


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line, completed and checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--start", default="runs/pretrained", help="a --checkpoint folder of pretrain.py; made if it is not there")
    add("--start-options", default="", help='how to make it, as options of pretrain.py: "--model bert --total 1000"')
    add("--text", default="docs", help="library, docs or tests (default: docs)")
    add("--method", choices=("full", "lora"), default="full", help="all weights, or adapters beside them")
    add("--rank", type=int, default=8, help="of LoRA's adapters (default: 8)")
    add("--layer-factor", type=float, default=1.0, help="how much slower each layer below learns; try 2.6")
    add("--unfreeze", help='the time from one layer to the next, from the top: "10%%"; without: all from the start')
    add(
        "--schedule",
        default="warmup('10%') >> decay()",
        help="of the top layers; lines of a plan are taken as they are",
    )
    add("--peak", type=float, default=1e-3, help="the peak rate (default: 1e-3)")
    add("--total", default="200", help='updates, or "200k tokens"')
    add("--batch", type=int, default=16, help="windows of text an update (default: 16)")
    add("--micro", type=int, help="windows at once; the rest is accumulated (default: all)")
    add("--weight-decay", type=float, default=0.0, help="of AdamW (default: 0)")
    add("--clip", type=float, default=1.0, help="the largest norm of the gradient; 0: any (default: 1)")
    add("--seed", type=int, default=0, help="of the batches and the adapters")
    add("--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="auto: bfloat16 on a GPU that has it")
    add("--checkpoint", help="a folder; the run goes on from what is there")
    add("--every", type=int, default=100, help="updates from one checkpoint to the next (default: 100)")
    o = parser.parse_args(arguments)
    if "RANK" in os.environ:
        raise PreheatError("fine-tuning here is for one process; start it with python, not torchrun")
    if o.method == "lora" and (o.unfreeze or o.layer_factor != 1):
        raise PreheatError("--unfreeze and --layer-factor are about layers that learn; write them with --method full")
    o.dropout, o.micro, o.dtype = 0.0, o.micro or o.batch, precision(o.dtype)
    return o


def pretrained(o: argparse.Namespace) -> dict:
    """The checkpoint to start from; trained first if it is not there, as a run of its own, whatever the arm of this one."""
    folder = Path(o.start)
    if not (folder / "checkpoint.pt").exists():
        say(f"{folder} holds no model: pre-training one")
        mine = folder.with_name(f"{folder.name}.{os.getpid()}")  # several may do this at once, with the same result
        command = [sys.executable, str(Path(__file__).with_name("pretrain.py")), *shlex.split(o.start_options)]
        own = {name: value for name, value in os.environ.items() if not name.startswith("PREHEAT_")}
        if subprocess.run([*command, "--checkpoint", str(mine)], env=own).returncode:
            raise PreheatError(f"no model to start from: {shlex.join(command)} failed; what it printed is above")
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(mine / "checkpoint.pt", folder / "checkpoint.pt")
        shutil.rmtree(mine)
    return torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)


def adapted(model: nn.Module, o: argparse.Namespace) -> nn.Module:
    """The model with LoRA's adapters beside its attention; nothing else learns."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise PreheatError('--method lora needs peft; run pip install "preheat[recipes]"') from error
    torch.manual_seed(seeded(o.seed))
    conv = o.model.startswith("gpt")  # GPT-2 keeps its matrices transposed
    config = LoraConfig(
        r=o.rank,
        lora_alpha=2 * o.rank,
        target_modules=ADAPTED[o.model[:3]],
        fan_in_fan_out=conv,
    )
    return get_peft_model(model, config)


def groups(model: nn.Module) -> list[dict]:
    """The parameters by layer, from the top down: head, layer7, …, layer0, embedding (and the output tied to it)."""
    owner = {id(p): f"layer{i}" for i, block in enumerate(blocks(model)) for p in block.parameters()}
    lowest = [
        part for name, part in model.base_model.named_children() if "emb" in name or isinstance(part, nn.Embedding)
    ]
    embedding = nn.ModuleList(lowest)
    owner |= {id(p): "embedding" for p in embedding.parameters()}
    names = ["head", *(f"layer{i}" for i in reversed(range(len(blocks(model))))), "embedding"]
    return [
        {"params": [p for p in model.parameters() if owner.get(id(p), "head") == name], "name": name} for name in names
    ]


def plan(o: argparse.Namespace, names: list[str]) -> Schedule | Absolute | Plan:
    """What each group's rate follows, `names` from the top down. This is all the code that unfreezing takes."""
    given = ph.from_env(default=o.schedule)
    if not o.unfreeze and o.layer_factor == 1:
        return given
    if isinstance(given, Plan):
        raise PreheatError("the schedule is a plan with lines of its own; leave out --unfreeze and --layer-factor")
    top = given.schedule if isinstance(given, Absolute) else given
    lines = {}
    for depth, name in enumerate(names):
        line = top.scaled(o.layer_factor**-depth)
        for _ in range(depth if o.unfreeze else 0):
            line = ph.hold(0.0, o.unfreeze) >> line
        lines[f"{name}/lr"] = ph.absolute(line) if isinstance(given, Absolute) else line
    return Plan(lines)


def finetune(o: argparse.Namespace) -> dict[str, float]:
    """Fine-tune to the end; returns the loss on the new text and on the old one."""
    start = pretrained(o)
    before = argparse.Namespace(**start["options"])
    o.model, o.depth, o.width, o.heads, o.context = (getattr(before, name) for name in SHAPE)
    model = build_model(o).to(DEVICE)
    model.load_state_dict(start["model"])
    if o.method == "lora":
        model = adapted(model, o)
        sets = [{"params": [p for p in model.parameters() if p.requires_grad], "name": "adapters"}]
    else:
        sets = groups(model)
    optimizer = torch.optim.AdamW(sets, lr=o.peak, weight_decay=o.weight_decay)
    run = ph.Run(total=o.total, tokens_per_step=o.batch * o.context, samples_per_step=o.batch)
    scheduler = Scheduler(optimizer, plan(o, [group["name"] for group in sets]), run=run)
    masked = o.model.startswith("bert")
    texts = {"val_loss": Text(o.text, o.context, masked), "old_loss": Text(before.text, o.context, masked)}
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    say(f"{o.method}: {learning:,} parameters learn, {run.total} updates; peak rate {o.peak:g}")
    if not (o.checkpoint and load(Path(o.checkpoint), model, scheduler, o)):
        measure(model, texts, 0, o)
    new = texts["val_loss"]
    if not train(model, scheduler, lambda step: new.batch(o.seed, step, o.batch), o):
        ph.log(scheduler.last_epoch, val_loss=math.nan, old_loss=math.nan)
        return dict.fromkeys(texts, math.nan)
    return measure(model, texts, scheduler.last_epoch, o)


def measure(model: nn.Module, texts: dict[str, Text], step: int, o: argparse.Namespace) -> dict[str, float]:
    """The loss on each text, logged and printed."""
    losses = {name: evaluate(model, text, o) for name, text in texts.items()}
    ph.log(step, **losses)
    say(f"after {step} updates   new text {losses['val_loss']:.4f}   old text {losses['old_loss']:.4f}")
    return losses


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    try:
        finetune(options(arguments))
    except PreheatError as error:
        raise SystemExit(f"finetune.py: {error}") from None


if __name__ == "__main__":
    main()
