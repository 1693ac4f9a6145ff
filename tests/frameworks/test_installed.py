"""In CI nothing is skipped because a framework is missing."""

import os
from importlib.util import find_spec

import pytest

IN_CI = "accelerate flax hydra hydra_zen ignite jax jsonargparse keras lightning omegaconf optax torch transformers"


@pytest.mark.parametrize("module", IN_CI.split())
def test_ci_has_every_framework_that_it_promises(module: str) -> None:
    if "PREHEAT_IN_CI" not in os.environ:
        pytest.skip("only CI promises to have all of them")
    assert find_spec(module) is not None
