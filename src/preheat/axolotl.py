"""axolotl: a plugin whose configuration says the schedule.

    plugins:
      - preheat.axolotl.PreheatPlugin
    preheat_schedule: warmup(5%) >> decay(shape=cosine)

axolotl's trainers are transformers' Trainers, and all that is said of those in `preheat.transformers` holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preheat.core.errors import PreheatError, nearest, shown
from preheat.core.extras import needed

with needed("preheat.axolotl", "axolotl"):
    from axolotl.integrations.base import BasePlugin  # pyrefly: ignore[missing-import]
    from pydantic import BaseModel

    from preheat.transformers import ScheduledTrainer, follow

__all__ = ["PreheatArgs", "PreheatPlugin"]

_PREFIX = "preheat_"
# what else in a configuration would shape the rate
_OTHERS = ("warmup_steps", "warmup_ratio", "lr_scheduler", "lr_scheduler_kwargs", "lr_quadratic_warmup")
_OTHERS += ("cosine_min_lr_ratio", "cosine_constant_lr_ratio")
_FILLED_IN = "cosine"  # what axolotl's validation writes as lr_scheduler where nobody did


class PreheatArgs(BaseModel):
    """What a configuration may say; each as in `preheat.transformers.use`.

    preheat_schedule: text, such as warmup(5%) >> decay(), or a mapping of them, such as {"lr": …, "weight_decay": …}.
    preheat_rules: a list of rules as mappings, such as {kind: Plateau, metric: eval_loss}.
    preheat_peak, preheat_base, preheat_on_change: peak, base and on_change of a Scheduler.
    """

    preheat_schedule: str | dict[str, Any] | None = None
    preheat_rules: list[dict[str, Any]] | None = None
    preheat_peak: float | None = None
    preheat_base: str | None = None
    preheat_on_change: str | None = None


class PreheatPlugin(BasePlugin):
    """Makes axolotl's trainer follow the schedule that the configuration says as `preheat_schedule`.

    Raises PreheatError for a configuration without one, or with a scheduler or warmup of axolotl's beside it.
    """

    def get_input_args(self) -> str:
        """Where axolotl finds the keys that the configuration may have."""
        return "preheat.axolotl.PreheatArgs"

    def register(self, cfg: Any) -> None:
        """Refuse a configuration that says two schedules, or none; it is still as it was written."""
        known = set(PreheatArgs.model_fields)
        for key in cfg:
            if str(key).startswith(_PREFIX) and key not in known:
                raise PreheatError(f"the configuration has no {shown(key)}{nearest(str(key), known)}")
        _check(cfg, filled_in=False)

    def post_trainer_create(self, cfg: Any, trainer: Any) -> None:
        """Make the trainer follow the schedule."""
        _check(cfg, filled_in=True)
        # what axolotl filled in by itself: the configuration asked for none of it
        trainer.args.warmup_steps, trainer.args.lr_scheduler_type = 0, "linear"
        trainer.args.lr_scheduler_kwargs = None
        said = {name: cfg.get(name) for name in PreheatArgs.model_fields if cfg.get(name) is not None}
        follow(trainer, **{name.removeprefix(_PREFIX): _plain(value) for name, value in said.items()})

    def create_lr_scheduler(self, cfg: Any, trainer: Any, optimizer: Any, num_training_steps: int) -> Any:
        """The Scheduler of a training of so many updates; axolotl asks where the trainer does not make its own."""
        if not isinstance(trainer, ScheduledTrainer):
            self.post_trainer_create(cfg, trainer)
        return trainer.create_scheduler(num_training_steps, optimizer)


def _check(cfg: Any, *, filled_in: bool) -> None:
    """Refuse a configuration without a schedule, or with two.

    filled_in: whether axolotl has written its defaults into it.
    """
    if cfg.get("preheat_schedule") is None:
        what = "the plugin preheat.axolotl.PreheatPlugin has no schedule to follow"
        raise PreheatError(what, write="write preheat_schedule: warmup(5%) >> decay(shape=cosine)")
    for key in _OTHERS:
        value = cfg.get(key)
        value = getattr(value, "value", value)
        if value and not (filled_in and key == "lr_scheduler" and value == _FILLED_IN):
            raise PreheatError(
                f"the configuration says {key}: {value}, a second schedule beside preheat_schedule",
                write=f"leave {key} out, and write all of it in the schedule, for example warmup(5%) >> decay(shape=cosine)",
            )


def _plain(value: Any) -> Any:
    """Data without the mappings of axolotl's own, which answer every key."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
