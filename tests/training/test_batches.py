"""Batches: the order of random draws, the background thread, pictures as the model takes them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from fastpose.errors import UserError
from fastpose.recipes.base import Augmentation
from fastpose.training.batches import (
    GENERATORS,
    BatchStream,
    Prepared,
    Sources,
    images_to_float,
    initial_rng_states,
    make_generators,
    stage_at,
    to_batch,
)
from fastpose.training.phases import Phase, Stage
from tests.training.tiny import SOURCES, STAGES, RandomFrames

PHASE = Phase("any", ("module",), {"loss": 1.0})


def stream(states: dict, *, start: int, stop: int) -> BatchStream:
    return BatchStream(STAGES, SOURCES, states, start=start, stop=stop)


def same(a: Prepared, b: Prepared) -> bool:
    arrays = all(np.array_equal(a.arrays[k], b.arrays[k]) for k in a.arrays)
    return a.arrays.keys() == b.arrays.keys() and arrays and a.rng_states == b.rng_states


def test_stage_at_skips_stages_without_steps() -> None:
    stages = [Stage(n, s, 1, (PHASE,), ("poses",)) for n, s in (("a", 0), ("b", 2), ("c", 3))]
    assert [stage_at(stages, i) for i in range(5)] == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    with pytest.raises(IndexError):
        stage_at(stages, 5)


def test_the_stages_batch_size_and_needs_decide_what_is_drawn() -> None:
    with stream(initial_rng_states(0), start=5, stop=9) as batches:
        drawn = [batches.next().arrays for _ in range(4)]
    assert [set(d) for d in drawn[:2]] == [{"poses"}] * 2
    assert [set(d) for d in drawn[2:]] == [{"poses", "target", "other", "ids"}] * 2
    assert [len(d["poses"]) for d in drawn] == [5, 5, 3, 3]


def test_a_stream_begun_from_the_states_of_a_consumed_batch_continues_it() -> None:
    with stream(initial_rng_states(3), start=0, stop=20) as whole:
        batches = [whole.next() for _ in range(20)]
    states = {**initial_rng_states(3), **batches[11].rng_states}
    with stream(states, start=12, stop=20) as rest:
        assert all(same(rest.next(), batches[i]) for i in range(12, 20))


def test_the_thread_is_one_batch_ahead_and_the_states_are_not() -> None:
    drawn = threading.Semaphore(0)

    class Counting(RandomFrames):
        def sample(self, batch, rng, share=slice(None)):
            result = super().sample(batch, rng, share)
            drawn.release()
            return result

    sources = Sources(Counting(), SOURCES.poses)
    states = initial_rng_states(0)
    with BatchStream(STAGES, sources, states, start=7, stop=40) as batches:
        first = batches.next()
        assert drawn.acquire(timeout=5) and drawn.acquire(timeout=5)  # the second comes unasked
        assert not drawn.acquire(timeout=0.05)  # a third does not
        again = make_generators(states)
        again["frames"].integers(0, 256, (2, 3, 8, 8, 3), dtype=np.uint8)
        assert first.rng_states["frames"] == again["frames"].bit_generator.state


def test_nothing_is_drawn_beyond_the_last_step() -> None:
    with stream(initial_rng_states(0), start=45, stop=47) as batches:
        batches.next(), batches.next()
        with pytest.raises(IndexError):
            batches.next()


def test_an_error_of_a_source_is_raised_where_its_batch_is_asked_for() -> None:
    class Broken(RandomFrames):
        def sample(self, batch, rng, share=slice(None)):
            raise UserError("clip 'x': cannot be read")

    sources = Sources(Broken(), SOURCES.poses)
    with BatchStream(STAGES, sources, initial_rng_states(0), start=6, stop=9) as batches:
        batches.next()
        with pytest.raises(UserError, match="clip 'x'"):
            batches.next()


def test_generators_are_independent_and_follow_the_seed() -> None:
    first, again, other = (make_generators(initial_rng_states(s)) for s in (0, 0, 1))
    values = {name: first[name].random() for name in GENERATORS}
    assert len(set(values.values())) == len(GENERATORS)
    assert values == {name: again[name].random() for name in GENERATORS}
    assert all(values[name] != other[name].random() for name in GENERATORS)


@pytest.mark.parametrize("state", [None, {}, {"bit_generator": "MT19937"}, [1], "PCG64"])
def test_a_strange_generator_state_is_refused(state: object) -> None:
    with pytest.raises(UserError, match="random generator 'frames'"):
        make_generators({**initial_rng_states(0), "frames": state})  # type: ignore[dict-item]


def test_pictures_become_channels_last_floats_from_minus_one_to_one() -> None:
    pictures = np.zeros((2, 4, 6, 3), np.uint8)
    pictures[0, 1, 2] = (0, 127, 255)
    images = images_to_float(pictures, torch.device("cpu"))
    assert images.shape == (2, 3, 4, 6) and images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    expected = torch.tensor([-1.0, 127 / 127.5 - 1, 1.0])
    torch.testing.assert_close(images[0, :, 1, 2], expected, rtol=0, atol=1e-6)


def test_batches_are_augmented_alike_and_stay_channels_last() -> None:
    target, _, _ = RandomFrames().sample(2, np.random.default_rng(0))
    arrays = {"target": target, "other": target}
    config = Augmentation(flip=True, scale=0.2)
    plain = to_batch(arrays, torch.device("cpu"), config)
    moved = to_batch(arrays, torch.device("cpu"), config, np.random.default_rng(0))
    assert not torch.equal(plain["target"], moved["target"])
    assert torch.equal(moved["target"], moved["other"])
    assert moved["target"].is_contiguous(memory_format=torch.channels_last)
