"""`fastpose info` as a user runs it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastpose.cli import info, main


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    for heading in ("fastpose", "packages", "devices", "native", "operators"):
        assert any(line.startswith(heading) for line in out.splitlines())
    assert "torch " in out
    assert "render_skeleton on cpu: " in out
    assert "cpu library: " in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {"fastpose", "python", "packages", "devices", "native", "operators"} <= set(facts)


@pytest.fixture
def bare() -> dict[str, Any]:
    """The facts of a machine with nothing on it."""
    return {
        "fastpose": "0.1.0",
        "python": "3.12.1",
        "platform": "Linux",
        "packages": {"torch": None, "tensorrt": None},
        "devices": {
            "cpu": {"name": "some processor", "cores": 2},
            "cuda": [],
            "cuda_reason": "torch is not installed",
        },
        "native": {"build": {}, "libraries": {}},
        "operators": [],
    }


def test_nothing_installed(bare: dict[str, Any]) -> None:
    sections = dict(info._sections(bare, {"tensorrt": "fastpose[tensorrt]"}))
    assert sections["packages"] == ["not installed: torch, tensorrt (fastpose[tensorrt])"]
    assert sections["devices"][-1] == "cuda: none, torch is not installed"
    assert sections["native"] == ["no native build: run 'make build' or 'pip install .'"]
    assert sections["operators"] == ["none: torch is not installed"]


def test_a_gpu_and_a_library_that_failed(bare: dict[str, Any]) -> None:
    gpu = {"name": "Some GPU", "capability": "9.0", "memory_gib": 139.8}
    bare["devices"]["cuda"] = [gpu]
    bare["native"]["libraries"] = {"cuda": {"loaded": False, "reason": "undefined symbol"}}
    sections = dict(info._sections(bare, {}))
    assert "cuda:0: Some GPU, capability 9.0, 139.8 GiB" in sections["devices"]
    assert sections["native"][-1] == "cuda library: not loaded: undefined symbol"
