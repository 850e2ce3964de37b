"""`fastpose export` as a user meets it."""

from __future__ import annotations

from pathlib import Path

from fastpose.cli import main


def test_export_then_predict(run: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "model.onnx"
    assert main(["export", str(run), "--out", str(out), "--frames", "5", "--dry-run"]) == 0
    plan = capsys.readouterr().out
    assert "step_000000 (step 0)" in plan and "5 frames of" in plan and str(out) in plan
    assert list(tmp_path.iterdir()) == []
    assert main(["export", str(run), "--out", str(out), "--frames", "5"]) == 0
    text = capsys.readouterr().out
    assert "5 frames of" in text and "px" in text and f"{out} (" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.report.json"]


def test_bad_input_ends_with_2_and_nothing_written(run: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, message in [
        ([tmp_path / "gone", "--out", tmp_path / "m.onnx"], "gone: no such folder"),
        ([tmp_path / "empty", "--out", tmp_path / "m.onnx"], "holds no checkpoint"),
        ([run, "--out", tmp_path / "m.pth"], "give a name that ends in .onnx"),
        ([run, "--out", tmp_path / "m.onnx", "--data", tmp_path / "empty"], "empty"),
        ([run, "--out", tmp_path / "m.onnx", "--frames", "0"], "at least 1 is needed"),
    ]:
        assert main(["export", *map(str, arguments)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("fastpose: error: ") and message in error
        assert error.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["empty"]
