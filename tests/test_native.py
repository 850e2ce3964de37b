"""Loading of the native libraries: once, with a reason for each that is not there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fastpose import _native


@pytest.fixture
def fresh() -> Iterator[None]:
    """`load` as in a new process, and the real record again afterwards."""
    _native.load.cache_clear()
    yield
    _native.load.cache_clear()


@pytest.fixture
def loaded() -> None:
    if not _native.load()[0].loaded:
        pytest.skip(_native.load()[0].reason)


@pytest.mark.usefixtures("fresh")
def test_missing_library_leaves_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_native, "PACKAGE", tmp_path)
    monkeypatch.delenv("FASTPOSE_REQUIRE_NATIVE", raising=False)
    cpu, cuda = _native.load()
    assert not cpu.loaded and not cuda.loaded
    assert "libfastpose_cpu.so was not built" in cpu.reason
    assert "make build" in cpu.reason
    assert cuda.reason


@pytest.mark.usefixtures("fresh")
def test_missing_library_is_an_error_on_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_native, "PACKAGE", tmp_path)
    monkeypatch.setenv("FASTPOSE_REQUIRE_NATIVE", "1")
    with pytest.raises(ImportError, match="cpu library is not loaded: libfastpose_cpu"):
        _native.load()


@pytest.mark.usefixtures("fresh")
def test_damaged_library_leaves_a_one_line_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "libfastpose_cpu.so").write_bytes(b"\x7fELF" + bytes(100))
    monkeypatch.setattr(_native, "PACKAGE", tmp_path)
    monkeypatch.delenv("FASTPOSE_REQUIRE_NATIVE", raising=False)
    cpu = _native.load()[0]
    assert not cpu.loaded
    assert cpu.reason and "\n" not in cpu.reason
    with pytest.raises(RuntimeError, match="not loaded"):
        _native.cpu_isa()


@pytest.mark.usefixtures("fresh")
@pytest.mark.skipif(torch.version.cuda is not None, reason="needs a CPU-only torch")
def test_cuda_library_is_not_tried_under_a_cpu_only_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "libfastpose_cuda.so").write_bytes(b"never opened")
    monkeypatch.setattr(_native, "PACKAGE", tmp_path)
    monkeypatch.delenv("FASTPOSE_REQUIRE_NATIVE", raising=False)
    assert "has no CUDA" in _native.load()[1].reason


def test_load_is_done_once() -> None:
    assert _native.load() is _native.load()


@pytest.mark.usefixtures("loaded")
def test_limit_cpu_isa() -> None:
    widest = _native.cpu_isa()
    try:
        for isa in _native.CPU_ISAS:
            _native.limit_cpu_isa(isa)
            order = _native.CPU_ISAS.index
            assert order(_native.cpu_isa()) == min(order(isa), order(widest))
    finally:
        _native.limit_cpu_isa(_native.CPU_ISAS[-1])
    assert _native.cpu_isa() == widest


def test_limit_cpu_isa_names_the_choices() -> None:
    with pytest.raises(ValueError, match="isa is 'sse9'; expected one of scalar, avx2, avx512"):
        _native.limit_cpu_isa("sse9")


@pytest.mark.usefixtures("loaded")
def test_build_info() -> None:
    info = _native.build_info()
    assert info["torch_target"] == "2.11"
    assert info["version"] == importlib.import_module("fastpose").__version__
    assert info["compiler"]
    assert all(isinstance(value, str) for value in info.values())


def test_build_info_without_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert _native.build_info() == {}


@pytest.mark.usefixtures("fresh")
def test_no_entry_point_without_the_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_native, "PACKAGE", tmp_path)
    monkeypatch.delenv("FASTPOSE_REQUIRE_NATIVE", raising=False)
    assert _native.entry_point("fastpose_cast_capsules") is None


@pytest.mark.usefixtures("loaded")
def test_an_entry_point_is_a_function_of_the_library() -> None:
    assert _native.entry_point("fastpose_cast_capsules") is not None
    assert _native.entry_point("fastpose_no_such_function") is None  # an older library
