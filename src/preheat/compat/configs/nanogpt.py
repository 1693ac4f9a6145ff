"""nanoGPT's config/*.py: assignments that overwrite those of train.py; read as literals."""

from __future__ import annotations

from preheat.compat import nanogpt
from preheat.compat.configs.assigned import Unread
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.compat.configs.said import agreed
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

OWN = {"learning_rate": 6e-4, "max_iters": 600_000, "warmup_iters": 2000, "lr_decay_iters": 600_000, "min_lr": 6e-5}
"""What train.py says where the config is silent."""
HARMLESS = {
    *("out_dir", "eval_interval", "log_interval", "eval_iters", "eval_only", "always_save_checkpoint", "init_from"),
    *("wandb_log", "wandb_project", "wandb_run_name", "dataset", "gradient_accumulation_steps", "batch_size"),
    *("block_size", "n_layer", "n_head", "n_embd", "dropout", "bias", "weight_decay", "beta1", "beta2", "grad_clip"),
    *("backend", "device", "dtype", "compile"),
}


def recognises(config: Config) -> bool:
    """A Python file with two at least of the settings that only nanoGPT has."""
    telling = {"lr_decay_iters", "warmup_iters", "max_iters", "decay_lr", "eval_iters", "block_size", "wandb_run_name"}
    return config.kind == "python" and len(telling & set(config.data)) >= 2


def read(config: Config, given: Given) -> Reading:
    """The rates of get_lr; the run has max_iters + 1 updates."""
    data = dict(config.data)
    if given.base_lr is not None and isinstance(data.get("learning_rate"), Unread):
        data["learning_rate"] = given.base_lr
    keys, findings, said = Keys(data), [], {}
    for key, default in OWN.items():
        whole = isinstance(default, int)
        value = keys.whole(key, None) if whole else keys.number(key, None)
        if value is None:
            findings.append(Finding("assumed", key, f"the config does not say it; train.py has {default!r}"))
        said[key] = default if value is None else value
    decays = keys.get("decay_lr", True)
    if not isinstance(decays, bool):
        raise PreheatError("decay_lr must be True or False", given=decays)
    peak = agreed("the learning rate", keys.number("learning_rate", None), given.base_lr)
    if peak is not None:
        said["learning_rate"] = peak
    if given.total is not None and given.total != said["max_iters"] + 1:
        agreed("the updates of the run, max_iters + 1", said["max_iters"] + 1, given.total)
    findings += keys.left(HARMLESS)
    restated = nanogpt.get_lr(**said, decay_lr=decays)
    tokens = _tokens(keys)
    return Reading.of(restated, Run(total=said["max_iters"] + 1, tokens_per_step=tokens), findings, "nanogpt")


def _tokens(keys: Keys) -> int | None:
    """In an update, where all three factors are said; gradient_accumulation_steps is that of all processes together."""
    parts = [keys.whole(key, None) for key in ("batch_size", "block_size", "gradient_accumulation_steps")]
    if None in parts:
        return None
    batch, block, accumulation = parts
    return batch * block * accumulation
