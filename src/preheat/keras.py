"""preheat in Keras 3: a learning rate that follows a schedule, saved and loaded with the model, on every backend."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from preheat.core.checks import positive_number, whole_number
from preheat.core.errors import PreheatError, shown
from preheat.core.extras import needed
from preheat.core.namespaces import NUMBERS, Arrays
from preheat.core.plan import Absolute, Plan
from preheat.core.ranges import refuse_impossible
from preheat.core.spans import Run
from preheat.core.text.words import Source, target
from preheat.session.clock import check_counts_updates, given_run
from preheat.session.state import run_to_text

with needed("preheat.keras", "keras"):
    import keras
    from keras import ops

__all__ = ["Schedule"]

# frames from the schedule up to the optimizer that asks: one, and more where TensorFlow has converted the code
_CALLERS = 24


@keras.saving.register_keras_serializable(package="preheat")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The `learning_rate=` of a Keras optimizer: update t, counted from 0, uses s(t).

    schedule: a schedule of rates, `absolute(s)`, or of factors, with `peak`; text and data are read.
    run: the Run that gives lengths their worth; its clock is updates.
    peak: the rate that factor 1 stands for.
    accumulation: how many batches make one update, where the optimizer has `gradient_accumulation_steps`: Keras hands a
        schedule the number of batches. One that does not say the same as the optimizer is refused at the first update.

    It is computed in float64 (on JAX in its default float, positions subtracted as integers first) and given as float32, or
    as `keras.config.floatx()` if that is float64. The position is the optimizer's `iterations`, which Keras saves.

    >>> import keras
    >>> from preheat import Run, decay, warmup
    >>> rate = Schedule(warmup("50%") >> decay(), Run(total=4), peak=1e-3)
    >>> optimizer = keras.optimizers.Adam(learning_rate=rate)
    >>> [round(float(rate(step)), 6) for step in range(4)]
    [0.0, 0.0005, 0.001, 0.0005]

    Raises PreheatError for factors without `peak`, or a clock other than updates; BindError where a length needs a Run.
    """

    def __init__(
        self,
        schedule: Source,
        run: Run | None = None,
        *,
        peak: float | None = None,
        accumulation: int = 1,
    ) -> None:
        given = target(schedule)
        check_counts_updates(given_run(run), "a Keras")
        if peak is None and not isinstance(given, Absolute):
            what = "Keras needs rates, and these are factors"
            raise PreheatError(what, given=given, write="pass peak=3e-4, or write absolute(…) if they are rates")
        self.rates: Absolute = given.bind(run, peak=peak)  # type: ignore[assignment]
        refuse_impossible(Plan(self.rates))
        self.accumulation = whole_number(accumulation, "accumulation", 1)
        self._given, self._run, self._peak = given, run, None if peak is None else positive_number(peak, "peak")

    def __call__(self, step: Any) -> Any:
        """The rate at `step`, a number, a tensor, or a Keras Variable such as `optimizer.iterations`."""
        self._check_caller()
        position = step // self.accumulation if isinstance(step, NUMBERS) else ops.convert_to_tensor(step)
        if not isinstance(step, NUMBERS) and self.accumulation > 1:
            position = ops.floor_divide(position, self.accumulation)
        if keras.backend.backend() == "tensorflow" and not isinstance(step, NUMBERS):
            rate = self.rates.schedule.computed(ops.cast(position, "float64"), _Tensors())
        else:
            rate = self.rates(position)
        return ops.cast(rate, "float64" if keras.config.floatx() == "float64" else "float32")

    def get_config(self) -> dict[str, Any]:
        """What it was made from, as JSON has it."""
        run = None if self._run is None else json.loads(run_to_text(self._run))
        return {"schedule": repr(self._given), "run": run, "peak": self._peak, "accumulation": self.accumulation}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Schedule:
        """The schedule of a config; raises PreheatError for one that is damaged. Nothing in it is evaluated."""
        given: dict[str, Any] = dict(config)
        known = ("schedule", "run", "peak", "accumulation")
        if "schedule" not in given or any(name not in known for name in given):
            what = "the config of a schedule has the keys " + ", ".join(known)
            raise PreheatError(what, given=list(given), write="take it from get_config()")
        if isinstance(given.get("run"), Mapping):
            try:
                given["run"] = Run(**given["run"])
            except TypeError:
                what = "run in the config of a schedule is what describes a Run"
                raise PreheatError(what, given=given["run"], write="take it from get_config()") from None
        return cls(**given)

    def __repr__(self) -> str:
        return f"preheat.keras.Schedule({shown(self.rates, 200)})"

    def _check_caller(self) -> None:
        """Refuse an optimizer that makes one update of another number of batches than was said."""
        frame = sys._getframe(2)
        for _ in range(_CALLERS):
            asking = frame.f_locals.get("self")
            if isinstance(asking, keras.optimizers.Optimizer) and asking._learning_rate is self:
                batches = asking.gradient_accumulation_steps or 1
                if batches != self.accumulation:
                    every = "every batch" if batches == 1 else f"every {batches} batches"
                    what = f"the optimizer updates {every}, and Keras hands a schedule the number of batches: accumulation is"
                    write = f"write Schedule(…, accumulation={batches})"
                    raise PreheatError(f"{what} {batches}", given=self.accumulation, write=write)
                return
            if frame.f_back is None:
                return
            frame = frame.f_back


class _Tensors(Arrays):
    """Floating-point tensors of a Keras backend of which the core knows nothing: TensorFlow's, in a graph or not."""

    def __init__(self) -> None:
        super().__init__(ops)
        self.where = lambda condition, yes, no: ops.where(condition, _tensor(yes), _tensor(no))

    def take(self, values: Sequence[float], index: Any) -> Any:
        return ops.take(_tensor(values), ops.cast(index, "int32"))

    def within(self, t: Any, low: float | None, high: float | None) -> Any:
        t = t if low is None else ops.maximum(t, _tensor(low))
        return t if high is None or high == math.inf else ops.minimum(t, _tensor(high))

    def find(self, t: Any, starts: Sequence[float]) -> tuple[Any, Any]:
        known = _tensor(starts)
        flat = ops.searchsorted(known, ops.reshape(t, (-1,)), side="right") - 1
        k = ops.reshape(flat, ops.shape(t))
        return ops.cast(k, "float64"), t - ops.take(known, k)


def _tensor(value: Any) -> Any:
    """Numbers as a tensor of float64; tensors stay as they are."""
    return value if ops.is_tensor(value) else ops.convert_to_tensor(value, dtype="float64")
