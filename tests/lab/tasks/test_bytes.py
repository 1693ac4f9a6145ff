"""The bytes task: what is held out, what chance is, and that the model never looks ahead."""

import math

import pytest
import torch

from preheat.lab.tasks import BytesOptions, corpus, load, models

SMALL = BytesOptions(depth=2, width=16, heads=2, context=16, batch=4)


def test_the_text_is_the_standard_library_and_its_fingerprint_names_it():
    text = corpus.read("library")
    one = load(SMALL)
    assert one.fingerprint == text.fingerprint
    assert bytes(one.training.tolist()) == text.training
    assert bytes(one.held_out.tolist()) == text.held_out


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_later_byte_does_not_change_what_came_before_it(norm):
    torch.manual_seed(0)
    model = models.Transformer(BytesOptions(norm=norm, depth=3, width=16, heads=2, context=16))
    text = torch.randint(256, (2, 16))
    changed = text.clone()
    changed[:, 9] = (changed[:, 9] + 1) % 256
    before, after = model(text), model(changed)
    assert torch.equal(before[:, :9], after[:, :9])
    assert not torch.allclose(before[:, 9:], after[:, 9:])
    assert not torch.allclose(before[:, 15], after[:, 15])  # attention reaches back beyond its own position


def test_post_norm_ends_in_a_norm_and_pre_norm_does_not_start_with_one():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 16) * 7
    post, pre = (models.Block(BytesOptions(norm=norm, width=16, heads=2)) for norm in ("post", "pre"))
    assert torch.allclose(post(x).std(-1, unbiased=False), torch.ones(2, 5), atol=1e-2)
    assert pre(x).std(-1).min() > 2  # the residual stream passes unchanged


def test_the_targets_are_the_inputs_one_byte_later():
    inputs, targets = next(load(SMALL).batches(0))
    assert inputs.shape == targets.shape == (4, 16)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])


def test_validation_is_the_same_every_time_and_reaches_to_the_last_byte():
    one = load(SMALL)
    inputs, targets = one.validation()
    assert torch.equal(inputs, load(SMALL).validation()[0])
    assert torch.equal(targets[-1], one.held_out[-16:].long())
    assert torch.equal(inputs[0], one.held_out[:16].long())


def test_chance_is_the_unigram_cross_entropy():
    one = load(SMALL)
    counts = [1] * 256
    for byte in corpus.read("library").training:
        counts[byte] += 1
    targets = one.validation()[1].flatten().tolist()
    expected = -sum(math.log(counts[byte] / sum(counts)) for byte in targets) / len(targets)
    assert one.chance_loss() == pytest.approx(expected, rel=1e-12)
    assert 2 < expected < math.log(256)
