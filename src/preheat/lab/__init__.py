"""Comparisons: train the same model under several schedules, and say what the difference is."""

from preheat.lab.compare import run_experiment
from preheat.lab.demo import demo_experiment
from preheat.lab.experiment import Arm, Experiment, Study

__all__ = ["Arm", "Experiment", "Study", "demo_experiment", "run_experiment"]
