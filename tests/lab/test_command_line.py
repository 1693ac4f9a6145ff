"""A study as the words of a command, and back."""

from made_runs import plain_study

from preheat.lab.command_line import arm_words
from preheat.lab.experiment import Arm


def test_the_arms_of_a_command_are_those_of_the_study_whatever_they_are_called():
    names = ("it's <a>", 'say "b"', "c d", "$e `f`")
    arms = tuple(Arm(name, 'ramp(0.0, 1.0, "50%") >> decay()') for name in names)
    words = arm_words(plain_study(arms))
    assert words[::2] == ["--arm"] * 4
    assert tuple(map(Arm.read, words[1::2])) == arms
