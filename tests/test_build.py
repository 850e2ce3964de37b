"""The native build: what the libraries ask of torch, what a wheel holds, what a user is told."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import setuptools

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fastpose"
TARGET = (2, 11)
SYSTEM_LIBRARIES = ("libc.so", "libm.so", "libstdc++.so", "libgcc_s.so", "ld-linux", "libdl.so")
SYSTEM_LIBRARIES += ("libpthread.so", "librt.so")
ISAS = ("scalar", "avx2", "avx512")
needs_binutils = pytest.mark.skipif(
    shutil.which("nm") is None or shutil.which("objdump") is None, reason="needs nm and objdump"
)


def in_place_libraries() -> list[Path]:
    libraries = sorted(PACKAGE.glob("libfastpose_*.so"))
    if not libraries:
        pytest.skip("no native libraries in place: make build")
    return libraries


def lines_of(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def undefined_symbols(library: Path) -> set[str]:
    """Names the library expects others to define, without symbol versions."""
    rows = lines_of("nm", "-D", "--undefined-only", str(library))
    return {row.split()[-1].split("@")[0] for row in rows}


def needed_libraries(library: Path) -> list[str]:
    """The DT_NEEDED entries."""
    rows = lines_of("objdump", "-p", str(library))
    return [row.split()[1] for row in rows if row.strip().startswith("NEEDED")]


def torch_include() -> Path:
    import torch

    return Path(torch.__file__).parent / "include/torch/csrc"


def shim_versions(header: str) -> dict[str, tuple[int, int]]:
    """The torch release that each function of the versioned shim came with."""
    versions: dict[str, tuple[int, int]] = {}
    parts = re.split(r"#if TORCH_FEATURE_VERSION >= TORCH_VERSION_(\d+)_(\d+)_0", header)
    for major, minor, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        for name in re.findall(r"\b(torch_\w+)\s*\(", text):
            versions[name] = (int(major), int(minor))
    return versions


def unstable_symbols(symbols: Iterable[str]) -> list[str]:
    """Those that the oldest supported torch lacks, or that no torch promises to keep."""
    shim = shim_versions((torch_include() / "stable/c/shim.h").read_text())
    base = (torch_include() / "inductor/aoti_torch/c/shim.h").read_text()
    assert len(shim) > 20 and "aoti_torch_get_sizes" in base, "the headers moved"
    bad = []
    for symbol in symbols:
        if re.match(r"_ZNK?(2at|3c10|5torch|6caffe2)", symbol):
            bad.append(f"{symbol}: a C++ symbol of torch")
        elif symbol in shim and shim[symbol] > TARGET:
            bad.append(f"{symbol}: since torch {shim[symbol]}")
        elif not re.match(r"(aoti_)?torch_", symbol) or symbol in shim:
            continue
        elif not re.search(rf"\b{symbol}\s*\(", base):
            bad.append(f"{symbol}: not in the stable headers")
    return sorted(bad)


@needs_binutils
def test_libraries_use_only_the_stable_abi_of_the_target() -> None:
    for library in in_place_libraries():
        symbols = undefined_symbols(library)
        assert unstable_symbols(symbols) == [], library.name
        python = [s for s in symbols if re.match(r"_?Py[A-Z_]", s)]
        assert python == [], f"{library.name} is bound to one Python version"


@needs_binutils
def test_libraries_need_torch_and_the_system_only() -> None:
    for library in in_place_libraries():
        torch_parts = {"libtorch_cpu.so"} | ({"libtorch.so"} if "cuda" in library.name else set())
        others = set(needed_libraries(library)) - torch_parts
        assert [n for n in others if not n.startswith(SYSTEM_LIBRARIES)] == [], library.name


def test_the_symbol_check_itself_catches() -> None:
    bad = unstable_symbols(
        ["torch_stream_native_handle", "_ZN3c105ErrorC1Ev", "torch_parallel_for", "torch_made_up"]
    )
    assert [line.split(":")[0] for line in bad] == [
        "_ZN3c105ErrorC1Ev",
        "torch_made_up",
        "torch_stream_native_handle",
    ]


@needs_binutils
@pytest.mark.parametrize("isa", ISAS)
def test_kernels_of_one_instruction_set_share_no_symbol_with_another(isa: str) -> None:
    """An inline function compiled for AVX-512 must never be the one that the linker keeps."""
    folder = ROOT / f"build/cmake/CMakeFiles/fastpose_cpu_{isa}.dir"
    objects = sorted(folder.rglob("*.o"))
    if not objects:
        pytest.skip("no build folder: make build")
    for path in objects:
        rows = lines_of("nm", "-C", "--defined-only", "--extern-only", str(path))
        names = [row.split(maxsplit=2)[2] for row in rows if row]
        assert names, path
        assert [n for n in names if f"fastpose::{isa}::" not in n] == []


@needs_binutils
def test_exported_symbols_are_few() -> None:
    """Hidden by default: our names cannot clash with another extension in the same process."""
    for library in in_place_libraries():
        rows = lines_of("nm", "-D", "-C", "--defined-only", str(library))
        ours = [row.split(maxsplit=2)[2] for row in rows if "fastpose" in row]
        assert [name for name in ours if not re.match(r"fastpose_\w+$", name)] == []


# --- setup.py's messages -------------------------------------------------------------------------
def build_ext(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`setup.py build_ext` into tmp_path with changed variables, which are to stop it early."""
    command = [sys.executable, "setup.py", "-q", "build_ext"]
    command += ["--build-temp", str(tmp_path / "temp"), "--build-lib", str(tmp_path / "lib")]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)


def last_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    start = done.stderr.rindex("fastpose: ")
    return done.stderr[start:].splitlines()


def test_without_torch_three_lines(tmp_path: Path) -> None:
    lines = last_lines(build_ext(tmp_path, FASTPOSE_TORCH_DIR=str(tmp_path / "nothing")))
    assert len(lines) == 3
    assert "torch was not found" in lines[0]
    assert str(tmp_path / "nothing") in lines[1]
    assert 'pip install "torch>=2.11"' in lines[2]


def test_an_old_torch_is_named(tmp_path: Path) -> None:
    header = tmp_path / "torch/include/torch/csrc/stable/library.h"
    header.parent.mkdir(parents=True)
    header.touch()
    (tmp_path / "torch/version.py").write_text("__version__ = '2.10.1+cpu'\n")
    lines = last_lines(build_ext(tmp_path, FASTPOSE_TORCH_DIR=str(tmp_path / "torch")))
    assert len(lines) == 3
    assert "torch 2.10.1+cpu is too old" in lines[0]


def test_wrong_value_of_fastpose_cuda(tmp_path: Path) -> None:
    lines = last_lines(build_ext(tmp_path, FASTPOSE_CUDA="maybe"))
    assert lines == ["fastpose: FASTPOSE_CUDA is 'maybe'; use on, off or auto"]


@pytest.fixture
def setup_functions(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of setup.py, which is run without the call of setuptools.setup at its end."""
    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    return runpy.run_path(str(ROOT / "setup.py"))["find_torch"].__globals__


def test_cuda_on_without_nvcc(
    setup_functions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(setup_functions, "find_nvcc", lambda: None)
    monkeypatch.setenv("FASTPOSE_CUDA", "on")
    with pytest.raises(SystemExit, match="there is no nvcc") as stopped:
        setup_functions["cuda_options"]()
    assert len(str(stopped.value).splitlines()) == 3
    monkeypatch.setenv("FASTPOSE_CUDA", "auto")
    assert setup_functions["cuda_options"]() == (["-DFASTPOSE_WITH_CUDA=OFF"], {})


def test_architectures_that_nvcc_does_not_know_are_left_out(
    setup_functions: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvcc = tmp_path / "nvcc"
    nvcc.write_text("#!/bin/sh\nprintf 'compute_80\\ncompute_90\\n'\n")
    nvcc.chmod(0o755)
    monkeypatch.delenv("FASTPOSE_CUDA_ARCHS", raising=False)
    assert setup_functions["cuda_archs"](str(nvcc)) == "80;90"
    monkeypatch.setenv("FASTPOSE_CUDA_ARCHS", "75, 86")
    assert setup_functions["cuda_archs"](str(nvcc)) == "75;86"


def test_missing_compiler_is_asked_for(
    setup_functions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"apt-get install g\+\+"):
        setup_functions["check_compiler"]()


def test_torch_of_the_environment_is_found_under_build_isolation(
    setup_functions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There torch is not importable, and only the interpreter tells where the environment is."""
    monkeypatch.delenv("FASTPOSE_TORCH_DIR", raising=False)
    monkeypatch.setattr(setup_functions["importlib"].util, "find_spec", lambda name: None)
    folder, version = setup_functions["find_torch"]()
    assert (folder / "include/torch/csrc/stable/library.h").is_file()
    assert version.startswith("2.")


# --- the wheel -----------------------------------------------------------------------------------
def copy_sources(target: Path) -> None:
    """The files that git knows, plus new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if name.startswith(("fastpose/", "csrc/")) or "/" not in name:
            source, copy = ROOT / name, target / name
            if source.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_wheel(tmp_path: Path) -> None:
    """A wheel without CUDA, built without isolation, holds all modules and libraries."""
    sources, wheels = tmp_path / "sources", tmp_path / "wheels"
    copy_sources(sources)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*command, "--no-index", "-w", str(wheels), str(sources)],
        capture_output=True,
        text=True,
        env={**os.environ, "FASTPOSE_CUDA": "off"},
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    (wheel,) = wheels.glob("fastpose-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "content")
    modules = {str(p.relative_to(sources)) for p in (sources / "fastpose").rglob("*.py")}
    assert modules - names == set()
    assert {"fastpose/py.typed", "fastpose/libfastpose_cpu.so"} <= names
    assert "fastpose/libfastpose_cuda.so" not in names
    assert [n for n in names if re.match(r"fastpose/_C\..*\.so$", n)]
    assert [n for n in names if not n.startswith(("fastpose/", "fastpose-"))] == []
    for library in (tmp_path / "content/fastpose").glob("libfastpose_*.so"):
        assert unstable_symbols(undefined_symbols(library)) == []
