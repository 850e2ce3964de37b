"""The thread that draws batches dies, in every way it can: an error at once, and no hang."""

from __future__ import annotations

import ctypes
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fastpose.errors import UserError
from fastpose.training.batches import BatchStream, Sources, initial_rng_states
from fastpose.training.checkpoint import find_checkpoint
from tests.robustness.conftest import Tally
from tests.training.tiny import SOURCES, STAGES, RandomFrames, tiny_run

SECONDS = 10.0
ERRORS = {
    "a user's error": (UserError("clip 'x': frame 3 cannot be read"), UserError, "frame 3"),
    "any other error": (ZeroDivisionError("division"), ZeroDivisionError, "division"),
    # Raised in the main thread they would end the run as if it had been asked to stop.
    "SystemExit": (SystemExit(0), UserError, r"thread that draws batches died \(SystemExit\)"),
    "KeyboardInterrupt": (KeyboardInterrupt(), UserError, "draws batches died"),
    "MemoryError": (MemoryError("no more"), MemoryError, "no more"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_in_the_thread_ends_training(tmp_path: Path, kind: str, tally: Tally) -> None:
    raised, expected, message = ERRORS[kind]
    died: list[float] = []

    class Failing(RandomFrames):
        calls = 0

        def sample(
            self, batch: int, rng: np.random.Generator, share: slice = slice(None)
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            self.calls += 1
            if self.calls == 9:
                died.append(time.monotonic())
                raise raised
            return super().sample(batch, rng, share)

    with pytest.raises(expected, match=message):
        tiny_run(tmp_path, sources=Sources(Failing(), SOURCES.poses), checkpoint_every=5)
    assert time.monotonic() - died[0] < SECONDS
    assert find_checkpoint(tmp_path).name == "step_000015"  # the 9th batch is that of step 16
    tally("worker death: the thread raises an error")


def test_a_thread_that_vanishes_is_missed(tally: Tally) -> None:
    with BatchStream(STAGES, SOURCES, initial_rng_states(0), start=7, stop=40) as batches:
        batches.next()
        thread = next(t for t in threading.enumerate() if t.name.startswith("fastpose-batches"))
        while batches._ahead is None or not batches._ahead.done():
            time.sleep(0.001)
        time.sleep(0.05)
        # It waits for work; the exception meets it as it takes some, and the work is lost.
        raised = ctypes.pythonapi.PyThreadState_SetAsyncExc
        assert raised(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)) == 1
        begun = time.monotonic()
        with pytest.raises(UserError, match="the thread that draws batches died"):
            for _ in range(3):
                batches.next()
        assert time.monotonic() - begun < SECONDS
    tally("worker death: the thread vanishes")
