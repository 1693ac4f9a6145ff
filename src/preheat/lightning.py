"""Lightning: a callback that drives the optimizers of any LightningModule, and what `configure_optimizers` returns."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from preheat.core.errors import BindError, PreheatError, PreheatWarning
from preheat.core.extras import needed
from preheat.core.node import Schedule
from preheat.core.plan import Absolute, Plan
from preheat.core.spans import Run
from preheat.session.changes import bound_plan, first_change
from preheat.session.clock import given_run, unknown_advance
from preheat.session.rules import Rule

_NAMES = ("lightning.pytorch", "pytorch_lightning")  # one code under two names, whose classes do not mix


def _lightning() -> Any:
    """The one of the two that is imported already, or else installed."""
    imported = [name for name in _NAMES if name in sys.modules]
    installed = [name for name in _NAMES if find_spec(name.split(".")[0]) is not None]
    return import_module((imported or installed or list(_NAMES))[0])


with needed("preheat.lightning", "lightning"):
    from torch import Tensor
    from torch.optim import Optimizer

    Callback: Any = _lightning().Callback

from preheat.torch.scheduler import Scheduler  # noqa: E402  (torch is known to be there)

__all__ = ["ScheduleCallback", "config"]

_LENGTH_TOLERANCE = 0.05  # of a run, which updates that a scaler skipped do not exceed
_MANY = 10  # updates without a call of the scheduler, after which it is said
_MANUAL_TOLERANCE = 0.1  # of the batches of an epoch, which updates that a scaler skipped do not exceed
_OF_TOTAL = ("total", "total_or_span")  # hints of refusals for want of a total


class _Feeding(Callback):
    """Tells a Scheduler's rules what the module has logged, each measurement once."""

    def __init__(self, scheduler: Scheduler | None = None) -> None:
        self.scheduler = scheduler
        self._told: dict[str, Any] = {}  # the measurements that were told last
        self._is_past_end = False  # and that was said

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Lightning calls it after every batch."""
        self._feed(trainer)
        self._look_at_the_end()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls it when the metrics of a training epoch are known."""
        self._feed(trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls it when the metrics of a validation are known."""
        self._feed(trainer)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls it at the end: a metric that a rule waited for in vain is named."""
        if self.scheduler is None:
            return
        self._compare_length(trainer, self.scheduler)
        unmet = sorted({rule.metric for rule in self.scheduler.session.rules} - self._told.keys())
        if unmet:
            logged = ", ".join(map(repr, sorted(trainer.callback_metrics))) or "nothing"
            what = f"rule {unmet[0]!r} never met its metric; self.log(…) in this module gave {logged}"
            warnings.warn(what, PreheatWarning, stacklevel=2)

    def _look_at_the_end(self) -> None:
        """Say at the first update past the end of the run that the schedule is over, where it was made for that end."""
        scheduler, total = self.scheduler, None if self.scheduler is None else self.scheduler.run.total
        if scheduler is None or self._is_past_end or total is None or scheduler.position <= total:
            return
        self._is_past_end = True
        if _depends_on_length(scheduler):
            what = (
                f"training goes on past update {total:g}, the end of the run that the schedule was made for, and its last "
                "value holds; write run=Run(total=…), in updates, or leave run= out where Trainer knows the length"
            )
            warnings.warn(what, PreheatWarning, stacklevel=2)

    def _compare_length(self, trainer: Any, scheduler: Scheduler) -> None:
        """Say at the end of training that it was shorter than the schedule was made for, nobody having asked to stop."""
        total, position = scheduler.run.total, scheduler.position
        if total is None or trainer.should_stop or scheduler.session.measures_time:
            return
        if position < (1 - _LENGTH_TOLERANCE) * total - 1 and _depends_on_length(scheduler):
            what = (
                f"training ended at {position:g}, and the schedule was made for a run of {total:g} and has not come to its "
                f"end; write run=Run(total={position:g}), in updates"
            )
            warnings.warn(what, PreheatWarning, stacklevel=2)

    def _feed(self, trainer: Any) -> None:
        if self.scheduler is None or not self.scheduler.session.rules or trainer.sanity_checking:
            return
        heard = self.scheduler.session.heard(trainer.callback_metrics)
        new = {name: value for name, value in heard.items() if not _is_same(value, self._told.get(name))}
        self._told.update(new)
        self.scheduler.observe(new)


class _Watching(_Feeding):
    """Beside a scheduler that `config` returned, which Lightning steps, or the module in manual optimisation."""

    is_used = False  # in a fit, so that the next one has another
    _begun: tuple[int, int] | None = (
        None  # steps and updates at the start, while it is not known that the two go together
    )

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls it when everything is restored."""
        self.is_used, scheduler = True, self.scheduler
        found = self._configs(trainer)
        if scheduler is None or not found:  # of a fit that was refused before it began
            self.scheduler = None
            return
        if pl_module.automatic_optimization and (found[0].interval, found[0].frequency) != ("step", 1):
            raise PreheatError(
                "a Scheduler has one call for every update: interval 'step' and frequency 1",
                given=(found[0].interval, found[0].frequency),
                write="return what config(…) returns as it is; lengths such as '2 epochs' are known in it",
            )
        for finder in _finders(trainer) if not trainer.global_step else ():
            if (rate := finder.suggestion()) is not None:
                scheduler.set_peak(rate)
        self._begun = trainer.global_step, scheduler.last_epoch

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Lightning calls it after every batch."""
        super().on_train_batch_end(trainer, pl_module)
        if self.scheduler is None or self._begun is None or pl_module.automatic_optimization:
            return
        updates, calls = trainer.global_step - self._begun[0], self.scheduler.last_epoch - self._begun[1]
        if calls or updates >= _MANY:
            self._begun = None
        if updates >= _MANY and not calls:
            what = (
                f"{updates} updates were applied and nobody has stepped the scheduler of config(…), so its first value holds: "
                "in manual optimisation call self.lr_schedulers().step() after optimizer.step(), or use ScheduleCallback"
            )
            warnings.warn(what, PreheatWarning, stacklevel=2)

    def _compare_length(self, trainer: Any, scheduler: Scheduler) -> None:
        if self._configs(trainer):  # StochasticWeightAveraging takes another in its place
            super()._compare_length(trainer, scheduler)

    def _configs(self, trainer: Any) -> list[Any]:
        return [one for one in trainer.lr_scheduler_configs if one.scheduler is self.scheduler]


class ScheduleCallback(_Feeding):
    """Makes the optimizers of a LightningModule follow a schedule: `Trainer(callbacks=[ScheduleCallback("…")])`.

    Update t, counted from 0, uses `base · s(t)`, in automatic and in manual optimisation. What is logged by `self.log` reaches
    the rules. Where it is, is saved in Lightning's checkpoints and restored by `ckpt_path=`.

    schedule: a schedule, a Plan, or its text or data, so that it can stand in a LightningCLI's YAML.
    run: the Run, or its arguments as a mapping. What it leaves out is taken from the Trainer: the total from
        `estimated_stepping_batches`, and what an epoch is worth.
    peak: the rate of the largest group at factor 1; the other groups keep their ratio to it.
    rules: Plateau, HoldUntil, Rewarm, or their data; their metrics are the names given to `self.log`.
    on_change: what is done where a checkpoint holds another plan: "refuse", "adopt", "keep" or "rebase".

    All optimizers follow one plan. Of several, one tick is a round in which each is stepped at most once.

    scheduler: the Scheduler, once fitting has begun: `callback.scheduler.values()`, `print(callback.scheduler.audit())`.

    Raises PreheatError, before the first update, where `configure_optimizers` returns a scheduler too, or the length of
    the run is needed and Lightning does not know it.
    """

    def __init__(
        self,
        schedule: str | dict[str, Any] | Schedule | Absolute | Plan,
        *,
        run: dict[str, Any] | Run | None = None,
        peak: float | None = None,
        rules: Sequence[dict[str, Any] | Rule] = (),
        on_change: str = "refuse",
    ) -> None:
        super().__init__()
        self._plan = Plan(schedule)  # what is none is refused here
        self._run = _given_run(run)
        self._options = {"peak": peak, "rules": list(rules), "on_change": on_change}
        self._saved: dict[str, Any] | None = None  # a state that waits for the optimizers
        self._stage: str | None = None
        self._handles: list[Any] = []
        self._stepped: set[int] = set()  # the optimizers that were stepped since the last tick
        self._is_asked = False  # Lightning was about to step one, which a scaler may have skipped
        self._batches = 0  # of this fit, while they are to be compared with the updates

    # -- the run begins and ends ------------------------------------------------------------------------------------

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Lightning calls it before it restores a checkpoint."""
        self._stage = stage

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls it when there are optimizers, before it restores them."""
        _refuse_a_second_hand(trainer)
        if self._saved is None and self.scheduler is not None and trainer.global_step:
            self._saved = self.scheduler.state_dict()  # fit() again: Lightning goes on counting
        options = self._options | ({"base": "present"} if _finders(trainer) else {})
        self.scheduler = _built(trainer, trainer.optimizers, self._plan, self._run, options)
        self._is_past_end = False
        self._let_go()
        self._handles = [one.register_step_pre_hook(self._about_to_step) for one in self.scheduler.optimizers]
        is_estimated = self._run.total is None and not pl_module.automatic_optimization
        self._batches = 0 if is_estimated else -1
        self._told = {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls it when everything is restored."""
        saved, self._saved = self._saved, None
        if saved is not None:
            self._driver.load_state_dict(saved)
        elif trainer.global_step:
            what = (
                f"Lightning goes on at update {trainer.global_step} from a checkpoint without a state of ScheduleCallback, so "
                f"the schedule begins at its start; write .shifted(-{trainer.global_step}) to go on in the middle of it"
            )
            warnings.warn(what, PreheatWarning, stacklevel=2)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls it at the end."""
        self._let_go()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Lightning calls it where training was interrupted."""
        self._let_go()

    def _let_go(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    @property
    def _driver(self) -> Scheduler:
        if self.scheduler is None:
            raise PreheatError("ScheduleCallback has no optimizers yet", write="ask in or after trainer.fit")
        return self.scheduler

    # -- updates ----------------------------------------------------------------------------------------------------

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Lightning calls it before every batch: what other callbacks wrote to the rates is overruled."""
        self._stepped.clear()
        self._driver.write()

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Lightning calls it before an update, also before one that its scaler skips then."""
        self._is_asked = True

    def _about_to_step(self, optimizer: Optimizer, *_: Any) -> None:
        if id(optimizer) in self._stepped:  # manual optimisation steps it again in one batch
            self._tick()
        self._stepped.add(id(optimizer))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """Lightning calls it after every batch, and before a checkpoint of it."""
        self._feed(trainer)
        self._batches += self._batches >= 0
        if self._stepped or self._is_asked:
            self._tick()
        self._look_at_the_end()

    def _tick(self) -> None:
        self._stepped.clear()
        self._is_asked = False
        self._driver.step()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls it after every epoch."""
        self._feed(trainer)
        batches, self._batches = self._batches, -1
        if batches <= 0:
            return
        updates = self._driver.audit().applied
        if abs(updates - batches) > _MANUAL_TOLERANCE * batches:
            what = (
                f"there were {updates} updates in the {batches} batches of the first epoch, and the length of the run, "
                f"{self._driver.run.total}, is Lightning's count of batches; write run=Run(total=…), in updates"
            )
            warnings.warn(what, PreheatWarning, stacklevel=2)

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What Lightning puts into a checkpoint: the Scheduler's state; nothing before fitting."""
        if self._saved is not None:
            return self._saved
        return {} if self.scheduler is None else self.scheduler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What Lightning found in a checkpoint; it is taken when training starts, and left where a model is only tested."""
        if self._stage in (None, "fit"):
            self._saved = dict(state_dict)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_handles": [], "_told": {}, "_stepped": set()}


def config(
    module: Any,
    optimizer: Optimizer,
    schedule: str | dict[str, Any] | Schedule | Absolute | Plan,
    *,
    run: Run | None = None,
    peak: float | None = None,
    rules: Sequence[dict[str, Any] | Rule] = (),
    on_change: str = "refuse",
    name: str | None = None,
) -> dict[str, Any]:
    """What `configure_optimizers` returns: `return preheat.lightning.config(self, optimizer, "warmup(5%) >> decay()")`.

    module: the LightningModule, or its Trainer.   name: what LearningRateMonitor calls it.   The rest is as in
    ScheduleCallback, and so is what reaches the rules. In manual optimisation call `self.lr_schedulers().step()`.

    Returns a dictionary whose scheduler Lightning steps after every update.
    """
    trainer = getattr(module, "trainer", module)
    if not isinstance(optimizer, Optimizer):
        what = "config takes one optimizer"
        raise PreheatError(
            what, given=type(optimizer), write="return one config(…) for each, or use ScheduleCallback for all"
        )
    options = {"peak": peak, "rules": list(rules), "on_change": on_change}
    scheduler = _built(trainer, [optimizer], Plan(schedule), _given_run(run), options)
    trainer.callbacks[:] = [one for one in trainer.callbacks if not (isinstance(one, _Watching) and one.is_used)]
    trainer.callbacks.insert(0, _Watching(scheduler))
    named = {} if name is None else {"name": name}
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step", **named}}


def _built(trainer: Any, optimizers: Sequence[Optimizer], plan: Plan, run: Run, options: dict[str, Any]) -> Scheduler:
    """The Scheduler of a Trainer's optimizers, on the Trainer's run."""
    if any(type(one).__name__ == "_MockOptimizer" for one in optimizers):
        raise PreheatError(
            "configure_optimizers has returned no optimizer", write="return one, built with the peak rate"
        )
    run, given = _run_of(trainer, run, len(optimizers)), run
    if trainer.fast_dev_run and run.total is not None:
        plan = plan.bind(run, truncate=True)
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    try:
        scheduler = Scheduler(list(optimizers), plan, run=run, scaler=scaler, counts="updates", **options)
    except PreheatError as error:
        if run.total is not None or error.hint not in _OF_TOTAL:
            raise
        batches = f"{trainer.num_training_batches} batches an epoch"
        known = f"max_epochs={trainer.max_epochs}, max_steps={trainer.max_steps}, {batches}"
        if len(optimizers) > 1:
            known += f", and max_steps counts the steps of each of the {len(optimizers)} optimizers"
        what = f"the schedule needs the length of the run, which Lightning does not know ({known})"
        raise BindError(what, write="write Trainer(max_steps=…) or run=Run(total=…)", hint=error.hint) from error
    if scheduler.session.tick is None and not scheduler.session.measures_time:
        raise unknown_advance(given)
    return scheduler


def _given_run(run: Mapping[str, Any] | Run | None) -> Run:
    """The Run that was given, what it says in epochs aside, whose worth the Trainer knows."""
    found = given_run(Run(**run) if isinstance(run, Mapping) else run)
    if found.clock == "epoch":
        what = "Lightning's updates are counted one by one, and clock='epoch' counts epochs"
        raise PreheatError(what, write="leave clock= out: lengths such as '2 epochs' are known without it")
    return found


def _run_of(trainer: Any, run: Run, optimizers: int) -> Run:
    """The run with what the Trainer knows of it: what an epoch is worth in updates, and how many updates there will be."""
    if run.clock == "second" or (run.total is not None and run.steps_per_epoch is not None):
        return run
    if trainer.train_dataloader is None:
        trainer.fit_loop.setup_data()
    batches = trainer.num_training_batches
    if run.steps_per_epoch is None and 0 < batches < math.inf:
        run = run.replace(steps_per_epoch=math.ceil(batches / trainer.accumulate_grad_batches))
    if run.total is not None:
        return run
    if any(hasattr(one, "going_to_accumulate_grad_batches") for one in trainer.callbacks):
        what = "Lightning does not know the length of the run, as GradientAccumulationScheduler changes what an epoch is worth"
        raise BindError(what, write="write run=Run(total=…, steps_per_epoch=…), in updates", hint="total")
    total = trainer.estimated_stepping_batches  # inf or -1 where it is not known
    if optimizers > 1 and total == trainer.max_steps:  # steps of all of them, and a tick is a round
        return run
    return run.replace(total=f"{int(total)} steps") if 0 < total < math.inf else run


def _refuse_a_second_hand(trainer: Any) -> None:
    """Refuse others that move the same rates."""
    if trainer.lr_scheduler_configs:
        other = type(trainer.lr_scheduler_configs[0].scheduler).__name__
        raise PreheatError(
            f"configure_optimizers returns a {other} too, and ScheduleCallback drives the same rates",
            write="return the optimizer alone, or leave the callback out",
        )
    if any(getattr(one, "backbone_initial_lr", 0) is None for one in trainer.callbacks):
        raise PreheatError(
            "BackboneFinetuning would give the backbone a share of the head's rate of the moment, which the schedule moves",
            write="write BackboneFinetuning(backbone_initial_lr=…): the backbone's peak rate",
        )


def _finders(trainer: Any) -> list[Any]:
    """What Lightning's LearningRateFinder, run as a callback, has found: its rate is in the optimizer then."""
    return [one.optimal_lr for one in trainer.callbacks if getattr(one, "optimal_lr", None) is not None]


def _depends_on_length(scheduler: Scheduler) -> bool:
    """Whether the values up to here would have been others, had the run been bound to end here."""
    session = scheduler.session
    if session.written is None:
        return True
    try:
        ended = bound_plan(session.written, session.run.replace(total=max(1, math.ceil(session.position))))
    except PreheatError:  # it would not even fit
        return True
    return first_change(session.plan, ended, 0, session.position, session.tick) is not None


def _is_same(value: Any, told: Any) -> bool:
    """Whether a value was told before: Lightning shows what was logged until there is something newer."""
    if isinstance(value, Tensor) and isinstance(told, Tensor):
        return value is told or value.data_ptr() == told.data_ptr()
    return value is told
