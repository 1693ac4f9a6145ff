"""Rules that listen to a metric: they may scale the value of a schedule, or make time stand still. Nothing else."""

from preheat.control.rules import HoldUntil, Plateau, Rewarm, Rule

__all__ = ["HoldUntil", "Plateau", "Rewarm", "Rule"]
