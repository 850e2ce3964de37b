"""Ends a process that waits for others in vain and cannot hear that it should stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time


class Watchdog:
    """After a signal, waits for a sign of life for some seconds; then ends the process.

    A launcher sends SIGTERM to the processes that are left when one has died. Python runs its
    handlers between two of its own instructions, and a process that waits for a GPU, which waits
    for the dead process, gets to none. The kernel wakes this thread all the same.

    Args:
        limit: seconds from the signal to the end, unless :meth:`alive` is called in between.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._signs = 0
        self._closed = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._previous = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, daemon=True, name="fastpose-watchdog")
        self._thread.start()

    def alive(self) -> None:
        """Say that the other processes have answered."""
        self._signs += 1

    def close(self) -> None:
        """Watch no longer; call in the main thread."""
        signal.set_wakeup_fd(self._previous)
        self._closed = True
        os.close(self._write)  # ends the thread's read
        self._thread.join()
        os.close(self._read)

    def _watch(self) -> None:
        received = os.read(self._read, 1)
        seen, deadline = self._signs, time.monotonic() + self._limit
        while received and time.monotonic() < deadline:
            if self._closed or self._signs != seen:
                return
            time.sleep(0.05)
        if received:
            name = signal.Signals(received[0]).name
            print(
                f"fastpose: error: {name} came, and for {self._limit:g} s no other process of this "
                "training answered; resume it from its last checkpoint",
                file=sys.stderr,
                flush=True,
            )
            os._exit(128 + received[0])
