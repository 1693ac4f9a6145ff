"""TrainingArguments of transformers, as the Trainer writes them (JSON), and as recipes do (YAML)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from preheat.compat import transformers
from preheat.compat.configs.files import Config
from preheat.compat.configs.reading import Given, Keys, Reading
from preheat.compat.parts.restated import ignored
from preheat.core.errors import ParseError, PreheatError
from preheat.core.findings import Finding
from preheat.core.spans import Run

LIBRARY = "transformers"
_TELLING = ("per_device_train_batch_size", "lr_scheduler_type", "lr_scheduler_kwargs", "num_train_epochs")
_NO_KWARGS = ("constant", "constant_with_warmup")
_UNSTEPPED = ("constant", "reduce_lr_on_plateau", "greedy")  # they are not given the length of the run
_OTHER_FIELDS = """
activation_checkpointing activation_checkpointing_kwargs adam_beta1 adam_beta2 adam_epsilon auto_find_batch_size
average_tokens_across_devices batch_eval_metrics bf16 bf16_full_eval data_seed dataloader_in_order
dataloader_multiprocessing_context dataloader_num_workers dataloader_persistent_workers dataloader_pin_memory
dataloader_prefetch_factor ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb ddp_find_unused_parameters ddp_static_graph
ddp_timeout debug disable_tqdm do_eval do_predict do_train enable_jit_checkpoint eval_accumulation_steps eval_delay
eval_do_concat_batches eval_on_start eval_steps eval_strategy eval_use_gather_object evaluation_strategy fp16 fp16_backend
fp16_full_eval fp16_opt_level fsdp fsdp_config full_determinism gradient_checkpointing gradient_checkpointing_kwargs
greater_is_better group_by_length half_precision_backend hub_always_push hub_model_id hub_private_repo hub_revision
hub_strategy hub_token ignore_data_skip include_for_metrics include_num_input_tokens_seen include_tokens_per_second
jit_mode_eval label_names label_smoothing_factor length_column_name liger_kernel_config load_best_model_at_end local_rank
log_level log_level_replica log_on_each_node logging_dir logging_first_step logging_nan_inf_filter logging_steps
logging_strategy max_grad_norm metric_for_best_model neftune_noise_alpha no_cuda optim optim_args optim_target_modules
output_dir overwrite_output_dir parallelism_config past_index per_device_eval_batch_size prediction_loss_only project
push_to_hub push_to_hub_model_id push_to_hub_organization push_to_hub_token ray_scope remove_unused_columns report_to
restore_callback_states_from_checkpoint resume_from_checkpoint run_name save_on_each_node save_only_model save_safetensors
save_steps save_strategy save_total_limit seed skip_memory_metrics tf32 torch_compile torch_compile_backend
torch_compile_mode torch_empty_cache_steps torchdynamo tpu_metrics_debug tpu_num_cores trackio_bucket_id trackio_space_id
trackio_static_space_id train_sampling_strategy use_cache use_cpu use_ipex use_legacy_prediction_loop use_liger_kernel
use_mps_device weight_decay
"""
KNOWN = frozenset(_OTHER_FIELDS.split())
"""Fields of TrainingArguments, older ones too, that say nothing of the rate or of how many updates there are."""


def recognises(config: Config) -> bool:
    """Whether it has keys that only TrainingArguments have, or is the state that a Trainer saves."""
    if config.kind not in ("json", "yaml"):
        return False
    if "micro_batch_size" in config.data or any(key in config.data for key in ("finetuning_type", "stage")):
        return False  # axolotl and LLaMA-Factory, which hand most of their keys on
    return any(key in config.data for key in _TELLING) or _is_state(config)


def read(config: Config, given: Given) -> Reading:
    """The schedule of the Trainer. `given` says the size of the data set and the number of processes, or the updates.

    Raises PreheatError where the number of updates is needed and not known, and for what transformers refuses.
    """
    if _is_state(config):
        steps = config.data.get("max_steps")
        what = f"{config} says how far a run has come, of {steps} updates, and not which schedule it followed"
        raise PreheatError(what, write=f"read the training arguments instead, with total={steps} (--total {steps})")
    keys = Keys(config.data)
    kind = str(keys.get("lr_scheduler_type", "linear")).lower().removeprefix("schedulertype.")
    base = _agreed("learning_rate", keys.number("learning_rate", None), given.base_lr, 5e-5)
    findings = [] if "learning_rate" in keys or given.base_lr else [_assumed("learning_rate", "5e-05, the default")]
    total, per_epoch, counted = _updates(keys, given)
    findings += counted
    warm, warned = _warmup_steps(keys, total)
    arguments, kept = _arguments(keys, kind)
    findings += [*warned, *kept, *_taken_over(keys)]
    if total is None and kind not in _UNSTEPPED and kind not in ("constant_with_warmup", "inverse_sqrt"):
        raise PreheatError(
            f"{config} does not say how many updates the run has, and {kind} depends on it",
            write="give total= (--total), or samples= and world_size=, or steps_per_epoch=",
        )
    restated = transformers.PEER[kind](
        **{"num_warmup_steps": warm, "num_training_steps": total, "base_lr": base} | arguments
    )
    run = Run(total=total, steps_per_epoch=per_epoch)
    return Reading.of(restated, run, [*findings, *_unknown(keys)], LIBRARY)


def _is_state(config: Config) -> bool:
    return config.kind == "json" and "log_history" in config.data and "global_step" in config.data


def _agreed(name: str, said: Any, beside: Any, default: Any) -> Any:
    """What the file says, or what is said beside it; refused where these differ."""
    if said is not None and beside is not None and said != beside:
        raise PreheatError(f"the config says {name}={said!r}, and {beside!r} was given", write="give one of them")
    return next((one for one in (said, beside) if one is not None), default)


def _updates(keys: Keys, given: Given) -> tuple[int | None, int | float | None, list[Finding]]:
    """The updates of the run and of an epoch, as the Trainer counts them."""
    most, epochs = keys.whole("max_steps", -1), keys.number("num_train_epochs", 3.0)
    per_epoch, findings = _per_epoch(keys, given)
    if most > 0:
        return _agreed("max_steps", most, given.total, None), per_epoch, findings
    if per_epoch is None:
        return given.total, None, findings
    counted = math.ceil(epochs * per_epoch)
    total = _agreed("the number of updates to be", counted, given.total, None)
    return total, per_epoch, findings + ([] if "num_train_epochs" in keys else [_assumed("num_train_epochs", "3")])


def _per_epoch(keys: Keys, given: Given) -> tuple[int | float | None, list[Finding]]:
    """The updates of an epoch: those given, or the batches of one process by the accumulated ones of an update."""
    size = keys.count("per_device_train_batch_size", 8)
    accumulated, drops = keys.count("gradient_accumulation_steps", 1), keys.get("dataloader_drop_last", False)
    split = keys.get("accelerator_config", {})
    if given.steps_per_epoch is not None or given.samples is None:
        return given.steps_per_epoch, []
    findings = [] if given.world_size else [_assumed("world_size", "one process on one device")]
    if "per_device_train_batch_size" not in keys:
        findings.append(_assumed("per_device_train_batch_size", "8, the default"))
    at_once = size if isinstance(split, Mapping) and split.get("split_batches") else size * (given.world_size or 1)
    batches = given.samples // at_once if drops else math.ceil(given.samples / at_once)
    if batches % accumulated and batches > accumulated:
        what = (
            f"{batches} batches are not whole updates of {accumulated}; older versions leave out the rest of each epoch"
        )
        findings.append(Finding("assumed", "gradient_accumulation_steps", what, "give total= (--total) to be sure"))
    return max(1, math.ceil(batches / accumulated)), findings


def _warmup_steps(keys: Keys, total: int | None) -> tuple[int, list[Finding]]:
    """warmup_steps from 1 on, cut to whole updates; below 1 the share of the run, as is warmup_ratio of older versions."""
    said, ratio = keys.number("warmup_steps", 0), keys.number("warmup_ratio", 0)
    if said < 0 or not 0 <= ratio <= 1:
        raise PreheatError("warmup_steps is at least 0, and warmup_ratio lies from 0 to 1", given=(said, ratio))
    findings = ignored("warmup_ratio", ratio, 0, f"warmup_steps={said!r} goes before it") if said else []
    if said >= 1:
        if said != int(said):
            findings.append(Finding("assumed", "warmup_steps", f"{said!r} is from 1 on a number of updates, and cut"))
        return int(said), findings
    share = said or ratio
    if share and total is None:
        raise PreheatError(
            f"the warmup is a share of the run, {share!r}, and the run's length is not known",
            write="give total= (--total), or samples= and world_size=, or steps_per_epoch=",
        )
    return math.ceil((total or 0) * share), findings


def _arguments(keys: Keys, kind: str) -> tuple[dict[str, Any], list[Finding]]:
    """lr_scheduler_kwargs, a mapping or its JSON."""
    said = keys.get("lr_scheduler_kwargs", {})
    if isinstance(said, str):
        try:
            said = json.loads(said or "{}")
        except ValueError:
            raise ParseError("lr_scheduler_kwargs cannot be read as JSON", given=said) from None
    if not isinstance(said, Mapping):
        raise PreheatError("lr_scheduler_kwargs is a mapping", given=said)
    if kind in _NO_KWARGS and said:
        return {}, ignored("lr_scheduler_kwargs", dict(said), {}, f"{kind} takes none")
    inside = Keys(said, "lr_scheduler_kwargs.")
    numbers = {
        key: inside.number(key) if isinstance(value, str) and _is_number(value) else value
        for key, value in said.items()
    }
    return numbers, []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _taken_over(keys: Keys) -> list[Finding]:
    """What may set the rates in the Trainer's place."""
    found = []
    if (other := keys.get("deepspeed")) is not None:
        what = "DeepSpeed's own config may name a scheduler, which is then used instead"
        if not isinstance(other, Mapping) or "scheduler" in other:
            found.append(Finding("not-carried", "deepspeed", what, "read that config too"))
    if str(keys.get("optim", "")).lower().removeprefix("optimizernames.") in (
        "schedule_free_adamw",
        "schedule_free_sgd",
    ):
        what = "the schedule-free optimizers warm up on their own, by optim_args"
        found.append(Finding("not-carried", "optim", what, "write constant, and its warmup_steps in optim_args"))
    return found


def _assumed(place: str, what: str) -> Finding:
    return Finding("assumed", place, f"it is not said: {what}")


def _unknown(keys: Keys) -> list[Finding]:
    """Keys that are no fields: those that look like one each, and the others, of a script's own, together."""
    left = keys.left(KNOWN)
    near = [
        one
        for one in left
        if "did you mean" in one.what or any(part in one.place for part in ("lr", "warmup", "sched"))
    ]
    others = [one.place for one in left if one not in near]
    if not others:
        return near
    what = f"no fields of TrainingArguments, so a script's own: {', '.join(others)}"
    return [*near, Finding("unknown-key", "the config", what)]
