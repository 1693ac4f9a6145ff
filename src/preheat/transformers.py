"""transformers' Trainer, and the trainers built on it such as TRL's: their hyper-parameters follow a schedule."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from preheat.core.checks import one_of
from preheat.core.errors import PreheatError, PreheatWarning, StateError, nearest, shown
from preheat.core.extras import needed
from preheat.core.plan import Plan
from preheat.core.spans import Run
from preheat.core.text.language import Target
from preheat.core.text.words import Source
from preheat.session.clock import given_run
from preheat.session.rules import Rule, read_rules
from preheat.session.session import POLICIES
from preheat.session.state import FOREIGN

with needed("preheat.transformers", "transformers"):
    from torch.optim import Optimizer
    from transformers import Trainer, TrainerCallback
    from transformers.trainer_utils import has_length

    from preheat.torch.resuming import OPEN_BASE
    from preheat.torch.scheduler import Scheduler
    from preheat.torch.update_counter import own_count

__all__ = ["ScheduledTrainer", "use"]

# what else in the training arguments would shape the rate, and what says the same in a schedule
_OTHERS = {
    "warmup_steps": "warmup(100) >> decay()",
    "warmup_ratio": "warmup(5%) >> decay()",
    "lr_scheduler_type": "warmup(5%) >> decay(shape=cosine)",
    "lr_scheduler_kwargs": "warmup(5%) >> decay(to=0.1, shape=cosine)",
}
_ADOPT = (
    "write use(…, on_change='adopt') to go on at the update that the Trainer has reached, with the schedule and the peak of "
    "this script"
)
# what to write where a message says it for those who build the Scheduler themselves
_CURES = {
    OPEN_BASE: "write use(…, base='initial') for each group's initial_lr, base='present' for what stands there now, or "
    "peak=…; or trainer.optimizer = None before train() for a new optimizer",
    FOREIGN: _ADOPT,
    "truncate": "write shorter lengths, or shares such as '5%', or train longer; where this is the beginning of a longer run, "
    "write use(…, run=Run(total=…))",
}
_AT_THE_END = ("train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos")
_BESIDE = ("epoch", "learning_rate", "num_input_tokens_seen", "step")  # logged, and no measurement
_SHARE = "'5%' is a share of the updates, where warmup_steps takes 0.05"


def use(
    trainer: Trainer,
    schedule: Target | Source,
    *,
    rules: Sequence[Rule | Mapping[str, Any]] = (),
    run: Run | None = None,
    peak: float | None = None,
    base: str | None = None,
    on_change: str = "refuse",
) -> Trainer:
    """Make a Trainer, or one of TRL's or your own, follow a schedule; gives it back. Call it before `train()`.

    trainer: it is changed in place: its class becomes a `ScheduledTrainer` of the same kind.
    schedule: what `preheat.parse` takes. Factors multiply the rate of every group of the optimizer, which is
        `learning_rate` where the Trainer builds it. The Trainer says how many updates there are, how many make an epoch, and
        how many samples make an update, so that "5%", "2 epochs" and "rest" need nothing else.
    rules: what they listen to is what is logged: "loss", "grad_norm", and "eval_loss" and the like of `evaluate()`.
    run: what the Trainer cannot know, such as Run(tokens_per_step=…); or a longer total, of which it trains the beginning.
    peak, base, on_change: as in `preheat.torch.Scheduler`, which is built when training begins.

    Every scheduled value of an update is logged beside its `learning_rate`, as "lr/head" or "weight_decay/0": the value's
    name, then the group's name or number.

    Raises PreheatError for what is not a Trainer or a schedule, and where the Trainer has another scheduler or warmup too.
    """
    if not isinstance(trainer, Trainer):
        what = "use takes a transformers Trainer first"
        raise PreheatError(what, given=trainer, write="write use(trainer, 'warmup(5%) >> decay()')")
    own = next(kind for kind in type(trainer).__mro__ if "create_scheduler" in vars(kind))
    if own not in (Trainer, ScheduledTrainer):
        raise PreheatError(
            f"{own.__name__} makes a scheduler of its own, in create_scheduler",
            write="leave that method out, or make it give a preheat.torch.Scheduler and do without use()",
        )
    return follow(trainer, schedule, rules=rules, run=run, peak=peak, base=base, on_change=on_change)


def follow(trainer: Trainer, schedule: Any, **said: Any) -> Trainer:
    """As `use`, also over a `create_scheduler` of the trainer's own class: for who knows what that does."""
    follower = _Follower(schedule, **said)
    _refuse_others(trainer)
    if not isinstance(trainer, ScheduledTrainer):
        trainer.__class__ = _scheduled(type(trainer))
    _attach(trainer, follower)
    return trainer


class ScheduledTrainer(Trainer):
    """A Trainer that follows a schedule: a class to inherit from, also beside another, where `use` does not serve.

        class MyTrainer(ScheduledTrainer, SFTTrainer): ...
        MyTrainer(schedule="warmup(5%) >> decay()", model=model, args=args, …)

    args, kwargs: what the Trainer takes.   The others are as in `use`, and it raises what that raises.
    """

    _follower: _Follower

    def __init__(
        self,
        *args: Any,
        schedule: Target | Source,
        rules: Sequence[Rule | Mapping[str, Any]] = (),
        run: Run | None = None,
        peak: float | None = None,
        base: str | None = None,
        on_change: str = "refuse",
        **kwargs: Any,
    ) -> None:
        follower = _Follower(schedule, rules=rules, run=run, peak=peak, base=base, on_change=on_change)
        super().__init__(*args, **kwargs)
        _refuse_others(self)
        _attach(self, follower)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train, as the Trainer does; what the schedule refuses says what to write in `use`."""
        try:
            return super().train(*args, **kwargs)
        except PreheatError as error:
            if error.hint not in _CURES:
                raise
            cured = type(error)(error.reason, write=_CURES[error.hint], hint=error.hint)
            raise cured.with_traceback(error.__traceback__) from None

    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> Any:
        """The Scheduler of a training of so many updates; the Trainer asks for it when training begins."""
        if self.lr_scheduler is None:
            _refuse_others(self)
            follower = self._follower
            follower.check_metrics(self.args, num_training_steps)
            follower.samples_per_step = self.get_total_train_batch_size(self.args)
            loads = getattr(self.get_train_dataloader, "__func__", None)
            follower.makes_batches = loads is Trainer.get_train_dataloader
            optimizer = self.optimizer if optimizer is None else optimizer
            # Trainers before 5 ask before they prepare the optimizer
            scaler = getattr(self.accelerator, "scaler", None)
            scheduler = follower.scheduler(optimizer, num_training_steps, scaler)
            _warn_of_unused_rate(self.args, scheduler, follower)
            self.lr_scheduler = follower.built = scheduler  # type: ignore[assignment]
            self._created_lr_scheduler = True  # so that a second train() builds another
        elif _ours(self.lr_scheduler) is None:
            raise PreheatError(
                f"the Trainer has a scheduler of its own, {type(self.lr_scheduler).__name__}, beside the schedule",
                write="leave out the section 'scheduler' of a DeepSpeed configuration",
            )
        return self.lr_scheduler

    def set_initial_training_values(self, args: Any, dataloader: Any, *more: Any) -> Any:
        """What the Trainer plans, of which the updates of an epoch are kept: they are known where the data have a length."""
        planned = super().set_initial_training_values(args, dataloader, *more)
        self._follower.steps_per_epoch = planned[1] if has_length(dataloader) else None
        return planned

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:  # no public method loads them
        """Load both; where the checkpoint is of another scheduler and the script's schedule is to be adopted, the optimizer."""
        try:
            super()._load_optimizer_and_scheduler(checkpoint)
        except StateError as error:
            if error.hint != FOREIGN or self._follower.on_change != "adopt":
                raise

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log, and beside a `learning_rate` every value that the same update was given."""
        if "learning_rate" in logs:
            for name, value in self._follower.used.items():
                logs.setdefault(name, value)
        super().log(logs, *args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        made, arguments, *rest = super().__reduce_ex__(protocol)
        own = type(self).__dict__.get("_made_of")
        return (made, arguments, *rest) if own is None else (_made, (own,), *rest)


class _Follower(TrainerCallback):
    """What a Trainer is to follow, and what is told to its Scheduler and read off it while it trains."""

    def __init__(
        self,
        schedule: Any,
        *,
        rules: Sequence[Any] = (),
        run: Run | None = None,
        peak: float | None = None,
        base: str | None = None,
        on_change: str = "refuse",
    ) -> None:
        self.plan, self.rules = Plan(schedule), read_rules(rules)
        self.peak, self.base, self.on_change = peak, base, one_of(on_change, "on_change", POLICIES)
        self.run = given_run(run, "Run(tokens_per_step=…)")
        if self.run.clock == "epoch":
            what = "a Trainer calls its scheduler after every update, which a clock of epochs would take for an epoch"
            raise PreheatError(what, write="leave clock= out: '2 epochs' is known all the same")
        self.steps_per_epoch: int | None = None
        self.samples_per_step: int | None = None
        self.makes_batches = True  # the Trainer, and not a get_train_dataloader of one's own
        self.used: dict[str, float] = {}  # by the update that is under way, or was last
        self.built: Scheduler | None = None  # for the training that is under way, or was last
        self._begin_listening()

    def _begin_listening(self) -> None:
        """What came since a training began, for rules whose metric does not come."""
        self.came: dict[str, None] = {}
        self.has_logged = self.has_evaluated = False
        self.begun: list[Any] = [] if self.built is None else list(self.built.session.states)
        self.missed: set[str] = set()

    def scheduler(self, optimizer: Any, updates: int, scaler: Any) -> Scheduler:
        """A Scheduler for a run of so many updates, some of which the scaler may skip."""
        options = {"peak": self.peak, "base": self.base, "on_change": self.on_change, "scaler": scaler}
        return Scheduler(optimizer, self.plan, run=self.run_of(updates), rules=self.rules, **options)

    def run_of(self, updates: int) -> Run:
        """The run that a Trainer plans, with what was said of it besides."""
        run = self.run
        known = {"steps_per_epoch": self.steps_per_epoch, "samples_per_step": self.samples_per_step}
        for name, worth in known.items():
            said = getattr(run, name)
            if said is not None and worth and said != worth and (name == "steps_per_epoch" or self.makes_batches):
                raise PreheatError(
                    f"in this training {name} is {worth}, and run= says another",
                    given=said,
                    write=f"leave {name}= out of run=",
                )
        run = run.replace(**{name: worth for name, worth in known.items() if worth and getattr(run, name) is None})
        if run.clock == "second":  # which no number of updates tells
            return run
        planned = run.replace(total=f"{updates} steps")
        if run.total is None:
            return planned
        if run.total < (planned.total or 0):
            raise PreheatError(
                f"the Trainer makes {updates} updates, {planned.total:,} {run.clock}s, and run= ends before",
                given=run.total,
                write="leave total= out, or train for fewer max_steps or epochs",
            )
        return run

    def check_metrics(self, args: Any, updates: int) -> None:
        """Refuse rules whose metric the Trainer will not measure in so many updates, as far as its arguments tell."""
        for metric in (rule.metric for rule in self.rules):
            why, write = "", ""
            if metric in _AT_THE_END:
                why, write = "which comes when the training is over", "write 'loss' or 'eval_loss'"
            elif metric.startswith("eval_"):
                why, write = self._no_evaluation(args, updates)
            elif metric in ("loss", "grad_norm"):
                why, write = self._no_log(args, updates)
            if why:
                raise PreheatError(f"a rule listens to {metric!r}, {why}", write=write)

    def _no_evaluation(self, args: Any, updates: int) -> tuple[str, str]:
        """Why the Trainer will not evaluate before its last update, and what to write; empty if it will."""
        by_steps, delay = args.eval_strategy == "steps", args.eval_delay or 0
        if args.eval_strategy == "no":
            return (
                "and the Trainer never evaluates",
                "write eval_strategy='steps' or 'epoch' in the training arguments",
            )
        if args.eval_on_start or self._is_the_beginning:
            return "", ""
        if by_steps and _interval(args.eval_steps, updates) > updates:
            return (
                f"and the Trainer evaluates after {args.eval_steps} updates and makes {updates}",
                "write a smaller eval_steps",
            )
        ends = updates if by_steps else updates / (self.steps_per_epoch or 1)
        if delay > ends:
            unit = "updates" if by_steps else "epochs"
            return f"and the Trainer evaluates after {delay:g} {unit} and makes {ends:g}", "write a smaller eval_delay"
        return "", ""

    def _no_log(self, args: Any, updates: int) -> tuple[str, str]:
        """Why the Trainer will log nothing of its updates, and what to write; empty if it will."""
        if args.logging_strategy == "no":
            return "and the Trainer never logs it", "write logging_strategy='steps' in the training arguments"
        every = _interval(args.logging_steps, updates)
        if (
            args.logging_strategy == "steps"
            and every > updates
            and not (args.logging_first_step or self._is_the_beginning)
        ):
            why = f"and the Trainer logs it after {args.logging_steps} updates and makes {updates}"
            return why, "write a smaller logging_steps"
        return "", ""

    @property
    def _is_the_beginning(self) -> bool:
        """Whether the run is said to be longer than what this Trainer makes of it."""
        return self.run.total is not None

    def on_train_begin(self, args: Any, state: Any, control: Any, **held: Any) -> None:
        """Refuse a run that does not follow its schedule, or goes on where its schedule does not."""
        scheduler, other = _ours(held.get("lr_scheduler")), type(held.get("lr_scheduler")).__name__
        if scheduler is None or scheduler is not self.built:
            raise PreheatError(
                f"the schedule is not followed: the Trainer has another scheduler, {other}, which a create_scheduler of its "
                "own class made, or which was given to it",
                write="leave that out, or let it return super().create_scheduler(num_training_steps, optimizer)",
            )
        if state.global_step and not scheduler.last_epoch:
            if self.on_change != "adopt":
                raise StateError(
                    f"the run goes on at update {state.global_step}, and its checkpoint has told the schedule nothing: it "
                    "lacks scheduler.pt or optimizer.pt, as where it was saved with save_only_model=True",
                    write=f"resume from a whole checkpoint, or {_ADOPT}; to train anew from these weights, load them into the "
                    "model and call train() without resume_from_checkpoint",
                )
            scheduler.go_to(state.global_step)
        self._check_position(scheduler, state.global_step, held.get("optimizer"), bool(args.deepspeed))
        self._begin_listening()

    def _check_position(self, scheduler: Scheduler, update: int, optimizer: Any, has_deepspeed: bool) -> None:
        """Refuse a schedule that is at another update than the Trainer; one that a scaler skipped is no update of it."""
        at = scheduler.last_epoch
        own = None if self.base is not None or has_deepspeed else own_count(scheduler.optimizers)
        has_scaler = has_deepspeed or getattr(optimizer, "scaler", None) is not None
        if at == update or (at < update and (own == at or (own is None and has_scaler))):
            return
        raise StateError(
            f"the Trainer goes on at update {update} and the schedule at {at}: scheduler.pt is of another checkpoint than "
            "trainer_state.json",
            write="resume from a checkpoint whose files were saved together",
        )

    def on_step_begin(self, args: Any, state: Any, control: Any, lr_scheduler: Any = None, **_: Any) -> None:
        """Keep the values of the update that begins: it is logged when the schedule is at the next one."""
        scheduler = _ours(lr_scheduler)
        self.used = {} if scheduler is None else {_logged(name): one for name, one in scheduler.values().items()}
        if self.rules and (self.has_evaluated or self.has_logged):
            self._warn_of_missed(args.eval_strategy != "no")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, lr_scheduler: Any = None, **_: Any) -> None:
        """Tell the rules what was measured."""
        scheduler = _ours(lr_scheduler)
        if scheduler is not None and logs:
            self.came.update(dict.fromkeys(map(str, logs)))
            self.has_logged = self.has_logged or "loss" in logs
            scheduler.observe(logs)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Remember that there was an evaluation; of several sets of data each is one, and all end before the next update."""
        self.has_evaluated = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Say which rules never heard their metric in a training that came to its end."""
        if self.rules and state.global_step >= state.max_steps:
            self._warn_of_missed(False, is_over=True)

    def _warn_of_missed(self, evaluates: bool, is_over: bool = False) -> None:
        """Warn once of a rule whose metric did not come where it was to be expected."""
        if self.built is None:
            return
        session = self.built.session
        compared = zip(session.rules, session.states, self.begun, strict=False)
        unmoved = [rule.metric for rule, state, then in compared if state == then]
        for metric in dict.fromkeys(unmoved):
            heard_all = self.has_logged and (self.has_evaluated or not evaluates)
            is_due = is_over or (self.has_evaluated if metric.startswith("eval_") else heard_all)
            if metric in self.came or metric in self.missed or not is_due:
                continue
            self.missed.add(metric)
            known = [
                name for name in self.came if name not in _BESIDE and not name.endswith(("_runtime", "_per_second"))
            ]
            near = nearest(metric, known).partition("; known")[0]
            named = f"; measured were {', '.join(map(repr, known))}{near}" if known else ""
            warnings.warn(
                f"a rule listens to {metric!r}, which has not been measured so far, so the rule does nothing{named}",
                PreheatWarning,
                stacklevel=2,
            )


def _attach(trainer: ScheduledTrainer | Trainer, follower: _Follower) -> None:
    trainer.remove_callback(_Follower)
    trainer.add_callback(follower)
    trainer._follower = follower  # type: ignore[union-attr]


@cache
def _scheduled(kind: type[Trainer]) -> type[Trainer]:
    """The class of trainers of a kind that follow a schedule; one for each, whose instances copy and pickle."""
    names = {"_made_of": kind, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(f"Scheduled{kind.__name__}", (ScheduledTrainer, kind), names)


def _made(kind: type[Trainer]) -> Trainer:
    """A trainer of a kind that follows a schedule, still empty."""
    cls = _scheduled(kind)
    return cls.__new__(cls)


def _ours(scheduler: Any) -> Scheduler | None:
    """The Scheduler of ours that a Trainer holds, which DeepSpeed's wrapper hides; None if it is another."""
    held = scheduler if isinstance(scheduler, Scheduler) else getattr(scheduler, "scheduler", None)
    return held if isinstance(held, Scheduler) else None


def _interval(steps: float, updates: int) -> float:
    """How many updates an interval of the training arguments is: below 1 it is a share of the run."""
    return math.ceil(steps * updates) if steps < 1 else steps


def _logged(name: str) -> str:
    """What a value is called in a log: "lr/head" for a plan's "head/lr", so that loggers show the groups together."""
    group, _, hyper = name.rpartition("/")
    return f"{hyper}/{group}" if group else hyper


def _defaults(args: Any) -> dict[str, Any]:
    """What the training arguments are where nobody says otherwise; TRL's have defaults of their own."""
    return {field.name: field.default for field in fields(args)}


def _refuse_others(trainer: Trainer) -> None:
    """Refuse a second scheduler or warmup beside the schedule."""
    args = trainer.args
    for name, default in _defaults(args).items():
        value = getattr(args, name, None)
        if name in _OTHERS and value and value != default:
            value = getattr(value, "value", value)
            hint = f" ({_SHARE})" if name == "warmup_steps" and value < 1 else ""
            raise PreheatError(
                f"the training arguments say {name}={shown(value)}, a second schedule beside the one that is to be followed",
                write=f"leave {name} out, and write all of it in the schedule, for example {_OTHERS[name]!r}{hint}",
            )
    own = trainer.lr_scheduler
    if own is not None and not getattr(trainer, "_created_lr_scheduler", False):
        raise PreheatError(
            f"the Trainer was given a scheduler of its own, {type(own).__name__}",
            write="write optimizers=(optimizer, None)",
        )


def _warn_of_unused_rate(args: Any, scheduler: Scheduler, follower: _Follower) -> None:
    """Say that a `learning_rate` is not used, where an optimizer was given that has another one."""
    rate = args.learning_rate
    factors = any(line.is_rate and not line.is_absolute for line in follower.plan.lines)
    if not factors or follower.peak is not None or rate == _defaults(args).get("learning_rate"):
        return
    bases = list(dict.fromkeys(float(base) for base in scheduler.base_lrs))
    if not any(math.isclose(base, rate, rel_tol=1e-6) for base in bases):
        own = ", ".join(f"{base:g}" for base in bases[:4])
        warnings.warn(
            f"learning_rate={rate:g} of the training arguments is not used: the optimizer has groups at {own}, which the "
            "schedule multiplies; build the optimizer with that rate, set trainer.optimizer = None for a new one, or write "
            "peak= in use()",
            PreheatWarning,
            stacklevel=3,
        )
