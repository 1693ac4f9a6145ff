"""What is a secret and what only looks like one."""

import random
import shlex

import pytest

from preheat.lab.command_line import typed
from preheat.lab.experiment import Arm, Experiment, Study
from preheat.lab.identity.secrets import Mask, environment_values, without
from preheat.lab.report.reproduce import reproduction
from preheat.lab.running.command import LaunchOptions

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
    "sh -c 'MYPASSWORD=\"Xq7 Xq7\" t'",
    "t PGPASSWORD=Xq7 HFTOKEN=Xq7 API_KEY2=Xq7",
    "curl --header='X-Api-Key: Xq7'",
    "t 'https://host/?X-Amz-Signature=Xq7&sig=Xq7&x=1'",
    "t --bearer Xq7 --jwt Xq7 --pat Xq7 --cookie Xq7 --pw Xq7 --signature Xq7",
    "curl -u me:Xq7 --user me:Xq7 --user=me:Xq7",
    "git clone https://Xq7@host/x",
    "t --api_key= Xq7 --wandb-api-key: Xq7",
    "sh -c 't --api_key= Xq7'",
    'sh -c \'ssh h "sh -c \\"API_KEY=Xq7 t\\""\'',
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
    "t --pattern x --width 3 --design y -u 1000:1000 --user me -u https://a.org",
    "sh -c 'API_KEY= t; HF_TOKEN= u'",
    "sh -c 'export API_KEY=$(cat key); t'",
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


def test_the_value_of_a_name_is_hidden_wherever_it_stands():
    words = ["t", "-p", "SECRETQ", "--lr=SECRETQ", "tail/SECRETQ", "sh -c 'x SECRETQ;y'"]
    hidden = ["t", "-p", "***", "--lr=***", "tail/***", "sh -c 'x ***;y'"]
    assert Mask(["p"]).words(words) == hidden
    assert Mask(["p"]).words(["t", "-p", "abc", "abcd"]) == ["t", "-p", "***", "abcd"], "too short to be looked for"


# what may stand in a command of a shell; of a secret the text with {} for its value
PLAIN = ("t.py", "--lr", "3", "LR=3", "export", "env", "x y", "a=b", "it's", "sh", "-v", "--out=z", "tokens", "--flag")
SECRETS = (
    "--api-key {}",
    "--password={}",
    "HF_TOKEN={}",
    'API_KEY="{}"',
    "export WANDB_API_KEY='{}'",
    "-H 'X-Api-Key: {}'",
    "-u me:{}",
    "https://{}@host/x",
    '\'{{"password": "{}"}}\'',
    "--token {}",
)
WRAPPED = ("sh -c {}", "ssh host {}", "bash -lc {}", "srun sh -c {}")


def _command(pieces, value, wrap):
    text = "t " + "".join(piece.format(value) + between for piece, between in pieces)
    return wrap.format(shlex.quote(text))


def test_only_the_value_of_a_secret_is_hidden_and_left_out_of_what_is_compared():
    """Commands by chance: another secret is the same configuration, another anything else is not, and what is put back is
    what was typed."""
    draw = random.Random(1)
    plain = [shlex.quote(word) for word in PLAIN]
    for _ in range(100):
        pieces = [
            (draw.choice(plain if draw.random() < 0.6 else SECRETS), draw.choice((" ", ";", " && ", "|", "\n", " & ")))
            for _ in range(draw.randint(2, 7))
        ]
        wrap = draw.choice(WRAPPED)
        one, two = (_command(pieces, value, wrap) for value in ("Qw7xzt", "Rr9y8abc"))
        assert digits(one) == digits(two), one
        back = typed(("preheat", "--launch", one)).replace("***", "Qw7xzt")
        assert shlex.split(back) == ["preheat", "--launch", one]
        if any("{}" in piece for piece, _ in pieces):
            assert "Qw7xzt" not in typed(("preheat", "--launch", one))
        for at, (piece, between) in enumerate(pieces):
            if "{}" not in piece:
                other = [*pieces[:at], (piece + "1" if piece[-1] != "'" else piece + "'1'", between), *pieces[at + 1 :]]
                assert cut(one) != cut(_command(other, "Qw7xzt", wrap)), (one, piece)
            other = [*pieces[:at], (piece, " ; u " if between != ";" else "|"), *pieces[at + 1 :]]
            assert cut(one) != cut(_command(other, "Qw7xzt", wrap)), (one, between)


def cut(command):
    """What of a command is digested."""
    return Mask().cut(shlex.split(command))


def digits(command):
    return LaunchOptions(command=command).public()["words"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sh -c 'export HF_TOKEN=A;LR=3;sh t'", "sh -c 'export HF_TOKEN=A;LR=4;sh t'"),
        ("sh -c 'HF_TOKEN=A;LR=3'", "sh -c 'HF_TOKEN=A;LR=4'"),
        ("sh -c 'export HF_TOKEN=x; sh lr.sh'", "sh -c 'export HF_TOKEN=x sh lr.sh'"),
        ("ssh h 'API_KEY=x prog arg'", "ssh h 'API_KEY=x prog other'"),
        ("t 'API_KEY=x prog arg'", "t 'API_KEY=x prog other'"),
        ("t --use-auth-token -a", "t --use-auth-token -b"),
        ("t --use-auth-token a.py", "t --use-auth-token b.py"),
        ("git clone https://api-token:x@a.org/b", "git clone https://api-token:x@a.org/c"),
        ("t postgres://a:x@h", "t postgres://b:x@h"),
        ("curl -H 'Authorization: Bearer abcdefgh'", "curl -H 'Authorization: Basic abcdefgh'"),
    ],
)
def test_what_stands_after_a_secret_is_part_of_the_configuration(one, other):
    assert digits(one) != digits(other)


def test_values_are_found_in_any_text_and_in_the_environment():
    values = environment_values(
        {"MY_API_KEY": "abcdefgh", "PWD": "/some/where", "XY": "abcdefghi", "PASSWORD": "ab"}, ["xy"]
    )
    assert values == {"abcdefgh", "abcdefghi"}
    assert without("x abcdefghi y abcdefgh z", values) == "x *** y *** z"


def test_an_experiment_hides_what_stands_in_its_titles():
    study = Study("key sk-Xq7aaaaaaaaaaaaaaaaaaaa", "digits", None, (Arm("a", "decay()"),), (0,), 10)
    assert (study.title, Experiment("of /srv/me/x", (study,)).title) == ("key ***", "of x")
