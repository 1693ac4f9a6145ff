"""DeepSpeed's JSON: the sections "scheduler" and "optimizer", and the batch."""

from __future__ import annotations

from typing import Any

from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.compat.deepspeed import PEER
from preheat.compat.parts.restated import Restated, rates, within
from preheat.core.constructors import hold
from preheat.core.errors import PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

TELLING = ("zero_optimization", "train_micro_batch_size_per_gpu", "train_batch_size")
HARMLESS = [
    "activation_checkpointing",
    "amp",
    "autotuning",
    "aio",
    "bf16",
    "comms_logger",
    "communication_data_type",
    "compression_training",
    "curriculum_learning",
    "data_efficiency",
    "data_types",
    "disable_allgather",
    "dump_state",
    "elasticity",
    "eigenvalue",
    "flops_profiler",
    "fp16",
    "csv_monitor",
    "gradient_clipping",
    "gradient_predivide_factor",
    "hybrid_engine",
    "memory_breakdown",
    "monitor_config",
    "pipeline",
    "prescale_gradients",
    "progressive_layer_drop",
    "quantize_training",
    "seed",
    "sparse_attention",
    "sparse_gradients",
    "steps_per_print",
    "tensorboard",
    "wandb",
    "wall_clock_breakdown",
    "zero_allow_untested_optimizer",
    "zero_force_ds_cpu_optimizer",
    "zero_optimization",
    "use_data_before_expert_parallelism",
    "zero_quantized_weights",
    "checkpoint",
    "nebula",
    "data_sampling",
    "tensor_parallel",
    "torch_autocast",
    "weight_quantization",
]
AUTO = "auto"


def recognises(config: Config) -> bool:
    """A JSON with one of DeepSpeed's own keys."""
    return config.kind == "json" and any(key in config.data for key in TELLING)


def read(config: Config, given: Given) -> Reading:
    """The schedule that its section "scheduler" says; a rate that stays where there is none.

    Raises PreheatError for a scheduler that is not DeepSpeed's, and for values left to a Trainer ("auto") that are not given.
    """
    keys = Keys(config.data)
    optimizer, scheduler = keys.section("optimizer"), keys.section("scheduler")
    base = optimizer.section("params").get("lr")
    base = given.base_lr if base in (None, AUTO) else optimizer.section("params").number("lr")
    findings: list[Finding] = []
    if "scheduler" not in keys:
        if base is None:
            raise PreheatError("the config has no scheduler and does not say optimizer.params.lr", write="give base_lr")
        findings.append(
            Finding("assumed", "scheduler", "there is none: the rate stays, unless the code brings its own")
        )
        restated = rates(hold(base))
    else:
        restated = _restated(str(scheduler.get("type")), scheduler.section("params"), base, given, findings)
    run = Run(total=_total(scheduler.section("params"), given), samples_per_step=_samples(keys, given))
    optimizer.get("type")
    findings += [*keys.left(HARMLESS), *optimizer.left(["legacy_fusion"]), *scheduler.left()]
    return Reading.of(restated, run, findings, "deepspeed")


def _restated(kind: str, params: Keys, base: float | None, given: Given, findings: list[Finding]) -> Restated:
    function, values = PEER[kind], dict(params.data)
    known = {"warmup_max_lr": base, "total_num_steps": given.total}
    for key in [key for key, value in values.items() if value == AUTO and known.get(key) is not None]:
        values[key] = known[key]
        findings.append(Finding("assumed", f"scheduler.params.{key}", f'"auto" is taken for {known[key]!r}, as given'))
    if auto := [key for key, value in values.items() if value == AUTO]:
        what = f'{", ".join(auto)} of the scheduler: "auto" is filled in by a Trainer, from its own arguments'
        raise PreheatError(what, write="read the Trainer's arguments, or write numbers")
    numbers = {key: _number(params, key, value) for key, value in values.items()}
    if kind.lower() == "warmupdecaylr" and "warmup_max_lr" not in numbers:
        what = "it is not said, and DeepSpeed takes 0.001, whatever the optimizer's rate"
        findings.append(Finding("assumed", "scheduler.params.warmup_max_lr", what, "write warmup_max_lr"))
    return within(_total(params, given), function, numbers | ({} if base is None else {"base_lr": base}))


def _number(params: Keys, key: str, value: Any) -> Any:
    if key == "warmup_type" or isinstance(value, bool) or value is None:
        return value
    if isinstance(value, list):
        raise PreheatError(
            f"scheduler.params.{key}: one rate for each group", given=value, write="write them as lines of a plan"
        )
    number = params.number(key) if params.get(key) != AUTO else value
    return (
        int(number)
        if isinstance(number, float) and number.is_integer() and key.endswith(("steps", "size", "count"))
        else number
    )


def _total(params: Keys, given: Given) -> int | None:
    if given.total is not None or params.get("total_num_steps") in (None, AUTO):
        return given.total
    return params.whole("total_num_steps")


def _samples(keys: Keys, given: Given) -> int | None:
    """Samples in an update: train_batch_size, or of micro batch, accumulation and processes."""
    parts = [
        keys.get(key) for key in ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")
    ]
    if parts[0] not in (None, AUTO):
        return keys.whole("train_batch_size")
    if AUTO in parts[1:] or parts[1] is None or given.world_size is None:
        return None
    return (
        keys.whole("train_micro_batch_size_per_gpu") * keys.whole("gradient_accumulation_steps", 1) * given.world_size
    )
