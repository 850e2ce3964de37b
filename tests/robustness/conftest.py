"""One thread, because the models of these tests are too small to share; and a table of trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import torch
from _pytest.terminal import TerminalReporter

from tests.robustness.counts import FULL

_TRIALS = "trials"
Tally = Callable[..., None]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Call with what was tried, and how often, when it went well; the table adds it up."""

    def note(what: str, times: int = 1) -> None:
        request.node.user_properties.append((_TRIALS, [what, times]))

    return note


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """The number of trials of each kind, where all of them were asked for."""
    if not FULL:
        return
    trials: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == _TRIALS:
                trials[value[0]] += value[1]
    terminalreporter.section("trials survived")
    for what, times in sorted(trials.items()):
        terminalreporter.write_line(f"{times:5d}  {what}")
