"""Rules that listen to a metric: they may scale the value of a schedule, or make time stand still. Nothing else."""

from preheat.session.plateau import HoldUntil, Plateau
from preheat.session.rewarm import Rewarm
from preheat.session.rules import Rule

__all__ = ["HoldUntil", "Plateau", "Rewarm", "Rule"]
