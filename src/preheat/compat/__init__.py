"""Other libraries' schedulers, restated as schedules; their configs, read and written. Nothing of them is imported.

    compat.transformers.cosine(num_warmup_steps=500, num_training_steps=10_000, base_lr=3e-4)
    compat.restate("torch", "OneCycleLR", max_lr=0.1, total_steps=1000)
    compat.read("training_args.json")

A restatement equals the library at every update of the run, and keeps its last value after it. With `faithful=True` it does
after the end what the library does; where the library raises, it keeps its last value, and the finding "raises-after-the-end"
says from which update on. Arguments are the library's own, by name. base_lr= is the rate that the optimizer was built with,
and nothing else: it is what factors multiply, and where the library is given rates and writes those, it is not used, and a
finding says so.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from preheat.compat.parts.peer import Peer
from preheat.compat.parts.restated import Restated
from preheat.core.errors import PreheatError, nearest, shown

if TYPE_CHECKING:
    from preheat.compat.sources.read import Reading, read

__all__ = ["PEERS", "Reading", "Restated", "peer", "read", "restate"]

PEERS: tuple[str, ...] = (
    "timm",
    "torch",
    "transformers",
    "torchtitan",
    "nanogpt",
    "nanochat",
    "olmo_core",
    "fairseq",
    "levanter",
    "big_vision",
    "schedulefree",
    "axolotl",
    "llama_factory",
    "deepspeed",
    "megatron",
    "nemo",
    "composer",
    "optax",
    "keras",
    "pytorch_warmup",
    "ignite",
    "pytorch_optimizer",
    "fvcore",
    "detectron2",
    "mmengine",
    "paddle",
    "fastai",
    "ultralytics",
    "kohya",
    "diffusers",
)  # fmt: skip
"""The libraries that are restated, each a module of this package."""
_OTHERWISE = {
    **dict.fromkeys(("hf", "huggingface"), "transformers"),
    **dict.fromkeys(("megatron_core", "megatron_lm"), "megatron"),
    "llm_foundry": "composer",
    "olmo": "olmo_core",
    "pytorch": "torch",
    "pytorch_image_models": "timm",
    "pytorch_ignite": "ignite",
    "sd_scripts": "kohya",
    "tensorflow": "keras",
    "tf": "keras",
    "paddlepaddle": "paddle",
}


def peer(name: str) -> Peer:
    """A library that is restated: its version, its source, its schedulers.

    name: one of PEERS, or what its package is called otherwise. Raises PreheatError for an unknown one.
    """
    known = name.lower().replace("-", "_") if isinstance(name, str) else name
    known = _OTHERWISE.get(known, known)
    if known not in PEERS:
        raise PreheatError(f"no library {shown(name)} is restated{nearest(str(name), PEERS)}")
    return import_module(f"preheat.compat.{known}").PEER


def restate(library: str, scheduler: str, /, **arguments: Any) -> Restated:
    """A scheduler of another library as a schedule, by that library's names: one door to all of `preheat.compat`.

    library: one of PEERS.   scheduler: its own name, such as "CosineAnnealingLR", or that of the function here.
    arguments: the scheduler's own, by name.
    base_lr: the rate that the optimizer was built with; 1 by default, so that the values are factors.
    faithful: also after the end of the run do what the library does.

    >>> restate("transformers", "cosine", num_warmup_steps=2, num_training_steps=6).table(3).tolist()
    [0.0, 0.5, 1.0]

    Raises PreheatError for a library, scheduler or argument that is not known, and where the library itself fails.
    """
    return peer(library)[scheduler](**arguments)


def __getattr__(name: str) -> object:
    if name in PEERS:
        return import_module(f"preheat.compat.{name}")
    if name in ("Reading", "read"):
        return getattr(import_module("preheat.compat.sources.read"), name)
    raise AttributeError(f"module 'preheat.compat' has no attribute {name!r}{nearest(name, PEERS)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *PEERS, "Reading", "read"])
