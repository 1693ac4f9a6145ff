"""What the tests share: a folder to import from, one schedule of every kind, a compiler that has seen nothing."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import preheat as ph

sys.path.insert(0, str(Path(__file__).parent))

# one of every kind of node, each over within 24 updates or never; those whose peak is not 1 say that they are factors
KINDS = {
    "ramp": ph.warmup(10, start=0.1),
    "hold": ph.relative(ph.hold(0.5)),
    "sequence": ph.warmup(5) >> ph.hold(1.0, 5) >> ph.decay(10, shape="cosine"),
    "exponential": ph.ramp(0.01, 1.0, 12, shape="exponential"),
    "staircase": ph.steps([1.0, 0.5, 0.1], [6, 6, 6]),
    "invsqrt": ph.warmup(4) >> ph.invsqrt(4),
    "saturating": ph.saturating(5),
    "rectified": ph.rectified(0.9),
    "table": ph.relative(ph.table([0.1, 0.5, 0.9, 0.3])),
    "product": ph.warmup(4) * ph.decay(20, shape="sqrt"),
    "scaled": ph.decay(20, to=0.1).scaled(3.0),
    "lower": ph.relative(ph.lower(ph.warmup(8), ph.hold(0.7))),
    "clipped": ph.relative(ph.decay(20).clipped(0.2, 0.8)),
    "repeated": ph.decay(6, to=0.2, shape="cosine").repeated(3, stretch=1.5, shrink=0.5),
    "endless": ph.decay(6, to=0.2).repeated(),
    "shifted": ph.warmup(4).shifted(3),
    "truncated": ph.decay(20).bind(ph.Run(total=12), truncate=True),
}


@pytest.fixture(params=KINDS)
def schedule(request: pytest.FixtureRequest) -> ph.Schedule:
    return KINDS[request.param]


@pytest.fixture
def muon_class() -> type[torch.optim.Optimizer]:
    """Muon, where torch has it: from 2.9 on."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    return torch.optim.Muon


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dynamo's own, about profiler hooks
        yield
    torch._dynamo.reset()
