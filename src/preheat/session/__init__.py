"""A plan on a run, whatever the framework: where it is, what is saved of it, and the rules that listen to metrics."""

from preheat.session.greedy import GreedyLR
from preheat.session.hold_until import HoldUntil
from preheat.session.loss_warmup import LossWarmup
from preheat.session.plateau import Plateau
from preheat.session.rewarm import Rewarm
from preheat.session.rewind import GoBack, Rewind
from preheat.session.rules import Rule
from preheat.session.session import Session

__all__ = ["GoBack", "GreedyLR", "HoldUntil", "LossWarmup", "Plateau", "Rewarm", "Rewind", "Rule", "Session"]
