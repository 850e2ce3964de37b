"""What every test may rely on: the shared data, a bounded thread count, and the ``gpu`` marker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real videos and motion capture; skips where it is not on this machine.

    It lies beside the checkout (``../shared/data``); ``FASTPOSE_SHARED_DATA`` names another place.
    """
    named = os.environ.get("FASTPOSE_SHARED_DATA")
    folder = Path(named) if named else ROOT.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip("no shared data: set FASTPOSE_SHARED_DATA to its folder")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """Share the processors among pytest-xdist's workers: torch would take all of them in each."""
    import torch

    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked ``gpu`` where torch sees no CUDA device."""
    import torch

    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(skip)
