"""What is measured, named at a prompt: a built-in task with its options, or a function in a file of one's own."""

import inspect
import sys
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from preheat.core.errors import PreheatError, nearest, shown
from preheat.lab.tasks import TrainingOptions, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn
    from torch.optim import Optimizer

_PARTS = 8  # batches that the held-out data of a task makes
MODULE = "write --module train.py:build, where build(seed) returns model, optimizer, loss, batches"


class Made(NamedTuple):
    """A new training: the first four arguments of every instrument of `preheat.measure`, and data that it is judged by.

    kept_loss, kept_batches: for fine-tuning, what the model knows already, `keep=` of an advice.
    """

    model: "nn.Module"
    optimizer: "Optimizer"
    loss: "Callable[[Any], Tensor]"
    batches: "Iterable[Any]"
    held_out: "Iterable[Any] | None" = None
    kept_loss: "Callable[[Any], Tensor] | None" = None
    kept_batches: "Iterable[Any] | None" = None

    @property
    def keep(self) -> "tuple[Callable[[Any], Tensor], Iterable[Any]] | None":
        """What an advice takes as `keep`."""
        return None if self.kept_loss is None or self.kept_batches is None else (self.kept_loss, self.kept_batches)

    @property
    def four(self) -> tuple[Any, ...]:
        """What every instrument is given."""
        return tuple(self[:_NEEDED])


_NEEDED = 4


@dataclass(frozen=True)
class Subject:
    """A training that can be made again from a seed.

    name: what it is called.   made: called as `made(seed)`; the seed alone fixes the weights and the order of the data.
    """

    name: str
    made: Callable[[int], Made]


def task_subject(name: str, options: TrainingOptions) -> Subject:
    """The built-in task with these options: with the same seed, the weights and batches that `preheat compare` trains on."""

    def made(seed: int) -> Made:
        from preheat.lab.tasks.training import begun, cross_entropy

        task = load(options)
        model, optimizer, batches = begun(task, options, seed)
        inputs, targets = task.validation()
        held_out = list(zip(inputs.chunk(_PARTS), targets.chunk(_PARTS), strict=True))
        return Made(model, optimizer, lambda batch: cross_entropy(model(batch[0]), batch[1]), batches, held_out)

    return Subject(name, made)


def module_subject(text: str) -> Subject:
    """What `path.py:function` gives. The function is called with seed= if it takes that, and always after
    torch.manual_seed(seed); it returns (model, optimizer, loss, batches), and held_out where there is data that is never
    trained on, or a mapping with these names; a mapping may also have kept_loss and kept_batches, for fine-tuning.

    Raises PreheatError where there is no such file or function, and, once it is called, for anything else that it gives
    and for what it raises.
    """
    file, _, name = text.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise PreheatError("--module is a file and a function in it", given=text, write=MODULE)
    path = Path(file)
    if not path.is_file():
        raise PreheatError(f"there is no file {shown(file)}", write=MODULE)
    loaded: list[Callable[..., Any]] = []
    before: list[weakref.ref[Any]] = []

    def made(seed: int) -> Made:
        import torch

        with told(text, wholly=True):
            if not loaded:
                loaded.append(_function(_module(path), name, file))
            torch.manual_seed(seed)
            function = loaded[0]
            given = function(**({"seed": seed} if _takes_seed(function, text) else {}))
        found = _four(given, text)
        if any(one() is found.model for one in before):
            raise PreheatError(f"{text} gives the same model again", write="make the model inside the function")
        before[:] = [weakref.ref(found.model)]
        return found

    return Subject(f"{path.name}:{name}", made)


@contextmanager
def told(text: str, *, wholly: bool = False) -> Iterator[None]:
    """A block in which code of `path.py:function` runs: what it raises is refused in a line that says what and where.

    wholly: whether all that is raised is its own, else what passes through a file in its folder.
    """
    try:
        yield
    except PreheatError:
        raise
    except (Exception, SystemExit) as error:
        place = _place(error, Path(text.rpartition(":")[0]).resolve())
        if (not place and not wholly) or (isinstance(error, SystemExit) and _asked_to_stop(error)):
            raise
        if isinstance(error, SystemExit):
            raise PreheatError(f"{text} ended the program by sys.exit{place}", write="let it return instead") from error
        said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())[:300]
        raise PreheatError(f"{text} raised {type(error).__name__}{': ' * bool(said)}{said}{place}") from error


def _asked_to_stop(error: SystemExit) -> bool:
    """Whether it comes from a handler of signals, which interrupts whatever runs, and not from sys.exit."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return Path(frame.f_code.co_filename).is_relative_to(Path(__file__).parents[1])


def _place(error: BaseException, path: Path) -> str:
    """Where in the files of a folder an error came from; empty where it did not."""
    frames = [(Path(one.filename), one.lineno) for one in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((Path(error.filename), error.lineno))
    here = Path(__file__).parents[1]
    for file, line in reversed(frames):
        file = file.resolve()
        own = file.is_relative_to(path.parent) and not file.is_relative_to(here) and "site-packages" not in file.parts
        if own:
            return f" ({file.relative_to(path.parent)}, line {line})"
    return ""


def _module(path: Path) -> ModuleType:
    """The file as a module, run with its own folder first on the path, as `python path` does."""
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise PreheatError(f"{shown(str(path))} cannot be imported", write=MODULE)
    module = module_from_spec(spec)
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.insert(0, folder)
    sys.modules.setdefault(path.stem, module)  # what pickles or looks up its own classes finds them
    spec.loader.exec_module(module)
    return module


def _function(module: ModuleType, name: str, file: str) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if not callable(found):
        own = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        there = f"{file} has no function {shown(name)}" + (nearest(name, own) if own else "")
        raise PreheatError(there, write="" if own else MODULE)
    return found


def _takes_seed(function: Callable[..., Any], text: str) -> bool:
    """Whether it takes seed=. Raises PreheatError where it wants something else."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a built-in: called without
        return False
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    wanted = [one.name for one in parameters if one.default is one.empty and one.kind not in kinds]
    if others := [name for name in wanted if name != "seed"]:
        raise PreheatError(
            f"{text} wants {', '.join(others)}, and is called with seed= only", write="give them default values"
        )
    return any(one.name == "seed" and one.kind is not one.POSITIONAL_ONLY for one in parameters)


def _four(given: Any, text: str) -> Made:
    """What the function gave, as it should be. Raises PreheatError for anything else."""
    if isinstance(given, Mapping):
        if not set(Made._fields[:_NEEDED]) <= set(given) <= set(Made._fields):
            names, what = ", ".join(map(str, given)), f"{text} gives a mapping of other names"
            raise PreheatError(f"{what}: {shown(names)}", write=f"return {', '.join(Made._fields[:_NEEDED])}")
        found = Made(**given)
        if (found.kept_loss is None) != (found.kept_batches is None):
            raise PreheatError(f"{text} gives one of kept_loss and kept_batches", write="give both, or none")
    elif isinstance(given, tuple | list) and len(given) in (_NEEDED, _NEEDED + 1):
        found = Made(*given)
    else:
        kind = f"{len(given)} things" if isinstance(given, tuple | list) else f"one {type(given).__name__}"
        raise PreheatError(f"{text} gives {kind}", write=f"return {', '.join(Made._fields[:_NEEDED])}")
    from preheat.measure.training import Training

    try:
        Training(*found.four, held_out=found.held_out)
    except PreheatError as error:
        raise error.restated(PreheatError, f"what {text} gives: {error.reason}") from None
    return found
