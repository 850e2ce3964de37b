"""The facts that `fastpose info` prints."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fastpose import _native, environment
from fastpose._native import NativeLibrary


def test_everything_is_json() -> None:
    facts = environment.collect()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["packages"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert facts["devices"]["cpu"]["cores"] >= 1


def test_a_missing_package_has_no_version() -> None:
    assert environment.package_version("no-such-package-anywhere") is None


def test_cuda_is_there_or_has_a_reason() -> None:
    devices = environment.devices()
    assert bool(devices["cuda"]) == torch.cuda.is_available()
    assert bool(devices["cuda"]) != bool(devices.get("cuda_reason"))


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inference side runs without torch, and so does `fastpose info`."""
    find = importlib.util.find_spec
    hide = lambda name, *args: None if name == "torch" else find(name, *args)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hide)
    assert environment.devices()["cuda_reason"] == "torch is not installed"
    assert environment.native()["libraries"] == {}
    assert environment.operators() == []


def test_every_operator_has_one_owner_on_each_device() -> None:
    from fastpose import ops

    rows = environment.operators()
    names = {row["operator"] for row in rows}
    assert names >= set(ops.__all__) and names
    for row in rows:
        assert row["device"] in ("cpu", "cuda")
        assert row["owner"] not in row["others"]
        assert "reference" in {row["owner"], *row["others"]}
        assert all(row["others"].values()), "a reason is missing"


def rows_with(
    monkeypatch: pytest.MonkeyPatch, owners: dict[str, str], reasons: dict[str, str]
) -> dict[str, dict[str, str]]:
    """The `others` of a made-up operator, by device."""
    from fastpose.ops import registry

    libraries = tuple(NativeLibrary(n, Path(), not reasons[n], reasons[n]) for n in ("cpu", "cuda"))
    monkeypatch.setattr(_native, "load", lambda: libraries)
    monkeypatch.setattr(registry, "OPERATORS", {"draw": SimpleNamespace(owner=owners.__getitem__)})
    return {row["device"]: row["others"] for row in environment.operators()}


def test_reasons_where_native_code_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    others = rows_with(monkeypatch, {"cpu": "cpu", "cuda": "cuda"}, {"cpu": "", "cuda": ""})
    assert others["cpu"] == {"reference": "fallback, behind cpu"}
    assert others["cuda"]["triton"] == "fallback, behind cuda"


def test_reasons_where_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {"cpu": "reference", "cuda": "triton"}
    others = rows_with(monkeypatch, owners, {"cpu": "not built", "cuda": ""})
    assert others["cpu"] == {"cpu": "not built"}
    assert others["cuda"] == {"cuda": "has no such kernel", "reference": "fallback, behind triton"}
