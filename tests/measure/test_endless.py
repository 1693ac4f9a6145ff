"""Batches again and again, beside those that ends are judged by: what is set aside does not come among the others."""

from itertools import count, islice

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from preheat import PreheatError
from preheat.measure.training import ASIDE, Training


def parted(batches, **more):
    model = nn.Linear(1, 1)
    training = Training(model, torch.optim.SGD(model.parameters(), lr=0.1), model, batches, **more)
    stream = training.endless()
    return training.judging(stream), stream


@pytest.mark.parametrize("number", [2, 3, 8, 9, 15, 16, 17, 40])
@pytest.mark.parametrize("kind", [list, tuple, lambda numbers: DataLoader(numbers, batch_size=None)])
def test_what_is_set_aside_is_left_out_where_batches_come_round_in_order(number, kind):
    aside, stream = parted(kind(list(range(number))))
    assert aside == list(range(min(ASIDE, number // 2)))
    rest = [one for one in range(number) if one not in aside]
    assert list(islice(stream, 2 * len(rest) + 1)) == [*rest, *rest, rest[0]]
    assert stream.came_round
    assert not stream.mixed


def test_a_single_batch_is_trained_on_and_judged_by_and_that_is_known():
    aside, stream = parted([5])
    assert (aside, next(stream), stream.mixed) == ([5], 5, True)


def test_batches_that_are_shuffled_come_round_with_those_set_aside_and_that_is_known():
    aside, stream = parted(DataLoader(list(range(20)), batch_size=1, shuffle=True))
    list(islice(stream, 12))
    assert not stream.mixed
    again = {int(one) for one in islice(stream, 20)}
    assert stream.mixed
    assert again >= {int(one) for one in aside}


def test_held_out_batches_take_nothing_from_the_others():
    aside, stream = parted([1, 2, 3], held_out=[7])
    assert aside == [7]
    assert list(islice(stream, 4)) == [1, 2, 3, 1]
    assert not stream.mixed


def test_a_generator_gives_the_next_ones():
    aside, stream = parted(count())
    assert aside == list(range(ASIDE))
    assert next(stream) == ASIDE
    assert not stream.came_round


def test_how_many_came_is_said_where_they_run_out():
    _, stream = parted(iter(range(10)))
    stream.wanted = 300
    with pytest.raises(PreheatError, match="ran out: 10 came, and 300 are needed"):
        list(stream)
