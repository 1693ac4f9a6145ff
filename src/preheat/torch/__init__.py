"""PyTorch: a scheduler that one attaches to an optimizer and steps in the loop."""

from preheat.torch.scheduler import Scheduler

__all__ = ["Scheduler"]
