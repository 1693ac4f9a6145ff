"""kohya's TOML for sd-scripts: lr_scheduler and its options, max_train_steps or max_train_epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.compat import kohya
from preheat.compat.configs.files import Config
from preheat.compat.configs.literals import literal_text
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

_TELLING = ("pretrained_model_name_or_path", "network_module", "max_train_steps", "max_train_epochs", "lr_scheduler")
_RATES = ("unet_lr", "text_encoder_lr", "learning_rate_te", "learning_rate_te1", "learning_rate_te2", "block_lr")
_RATES += ("loraplus_lr_ratio", "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio")
_HARMLESS = {
    *(
        "save_every_n_epochs",
        "save_every_n_steps",
        "save_last_n_epochs",
        "save_last_n_steps",
        "save_last_n_epochs_state",
    ),
    *("save_last_n_steps_state", "sample_every_n_epochs", "sample_every_n_steps", "gradient_accumulation_steps"),
    *("initial_epoch", "initial_step", "skip_until_initial_step", "max_train_steps", "max_train_epochs"),
}


def recognises(config: Config) -> bool:
    """Whether it is TOML with the names of sd-scripts' options, in sections or not."""
    if config.kind != "toml":
        return False
    flat = _flat(config.data)
    return sum(key in flat for key in _TELLING) >= 2


def read(config: Config, given: Given) -> Reading:
    """The scheduler, and rates where learning_rate is said."""
    keys = Keys(_flat(config.data))
    findings: list[Finding] = []
    total = _total(keys, given, findings)
    base = given.base_lr if given.base_lr is not None else keys.number("learning_rate", None)
    if base is None:
        findings.append(Finding("assumed", "learning_rate", "not said: the values are factors", "give base_lr="))
    for key in _RATES:
        if keys.get(key) is not None:
            what = f"{keys.get(key)!r} is the rate of some groups"
            findings.append(Finding("not-carried", key, what, "give these groups lines of their own"))
    free = _free(keys, findings)
    kind, warm = str(keys.get("lr_scheduler", "constant")), _share(keys, "lr_warmup_steps")
    restated = kohya.get_scheduler_fix(
        lr_scheduler="constant" if free else kind,
        max_train_steps=total,
        lr_warmup_steps=0 if free else warm,
        lr_decay_steps=_share(keys, "lr_decay_steps"),
        lr_scheduler_num_cycles=keys.whole("lr_scheduler_num_cycles", 1),
        lr_scheduler_power=keys.number("lr_scheduler_power", 1.0),
        lr_scheduler_timescale=keys.whole("lr_scheduler_timescale", None),
        lr_scheduler_min_lr_ratio=keys.number("lr_scheduler_min_lr_ratio", None),
        lr_scheduler_args=_arguments(keys.get("lr_scheduler_args", [])),
        lr_scheduler_type=str(keys.get("lr_scheduler_type", "")),
        num_processes=given.world_size or 1,
        base_lr=1.0 if base is None else base,
    )
    run = Run(total=total, steps_per_epoch=given.steps_per_epoch)
    return Reading.of(restated, run, [*findings, *keys.suspicious(_HARMLESS)], "kohya")


def _free(keys: Keys, findings: list[Finding]) -> bool:
    """Whether the optimizer warms up on its own, so that no scheduler is made; refused where it decides the rates itself."""
    name = str(keys.get("optimizer_type", "")).rpartition(".")[2].lower()
    own = _arguments(keys.get("optimizer_args", []))
    if name == "adafactor" and own.get("relative_step", True):
        what = "Adafactor decides its rates itself, and sd-scripts replaces lr_scheduler"
        raise PreheatError(what, write='write optimizer_args = ["relative_step=False"], as its users do for a schedule')
    if not name.endswith("schedulefree"):
        return False
    what = "a schedule-free optimizer warms up by its own arguments, and sd-scripts leaves its rate as it is"
    findings.append(Finding("ignored-argument", "lr_scheduler", what, "read its warmup_steps in optimizer_args"))
    return True


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """sd-scripts takes the names of sections as comments."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= value if isinstance(value, Mapping) else {key: value}
    return found


def _total(keys: Keys, given: Given, findings: list[Finding]) -> int:
    steps, epochs = keys.whole("max_train_steps", None), keys.whole("max_train_epochs", None)
    if epochs is not None:  # it overrides the steps
        per_epoch = given.steps_per_epoch
        if per_epoch is None and given.total is None:
            what = "max_train_epochs are epochs of a length that the config does not say"
            raise PreheatError(what, write="write steps_per_epoch= (--steps-per-epoch) or total= (--total)")
        steps = given.total if per_epoch is None else round(epochs * per_epoch)
    if steps is None:
        findings.append(Finding("assumed", "max_train_steps", "not said: sd-scripts takes 1600"))
        steps = 1600
    if given.total not in (None, steps):
        raise PreheatError(f"the config says {steps} steps, not {given.total}", write="leave total out")
    return steps


def _share(keys: Keys, key: str) -> int | float:
    """Steps; below 1, or written with a point, a share of the run."""
    value = keys.number(key, 0)
    return int(value) if isinstance(value, float) and value.is_integer() and value >= 1 else value


def _arguments(pairs: Any) -> dict[str, Any]:
    """`["key=value", …]`, the values as literals."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = str(pair).partition("=")
        found[name] = literal_text(value)
    return found
