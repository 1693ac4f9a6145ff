"""What is a secret and what only looks like one."""

import shlex

import pytest

from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.identity.secrets import Mask, environment_values, without
from preheat.lab.report.reproduce import reproduction

SECRET = [
    "python t.py --api-key Xq7",
    "python t.py --api-key=Xq7",
    "API_KEY=Xq7 python t.py",
    "env HF_TOKEN=Xq7 python t.py",
    "python t.py --hf_token Xq7",
    "python t.py --token Xq7 --lr 1",
    "python t.py wandb.key=Xq7 ++wandb.api_key=Xq7",
    "python t.py --wandbApiKey Xq7 --openaiKey=Xq7",
    "python t.py --password 'Xq7 Xq7,Xq7'",
    "AWS_SECRET_ACCESS_KEY=Xq7/Xq7+x t",
    "t --client-secret Xq7 --secret=Xq7 --credentials Xq7",
    "git clone https://me:Xq7@host/x",
    "git clone https://Xq7abcdefghijklmnop1234@host/x",
    "t 'postgres://me:Xq7@host/db'",
    "t 'https://host/?token=Xq7&x=1'",
    "curl -H 'Authorization: Bearer Xq7abcdef'",
    "curl -H 'X-Api-Key: Xq7'",
    't \'{"api_key": "Xq7", "x": 1}\'',
    "sh -c 'cd x && WANDB_API_KEY=Xq7 python t.py --api-key Xq7 && echo \"done\"'",
    "sh -c 'python t.py --api-key \"Xq7 Xq7\"'",
    "t --key Xq7aaaaaaaaaaaaa1234567",
    "t sk-Xq7aaaaaaaaaaaaaaaaaaaa",
    "t hf_Xq7aaaaaaaaaaaaaaaaaaaa",
    "t ghp_Xq7aaaaaaaaaaaaaaaaaaaa",
    "t --id=AKIAXQ7AAAAAAAAAAAAA".replace("XQ7", "Xq7".upper()),
    "t 'export SERVICE_PASSWORD=Xq7; run'",
]
NOT_SECRET = [
    "t --tokenizer gpt2 --num-tokens 100 --key-dim 64 --max_tokens=5 tokens_per_step=8",
    "t --pad-token '<pad>' --eos_token=eos --bos-token x --token-dropout 0.1 --special-token X",
    "t --sort-key loss --key 3 --image-key jpg --num_key_value_heads 8 --keys a,b --monkey=banana",
    "t --token=True --use-auth-token false --api-key-file x.txt --password-length 12 --secret-weight 0.5",
    "t --api-key $API_KEY --hf-token '${HF_TOKEN}' --token {seed}",
    "t --author me --basic transformer --lr 1e-3 --bearer no",
    "git clone git@github.com:x/y https://a.org/b",
    "t 'unexpected token: foo'",
    "t --arm 'warm=warmup(5%) >> decay()' --hash 9f8a7b6c5d4e3f2a1b0c9d8e",
]


@pytest.mark.parametrize("command", SECRET)
def test_a_secret_is_not_shown_and_its_value_is_known(command):
    mask = Mask()
    shown = shlex.join(mask.words(shlex.split(command)))
    assert "xq7" not in shown.casefold()
    assert "***" in shown
    assert any("xq7" in value.casefold() for value in mask.values)
    study = Study("s", "digits", None, (Arm("a", "decay()"),), (0,), 10)
    assert "xq7" not in reproduction(Experiment("e", (study,), tuple(shlex.split(command)))).casefold()
    assert "xq7" not in reproduction(Experiment("e", (study,), ("preheat", "--launch", command))).casefold()


@pytest.mark.parametrize("command", NOT_SECRET)
def test_what_only_looks_like_a_secret_stays(command):
    words = shlex.split(command)
    assert Mask().words(words) == words
    assert Mask().text(command) == command


def test_a_name_that_is_said_to_be_a_secret_is_one():
    words = ["t", "--site-code", "abc", "SITE_CODE=abc", "--site-codes=3"]
    assert Mask(["site-code"]).words(words) == ["t", "--site-code", "***", "SITE_CODE=***", "--site-codes=3"]
    study = Study("s", "digits", None, (Arm("a", "decay()"),), (0,), 10)
    assert "--secret site-code" in reproduction(Experiment("e", (study,), ("preheat", "--secret", "site-code")))


def test_values_are_found_in_any_text_and_in_the_environment():
    values = environment_values(
        {"MY_API_KEY": "abcdefgh", "PWD": "/some/where", "XY": "abcdefghi", "PASSWORD": "ab"}, ["xy"]
    )
    assert values == {"abcdefgh", "abcdefghi"}
    assert without("x abcdefghi y abcdefgh z", values) == "x *** y *** z"


def test_an_experiment_hides_what_stands_in_its_titles():
    study = Study("key sk-Xq7aaaaaaaaaaaaaaaaaaaa", "digits", None, (Arm("a", "decay()"),), (0,), 10)
    assert (study.title, Experiment("of /srv/me/x", (study,)).title) == ("key ***", "of x")
