"""`fastpose predict` as a user meets it: what it prints, its exit codes, its one-line errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fastpose.cli import main
from fastpose.media.video import VideoReader, VideoWriter


@pytest.fixture
def film(paint, tmp_path: Path) -> Path:
    with VideoWriter(tmp_path / "a.mp4", 10.0, (64, 48), quality=5, threads=1) as writer:
        for i in range(30):
            writer.add(paint(48, 64, [[20 + i, 14], [44, 30], [30, 8]], radius=4))
    return tmp_path / "a.mp4"


def _fails(capsys, *arguments: object) -> str:
    """Exit code 2, one line on stderr; returns it."""
    assert main(["predict", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("fastpose: error: ") and captured.err.count("\n") == 1
    return captured.err


def test_a_video(blob_path, film, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    arguments = [str(blob_path), str(film), "--out", str(out), "--crop", "full", "--threads", "1"]
    assert main(["predict", *arguments, "--smooth", "--batch", "4"]) == 0
    text = capsys.readouterr().out
    assert "30 received = 30 processed + 0 failed" in text
    assert "frames/s end to end" in text and "in the model (onnxruntime" in text
    assert "joints are late by up to" in text
    assert str(out) in text and "a_overlay.mp4" in text
    assert len((out / "poses.jsonl").read_text().splitlines()) == 30
    assert len(list(VideoReader(out / "a_overlay.mp4"))) == 30
    report = json.loads((out / "report.json").read_text())
    assert report["options"]["batch"] == 4 and report["options"]["crop"] == "full"


def test_a_dry_run_writes_nothing(blob_path, film, tmp_path, capsys) -> None:
    arguments = [str(blob_path), str(film), "--out", str(tmp_path / "out"), "--dry-run"]
    assert main(["predict", *arguments]) == 0
    assert "a.mp4: 30 frames" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_one_format(blob_path, film, tmp_path) -> None:
    arguments = [str(blob_path), str(film), "--out", str(tmp_path / "out"), "--crop", "full"]
    assert main(["predict", *arguments, "--format", "csv"]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["poses.csv", "report.json"]


def test_a_damaged_video_ends_with_2_and_its_good_frames(blob_path, film, tmp_path, capsys) -> None:
    content = film.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: int(len(content) * 0.7)])
    out = tmp_path / "out"
    error = _fails(capsys, blob_path, cut, "--out", out, "--crop", "full")
    assert "cut.mp4" in error and "marked partial" in error
    report = json.loads((out / "report.json").read_text())
    rows = (out / "poses.jsonl").read_text().splitlines()
    assert report["partial"] and 0 < len(rows) == report["received"] < 30
    assert len(list(VideoReader(out / "cut_overlay.mp4"))) == len(rows)


def test_bad_input_ends_with_2_and_nothing_written(blob_path, film, tmp_path, capsys) -> None:
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(0).bytes(20_000))
    foreign = tmp_path / "foreign.onnx"
    foreign.write_bytes(b"\x08\x09\x3a\x00")
    out = tmp_path / "out"
    for model, source, message in [
        (blob_path, tmp_path / "gone.mp4", "no such file"),
        (blob_path, empty, "empty"),
        (blob_path, noise, "noise.mp4"),
        (tmp_path / "gone.onnx", film, "no such model"),
        (film, film, "not an ONNX model"),
        (foreign, film, "fastpose did not export"),
    ]:
        assert message in _fails(capsys, model, source, "--out", out)
        assert not [p for p in tmp_path.iterdir() if "out" in p.name]
    for flags, message in [
        (["--batch", "0"], "batch must be at least 1"),
        (["--threads", "0"], "threads must be at least 1"),
        (["--boxes", tmp_path / "gone.csv"], "gone.csv"),
    ]:
        assert message in _fails(capsys, blob_path, film, "--out", out, *flags)
        assert not [p for p in tmp_path.iterdir() if "out" in p.name]


def test_help_explains_every_flag(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["predict", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for flag in ("--out", "--crop", "--boxes", "--smooth", "--batch", "--threads", "--format"):
        assert flag in text
