"""Groups of an optimizer with gradients that are there already, for steps that are compiled or stay on the device."""

import torch
from torch.optim import Optimizer


def groups(number: int = 2) -> list[dict]:
    made = [torch.nn.Parameter(torch.ones(3, 1)) for _ in range(number)]
    for parameter in made:
        parameter.grad = torch.ones(3, 1)
    return [{"params": [parameter]} for parameter in made]


def rates(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]
