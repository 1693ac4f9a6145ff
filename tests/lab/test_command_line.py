"""A study as the words of a command, and commands as they are printed, to be pasted."""

import shlex

from made_runs import plain_study

from preheat.lab.command_line import arm_words, typed, written
from preheat.lab.experiment import Arm


def test_the_arms_of_a_command_are_those_of_the_study_whatever_they_are_called():
    names = ("it's <a>", 'say "b"', "c d", "$e `f`")
    arms = tuple(Arm(name, 'ramp(0.0, 1.0, "50%") >> decay()') for name in names)
    words = arm_words(plain_study(arms))
    assert words[::2] == ["--arm"] * 4
    assert tuple(map(Arm.read, words[1::2])) == arms


def test_a_text_that_begins_with_a_dash_is_joined_to_its_option():
    words = ["preheat", "compare", "--markdown", "--arm", "-c=hold()", "--title", "--x", "--out", "o"]
    joined = ["preheat", "compare", "--markdown", "--arm=-c=hold()", "--title=--x", "--out", "o"]
    for shown in (typed(words), written(words)):
        assert shlex.split(shown) == joined


def test_an_arm_is_no_secret():
    words = ["preheat", "compare", "--arm", "token=warmup(5%) >> decay()"]
    assert shlex.split(typed(words)) == words
