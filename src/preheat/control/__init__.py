"""Rules that listen to a metric: they may scale the value of a schedule, or make time stand still. Nothing else."""

from preheat.control.rules import Rule
from preheat.control.spikes import Rewarm
from preheat.control.stalls import HoldUntil, Plateau

__all__ = ["HoldUntil", "Plateau", "Rewarm", "Rule"]
