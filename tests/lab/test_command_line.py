"""Commands as they are printed, to be pasted."""

import shlex

from preheat.lab.command_line import typed, written


def test_a_text_that_begins_with_a_dash_is_joined_to_its_option():
    words = ["preheat", "compare", "--markdown", "--arm", "-c=hold()", "--title", "--x", "--out", "o"]
    for shown in (typed(words), written(words)):
        assert shlex.split(shown) == [
            "preheat",
            "compare",
            "--markdown",
            "--arm=-c=hold()",
            "--title=--x",
            "--out",
            "o",
        ]


def test_an_arm_is_no_secret():
    words = ["preheat", "compare", "--arm", "token=warmup(5%) >> decay()"]
    assert shlex.split(typed(words)) == words
