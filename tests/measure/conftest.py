"""Small trainings to measure on, and how to tell that nothing of a measurement is left."""

import copy
import random
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn


class Small(nn.Module):
    """A net with all that a measurement could disturb: dropout, running statistics, weights of two groups."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
        self.head = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class Trained:
    """A small model with an optimizer, a loss and batches, some updates into its training."""

    def __init__(
        self, kind: type[torch.optim.Optimizer] = torch.optim.AdamW, updates: int = 3, **settings: Any
    ) -> None:
        torch.manual_seed(1)
        self.model = Small()
        groups = [{"params": self.model.body.parameters()}, {"params": self.model.head.parameters(), "lr": 0.03}]
        self.optimizer = kind(groups, **{"lr": 0.01, **settings})
        self.batches = [(torch.randn(16, 4), torch.randn(16, 1)) for _ in range(8)]
        for batch in self.batches[:updates]:
            self.optimizer.zero_grad()
            self.loss(batch).backward()
            self.optimizer.step()

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        return (self.model(x) - y).square().mean()

    @property
    def given(self) -> tuple[Any, ...]:
        """What every instrument is given."""
        return self.model, self.optimizer, self.loss, self.batches

    def state(self) -> list[Any]:
        """All that there is, as values that can be compared, and the identity of what must stay the same object."""
        parameters = list(self.model.parameters())
        return [
            *(_bits(one) for one in parameters),
            *(None if one.grad is None else (id(one.grad), _bits(one.grad)) for one in parameters),
            {name: _bits(one) for name, one in self.model.named_buffers()},
            [module.training for module in self.model.modules()],
            [[id(one) for one in group["params"]] for group in self.optimizer.param_groups],
            _plain([{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]),
            _plain([dict(self.optimizer.state.get(one, {})) for one in parameters]),
            sorted(map(str, vars(self.optimizer))),
            _bits(torch.get_rng_state()),
            random.getstate(),
            _plain(numpy.random.get_state()[1].tolist()),
        ]


def _bits(tensor: Tensor) -> tuple[Any, ...]:
    return str(tensor.dtype), tuple(tensor.shape), tensor.detach().contiguous().numpy().tobytes()


def _plain(value: Any) -> Any:
    """Nested values with tensors as their objects and bits."""
    if isinstance(value, Tensor):
        return id(value), _bits(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return copy.deepcopy(value)


@pytest.fixture
def trained() -> type[Trained]:
    return Trained
