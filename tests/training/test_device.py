"""Choosing a device never falls back in silence."""

from __future__ import annotations

import pytest
import torch

from fastpose.errors import UserError
from fastpose.training.device import choose_device


def test_known_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["tpu", "", "meta", "cuda:x", "mps", "cpu cuda"])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="expected auto, cpu, cuda or cuda:N"):
        choose_device(name)


def test_each_of_several_processes_takes_a_gpu_of_its_own(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in ("cuda", "auto"):
        assert choose_device(name, 1) == torch.device("cuda:1")
    assert choose_device("cpu", 1) == torch.device("cpu")
    with pytest.raises(UserError, match=r"'cuda:2': torch .* sees 2 GPUs; start no more processes"):
        choose_device("cuda", 2)
    with pytest.raises(UserError, match="'cuda:0': each of several processes takes a GPU"):
        choose_device("cuda:0", 0)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(UserError, match=r"sees 1 GPUs; use --device cpu"):
        choose_device("cuda:1")
