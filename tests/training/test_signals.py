"""Polite stops, and handlers that are put back."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from fastpose.training.signals import StopSignals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_is_noted(number: signal.Signals, code: int) -> None:
    before = signal.getsignal(number)
    with StopSignals() as signals:
        assert signals.received is None and signals.exit_code == 0
        os.kill(os.getpid(), number)
        assert signals.received is number and signals.exit_code == code
    assert signal.getsignal(number) is before


def test_the_second_leaves_at_once(monkeypatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    with StopSignals():
        os.kill(os.getpid(), signal.SIGTERM)
        assert left == []
        os.kill(os.getpid(), signal.SIGINT)
    assert left == [130]


def test_outside_the_main_thread_it_does_nothing() -> None:
    seen: list[object] = []
    before = signal.getsignal(signal.SIGINT)

    def work() -> None:
        with StopSignals() as signals:
            seen.append(signals.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert seen == [None] and signal.getsignal(signal.SIGINT) is before
