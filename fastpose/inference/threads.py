"""The two threads around the detector: one that reads ahead, one that writes behind.

Both are bounded, so a fast reader waits for a slow detector and nothing is dropped. An exception in
either thread comes out in the thread of the caller, and leaving the context always ends the thread.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL = 0.05  # seconds between two looks at the stop flag while a queue is full
_END = object()


class ReadAhead(Generic[T]):
    """Runs an iterable in a thread, at most `depth` items ahead; iterate inside ``with``."""

    def __init__(self, items: Iterable[T], depth: int) -> None:
        self._items = items
        self._queue: queue.Queue[object] = queue.Queue(depth)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="fastpose-read", daemon=True)

    def _work(self) -> None:
        try:
            # A generator is closed here, in its own thread, so that it lets go of its files now.
            with closing(_generator(self._items)) as items:
                for item in items:
                    if not _put(self._queue, item, self._stop):
                        return
        except BaseException as error:  # handed to the caller, who raises it
            self._error = error
        _put(self._queue, _END, self._stop)

    def __enter__(self) -> ReadAhead[T]:
        self._thread.start()
        return self

    def __iter__(self) -> Iterator[T]:
        while (item := self._queue.get()) is not _END:
            yield item  # type: ignore[misc]
        if self._error is not None:
            raise self._error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()


class WriteBehind(Generic[T]):
    """Feeds a function in a thread, at most `depth` items behind.

    Leaving the context normally waits until every item is consumed; leaving it by an exception
    drops what is still queued.
    """

    def __init__(self, consume: Callable[[T], None], depth: int) -> None:
        self._consume = consume
        self._queue: queue.Queue[object] = queue.Queue(depth)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="fastpose-write", daemon=True)

    def _work(self) -> None:
        while (item := self._take()) is not _END:
            try:
                self._consume(item)  # type: ignore[arg-type]
            except BaseException as error:  # handed to the caller, who raises it
                self._error = error
                self._stop.set()
                return

    def _take(self) -> object:
        while not self._stop.is_set():
            try:
                return self._queue.get(timeout=_POLL)
            except queue.Empty:
                continue
        return _END

    def put(self, item: T) -> None:
        """Hand over one item; waits while the queue is full; raises what the thread raised."""
        if not _put(self._queue, item, self._stop) and self._error is not None:
            raise self._error

    def __enter__(self) -> WriteBehind[T]:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                _put(self._queue, _END, self._stop)
                self._thread.join()
        finally:  # also when a second interrupt cuts the waiting short
            self._stop.set()
            self._thread.join()
        if kind is None and self._error is not None:
            raise self._error


def _generator(items: Iterable[T]) -> Generator[T, None, None]:
    yield from items


def _put(target: queue.Queue[object], item: object, stop: threading.Event) -> bool:
    """Put `item`, waiting while the queue is full; False once `stop` is set."""
    while not stop.is_set():
        try:
            target.put(item, timeout=_POLL)
            return True
        except queue.Full:
            continue
    return False
