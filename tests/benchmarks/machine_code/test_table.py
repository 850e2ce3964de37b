"""The table in `benchmarks/results` is of the kernels that there are, whatever compiled them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.machine_code import predict
from benchmarks.machine_code.__main__ import COMMAND, kernel_table, main, moves
from benchmarks.machine_code.read import (
    LIBRARY,
    Kernel,
    find_cuobjdump,
    names,
    newest_source,
)

ROOT = Path(__file__).resolve().parents[3]
TABLE = (ROOT / "benchmarks/results/machine_code.md").read_text()
HOW = f"make build, then {COMMAND}"


def rows_of(first: str) -> list[list[str]]:
    """The cells of the rows of the table whose first column is called that."""
    body = TABLE.split(f"| {first} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body]


def test_it_says_how_it_was_made() -> None:
    assert COMMAND in TABLE.split("## ")[0]
    assert "Prediction, not a measurement" in TABLE


def test_every_kernel_of_the_sources_is_there_and_no_other() -> None:
    written = set()
    for path in ROOT.glob("csrc/*/*.cu*"):
        text = re.sub(r"//.*", "", path.read_text())
        written |= set(re.findall(r"__global__[^;{]*?(\w+_kernel)\s*\(", text))
    tabled = {name.split("<")[0] for name, *_ in rows_of("kernel")}
    assert written and tabled == written, HOW


def test_every_instance_of_the_library_is_there_and_no_other() -> None:
    cuobjdump = find_cuobjdump()
    if cuobjdump is None or not LIBRARY.is_file() or LIBRARY.stat().st_mtime < newest_source():
        pytest.skip("no cuobjdump, or no library of these sources")
    tabled = {name for name, *_ in rows_of("kernel")}
    assert tabled == names(LIBRARY, cuobjdump, "sm_90"), HOW


def test_every_call_is_predicted() -> None:
    assert [name for name, *_ in rows_of("launch")] == [call.what for call in predict.calls()], HOW
    for name, *times in rows_of("launch"):
        assert float(times[-1]) == max(map(float, times)) > 0, name


def test_kernels_neither_spill_nor_use_local_memory() -> None:
    for name, registers, spilled, local, *_ in rows_of("kernel"):
        assert 8 < int(registers) < 256 and int(spilled) == int(local) == 0, name


def test_widths() -> None:
    texts = [
        "@P0 LDG.E.128.CONSTANT R4, desc[UR4][R2.64]", "LDG.E R4, desc[UR4][R2.64]",
        "LDG.E.U16 R4, desc[UR4][R2.64]", "LDG.E.U16.CONSTANT R4, desc[UR4][R2.64]",
        "LDS.128 R4, [R2]", "STG.E.64 desc[UR4][R2.64], R4",
    ]  # fmt: skip
    kernel = Kernel("k_kernel<float>", "sm_90", 20, code=list(enumerate(texts)))
    assert moves(kernel, "LDG") == "1 x 128, 1 x 32, 2 x 16"
    assert moves(kernel, "STG") == "1 x 64"
    row = kernel_table([kernel]).splitlines()[-1]
    assert row.startswith("| k_kernel<float> | 20 | 0 | 0 |") and row.endswith("| 6 | - |")


def test_without_a_library_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("benchmarks.machine_code.__main__.find_cuobjdump", lambda: "cuobjdump")
    monkeypatch.setattr("benchmarks.machine_code.__main__.LIBRARY", tmp_path / "none.so")
    assert main([]) == 2
    assert "no none.so: build it" in capsys.readouterr().err
