"""PyTorch: a scheduler that one attaches to an optimizer and steps in the loop."""

from preheat.core.extras import needed

with needed("preheat.torch", "torch"):
    from preheat.torch import groups
    from preheat.torch.audit import Audit
    from preheat.torch.averaging import average
    from preheat.torch.checked import check
    from preheat.torch.described import describe
    from preheat.torch.gi_adam import gi_adam_
    from preheat.torch.scheduler import Scheduler

__all__ = ["Audit", "Scheduler", "average", "check", "describe", "gi_adam_", "groups"]
