"""The two threads: order, back-pressure, exceptions that come out, and no thread left behind."""

from __future__ import annotations

import threading
import time

import pytest

from fastpose.inference.threads import ReadAhead, WriteBehind


def _alive() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith("fastpose-")}


@pytest.fixture(autouse=True)
def _no_thread_survives():
    yield
    assert not _alive()


def test_items_arrive_in_order() -> None:
    with ReadAhead(range(100), 3) as items:
        assert list(items) == list(range(100))


def test_reading_stays_within_the_depth() -> None:
    made: list[int] = []

    def produce():
        for i in range(50):
            made.append(i)
            yield i

    with ReadAhead(produce(), 4) as items:
        for seen, _ in enumerate(items):
            assert len(made) <= seen + 1 + 4 + 1
            time.sleep(0.001)
    assert len(made) == 50


def test_an_exception_while_reading_comes_after_the_good_items() -> None:
    def produce():
        yield 1
        yield 2
        raise ZeroDivisionError("decoder")

    seen = []
    with pytest.raises(ZeroDivisionError, match="decoder"), ReadAhead(produce(), 2) as items:
        for item in items:
            seen.append(item)
    assert seen == [1, 2]


def test_leaving_early_stops_the_reader_and_closes_its_generator() -> None:
    closed = threading.Event()

    def produce():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with ReadAhead(produce(), 2) as items:
        assert next(iter(items)) == 0
    assert closed.is_set()


def test_everything_put_is_written_in_order() -> None:
    written: list[int] = []
    with WriteBehind(written.append, 2) as writer:
        for i in range(40):
            writer.put(i)
    assert written == list(range(40))


@pytest.mark.parametrize("position", [0, 5, 9])
def test_an_exception_while_writing_comes_out(position: int) -> None:
    def consume(item: int) -> None:
        if item == position:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), WriteBehind(consume, 2) as writer:
        for i in range(10):
            writer.put(i)


def test_an_interrupt_drops_what_is_queued_and_ends() -> None:
    written: list[int] = []
    release = threading.Event()

    def consume(item: int) -> None:
        release.wait(5)
        written.append(item)

    with pytest.raises(KeyboardInterrupt), WriteBehind(consume, 8) as writer:
        for i in range(8):
            writer.put(i)
        release.set()
        raise KeyboardInterrupt
    assert len(written) <= 8
