"""Learning-rate warmup and hyper-parameter schedules: exact, composable, impossible to resume wrongly."""

from preheat.core.codec import from_dict, parse, to_dict
from preheat.core.errors import BindError, ParseError, PreheatError, StateError
from preheat.core.plan import Plan, absolute
from preheat.core.schedule import Schedule
from preheat.core.shapes import Shape, power, reverse
from preheat.core.spans import Run, Span
from preheat.core.words import (
    decay,
    hold,
    invsqrt,
    lower,
    ramp,
    rectified,
    saturating,
    steps,
    table,
    upper,
    warmup,
)

__version__ = "0.1.0"

__all__ = [
    "BindError",
    "ParseError",
    "Plan",
    "PreheatError",
    "Run",
    "Schedule",
    "Shape",
    "Span",
    "StateError",
    "absolute",
    "decay",
    "from_dict",
    "hold",
    "invsqrt",
    "lower",
    "parse",
    "power",
    "ramp",
    "rectified",
    "reverse",
    "saturating",
    "steps",
    "table",
    "to_dict",
    "upper",
    "warmup",
]
