"""Stop politely on the first SIGINT or SIGTERM, at once on the second."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from fastpose.training.world import World

_HANDLED = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Context manager that turns the first signal into :attr:`received`.

    Outside the main thread Python delivers no signals; there it does nothing.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, else 0."""
        return 0 if self.received is None else 128 + self.received

    def asked(self, world: World) -> bool:
        """Whether a signal has reached any process of ``world``; it then counts as received."""
        number = world.agree(self.received or 0)
        if number:
            self.received = signal.Signals(number)
        return number > 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)  # no clean-up: the user has asked twice
        self.received = signal.Signals(number)

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._previous = {s: signal.signal(s, self._handle) for s in _HANDLED}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
