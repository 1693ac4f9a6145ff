"""Configs in Python are read as syntax: what else than a literal may change a name that counts is refused, or told."""

from pathlib import Path

import pytest

from preheat import PreheatError
from preheat.compat import read
from preheat.compat.configs.assigned import Unread, assigned
from preheat.compat.configs.reading import Reading

NANOGPT = "max_iters = 100\nwarmup_iters = 10\nlr_decay_iters = 100\nmin_lr = 1e-5\nlearning_rate = 1e-3\n"
MMENGINE = """
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(max_iters=100)
param_scheduler = [dict(type='LinearLR', start_factor=0.1, begin=0, end=10, by_epoch=False)]
"""


def reading(folder: Path, text: str, **beside: object) -> Reading:
    path = folder / "config.py"
    path.write_text(text)
    return read(path, **beside)


@pytest.mark.parametrize(
    "line",
    [
        "if True:\n    learning_rate = 1e-3",
        "for learning_rate in [1e-4]: pass",
        "while x: learning_rate = 1",
        "try:\n    import fast\nexcept ImportError as learning_rate: pass",
        "with opened() as learning_rate: pass",
        "match x:\n    case learning_rate: pass",
        "learning_rate = float(os.environ['LR'])",
        "learning_rate = 1e-3 if max_iters > 10 else 1e-4",
        "learning_rate += offset",
        "learning_rate, other = values()",
        "learning_rate, *others = 1e-3, 1e-4",
        "(learning_rate := 1e-4)",
        "other = [learning_rate := 1e-4]",
        "del learning_rate",
        "from base import learning_rate",
        "def later():\n    global learning_rate\n    learning_rate = 1e-4\nlater()",
    ],
)
def test_a_rate_that_may_have_changed_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(PreheatError, match=r"learning_rate is changed or computed in line \d+"):
        reading(tmp_path, NANOGPT + line)
    assert max(reading(tmp_path, NANOGPT + line, base_lr=0.5).table(100)) == 0.5


@pytest.mark.parametrize(
    "line", ["learning_rate *= 2", "learning_rate, beta2 = 2e-3, 0.95", "learning_rate: float = 2e-3"]
)
def test_what_follows_from_literals_is_followed(tmp_path: Path, line: str) -> None:
    assert max(reading(tmp_path, NANOGPT + line).table(100)) == 2e-3


@pytest.mark.parametrize("line", ["exec(open('configurator.py').read())", "from base import *", "globals().update(x)"])
def test_what_may_set_any_name_is_told(tmp_path: Path, line: str) -> None:
    assert any(
        one.code == "not-carried" and one.place == "line 6" for one in reading(tmp_path, NANOGPT + line).findings
    )


def test_what_a_file_computes_for_itself_is_no_fault(tmp_path: Path) -> None:
    own = "import time\nwandb_run_name = 'a' + str(time.time())\ndef f(learning_rate):\n    learning_rate = 2\nprint(max_iters)"
    assert reading(tmp_path, NANOGPT + own).findings == ()


@pytest.mark.parametrize(
    "line",
    [
        "param_scheduler = [dict(type='ConstantLR', begin=i) for i in range(3)]",
        "param_scheduler = [*[], dict(type='ConstantLR')]",
        "param_scheduler = [dict(type='ConstantLR')] if x else []",
        "param_scheduler = [dict(type='MultiStepLR', milestones=[i for i in range(3)])]",
        "if True:\n    param_scheduler = []",
        "param_scheduler.append(dict(type='ConstantLR'))",
        "param_scheduler[0]['end'] = 1000",
        "lengthened(param_scheduler)",
        "optim_wrapper['optimizer']['lr'] = 1.0",
        "optim_wrapper.update(optimizer=dict(lr=1.0))",
        "held = optim_wrapper\nheld['optimizer']['lr'] = 1.0",
        "train_cfg['max_iters'] += 12",
    ],
)
def test_a_list_or_dict_that_may_have_changed_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(PreheatError, match="is changed or computed in line"):
        reading(tmp_path, MMENGINE + line)


def test_no_scheduler_and_groups_with_rates_of_their_own_are_told(tmp_path: Path) -> None:
    found = reading(tmp_path, MMENGINE.replace("param_scheduler", "param_schedulers")).findings
    assert {one.place for one in found} == {"param_scheduler", "param_schedulers"}
    groups = MMENGINE.replace("lr=0.1)", "lr=0.1), paramwise_cfg=dict(bias_lr_mult=2.0)")
    assert "optim_wrapper.paramwise_cfg" in {one.place for one in reading(tmp_path, groups).findings}


def test_what_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreheatError, match="nested too deeply"):
        reading(tmp_path, "lr = " + "-" * 100_000 + "1")


def test_what_is_no_literal_is_known_where_it_stands() -> None:
    values, _ = assigned("import os\nlrs = [0.1, os.cpu_count()]")
    assert values["lrs"][0] == 0.1
    assert isinstance(values["lrs"][1], Unread)
