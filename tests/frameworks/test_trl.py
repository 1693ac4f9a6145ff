"""TRL's SFTTrainer follows a schedule through the same one line, and tells the rules its own metrics too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("trl")

sys.path.insert(0, str(Path(__file__).parent))

from datasets import Dataset
from tiny_lm import Pieces, Recorder, model
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

import preheat as ph
from preheat.transformers import use

CURVE = "warmup(25%) >> decay()"


def a_trainer(folder: Path, recorder: Recorder, **more: Any) -> SFTTrainer:
    usual: dict[str, Any] = {
        "max_steps": 8,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-3,
        "logging_steps": 1,
    }
    usual |= {"use_cpu": True, "bf16": False, "report_to": [], "disable_tqdm": True, "save_strategy": "no"}
    usual |= {"dataset_kwargs": {"skip_prepare_dataset": True}, "gradient_checkpointing": False}
    words = Tokenizer(WordLevel({"<pad>": 0, "<eos>": 1, "<unk>": 2}, unk_token="<unk>"))
    return SFTTrainer(
        model=model(),
        args=SFTConfig(output_dir=str(folder), **(usual | more)),
        train_dataset=Dataset.from_list([{"input_ids": row} for row in Pieces(40).tokens.tolist()]),
        processing_class=PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>"),
        callbacks=[recorder],
    )


def test_every_update_uses_the_value_of_the_schedule_also_when_it_is_resumed(tmp_path: Path) -> None:
    whole, rest = Recorder(), Recorder()
    trainer = use(a_trainer(tmp_path, whole, save_strategy="steps", save_steps=4), CURVE)
    assert isinstance(trainer, SFTTrainer)
    trainer.train()
    rate = ph.parse(CURVE).bind(ph.Run(total=8), peak=1e-3)
    assert whole.first == pytest.approx([rate(t) for t in range(8)], rel=1e-12)
    logs = [one for one in trainer.state.log_history if "learning_rate" in one]
    assert [one["lr/0"] for one in logs] == whole.first
    assert all("mean_token_accuracy" in one for one in logs)
    use(a_trainer(tmp_path, rest), CURVE).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert rest.first == whole.first[4:]


def test_rules_hear_what_only_this_trainer_logs(tmp_path: Path) -> None:
    """No count of tokens is ever better for being larger, so each one after the first is a stall."""
    recorder = Recorder()
    rule = ph.Plateau("num_tokens", factor=0.5, patience=0)
    use(a_trainer(tmp_path, recorder, max_steps=4), "hold()", rules=[rule]).train()
    assert recorder.first == [1e-3, 1e-3, 5e-4, 2.5e-4]


def test_a_warmup_left_on_in_the_configuration_is_refused(tmp_path: Path) -> None:
    trainer = a_trainer(tmp_path, Recorder(), warmup_steps=0.03)
    with pytest.raises(ph.PreheatError, match=r"warmup_steps=0.03, a second schedule"):
        use(trainer, CURVE)
