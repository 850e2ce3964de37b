"""Files in, a folder of results out: complete and accounted for, or not there."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastpose
from fastpose.errors import UserError
from fastpose.inference import sinks
from fastpose.inference.predict import (
    PredictOptions,
    describe_plan,
    predict_files,
    raise_for_missing,
)
from fastpose.inference.sources import find_sources
from fastpose.media.images import write_image
from fastpose.media.video import VideoReader, VideoWriter

DOTS = np.array([[20.0, 14.0], [44.0, 30.0], [30.0, 8.0]])
FULL = PredictOptions(crop="full")


@pytest.fixture
def detector(blob_path: Path):
    return fastpose.load(blob_path, threads=1)


@pytest.fixture
def film(paint, tmp_path: Path):
    """film(name, frames): a video of three moving dots."""

    def make(name: str = "a.mp4", frames: int = 20) -> Path:
        with VideoWriter(tmp_path / name, 10.0, (64, 48), quality=5, threads=1) as writer:
            for i in range(frames):
                writer.add(paint(48, 64, np.add(DOTS, (0.5 * i, 0)), radius=4))
        return tmp_path / name

    return make


def _rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "poses.jsonl").read_text().splitlines()]


def _only(tmp_path: Path, *names: str) -> None:
    """Nothing but these lies in the folder, hidden temporaries included."""
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)


def test_a_video(detector, film, tmp_path: Path) -> None:
    out = tmp_path / "out"
    calls: list[tuple] = []
    report = predict_files(
        detector,
        find_sources([str(film())]),
        out,
        FULL,
        progress=lambda *call: calls.append(call),
    )
    _only(out, "a_overlay.mp4", "poses.csv", "poses.jsonl", "report.json")
    _only(tmp_path, "a.mp4", "out")
    rows = _rows(out)
    assert [r["frame"] for r in rows] == list(range(20))
    assert [r["time"] for r in rows][:3] == [0.0, 0.1, 0.2]
    found = np.array([r["keypoints"]["r_wrist"][:2] for r in rows])
    np.testing.assert_allclose(found, [[44 + 0.5 * i, 30] for i in range(20)], atol=1.5)
    assert len(list(VideoReader(out / "a_overlay.mp4"))) == 20
    with open(out / "poses.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    assert json.loads((out / "report.json").read_text()) == json.loads(json.dumps(report))
    assert (report["received"], report["processed"], report["failed"]) == (20, 20, 0)
    assert report["partial"] is False and report["frames_per_second"] > 0
    assert report["model_frames_per_second"] > report["frames_per_second"]
    assert calls[-1] == (str(tmp_path / "a.mp4"), 20, 20)
    raise_for_missing(report, out)


def test_pictures_a_folder_and_two_videos_of_one_name(detector, film, paint, tmp_path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(3):
        write_image(pictures / f"{i}.png", paint(48, 64, DOTS + i, radius=4))
    (tmp_path / "b").mkdir()
    one, two = film("a.mp4", 4), film("b/a.mp4", 6)
    out = tmp_path / "out"
    sources = find_sources([str(one), str(two), str(pictures), str(pictures / "1.png")])
    report = predict_files(detector, sources, out, FULL)
    assert report["received"] == 4 + 6 + 3 + 1
    assert [s["received"] for s in report["sources"]] == [4, 6, 3, 1]
    assert len(_rows(out)) == 14
    assert [r["time"] for r in _rows(out)][-4:] == [None] * 4
    overlays = sorted(p.name for p in out.iterdir() if "overlay" in p.name)
    assert overlays == ["1_overlay", "a_overlay-2.mp4", "a_overlay.mp4", "pictures_overlay"]
    _only(out / "pictures_overlay", "0.png", "1.png", "2.png")


@pytest.mark.parametrize("formats", [("jsonl",), ("csv",), ("overlay",), ("csv", "jsonl")])
def test_only_the_wanted_outputs(detector, film, tmp_path, formats) -> None:
    names = {"jsonl": "poses.jsonl", "csv": "poses.csv", "overlay": "a_overlay.mp4"}
    out = tmp_path / "out"
    options = PredictOptions(crop="full", formats=formats)
    report = predict_files(detector, find_sources([str(film(frames=3))]), out, options)
    _only(out, "report.json", *(names[f] for f in formats))
    assert set(report["outputs"]) == {"report.json", *(names[f] for f in formats)}


def test_a_damaged_video_keeps_the_frames_before_and_says_so(detector, film, tmp_path) -> None:
    whole = film(frames=60).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: int(len(whole) * 0.6)])
    out = tmp_path / "out"
    report = predict_files(detector, find_sources([str(cut), str(tmp_path / "a.mp4")]), out, FULL)
    short, whole_one = report["sources"]
    assert report["partial"] and short["partial"] and not whole_one["partial"]
    assert 0 < short["received"] < 60 == short["expected"]
    assert report["received"] == report["processed"] + report["failed"] == len(_rows(out))
    assert len(list(VideoReader(out / "cut_overlay.mp4"))) == short["received"]
    with pytest.raises(UserError, match=r"cut\.mp4: .*; its \d+ frames .* marked partial") as error:
        raise_for_missing(report, out)
    assert "\n" not in str(error.value)


def test_one_bad_picture_among_good_ones(detector, paint, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_image(folder / "1.png", paint(48, 64, DOTS))
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes()[:60])
    write_image(folder / "3.png", paint(48, 64, DOTS))
    out = tmp_path / "out"
    report = predict_files(detector, find_sources([str(folder)]), out, FULL)
    assert (report["received"], report["processed"], report["failed"]) == (3, 2, 1)
    assert [r["status"] for r in _rows(out)] == ["ok", "failed", "ok"]
    with pytest.raises(UserError, match=r"1 of 3 frames failed, the first: .*2\.png"):
        raise_for_missing(report, out)


def test_nothing_is_written_where_nothing_could_be_processed(detector, film, tmp_path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nshort")
    with pytest.raises(UserError, match=r"bad\.png"):
        predict_files(detector, find_sources([str(tmp_path / "bad.png")]), tmp_path / "out", FULL)
    _only(tmp_path, "bad.png")


def test_a_video_without_a_frame_does_not_stop_the_others(detector, film, tmp_path) -> None:
    good = film(frames=10)
    content = good.read_bytes()
    hollow = tmp_path / "hollow.mp4"  # the index is whole, the frames are zeros
    start = content.index(b"mdat") + 4
    hollow.write_bytes(content[:start] + bytes(len(content) - start))
    out = tmp_path / "out"
    sources = find_sources([str(hollow), str(good)])
    report = predict_files(detector, sources, out, PredictOptions(crop="full"))
    assert [s["received"] for s in report["sources"]] == [0, 10]
    with pytest.raises(UserError, match=r"hollow\.mp4: no frame could be .* has none of it"):
        raise_for_missing(report, out)
    with pytest.raises(UserError, match=r"hollow\.mp4"):
        predict_files(detector, find_sources([str(hollow)]), tmp_path / "none", FULL)
    assert not (tmp_path / "none").exists()


def test_an_output_folder_is_never_overwritten_by_surprise(detector, film, tmp_path: Path) -> None:
    source = [str(film(frames=3))]
    out = tmp_path / "out"
    predict_files(detector, find_sources(source), out, FULL)
    with pytest.raises(UserError, match=r"already holds predictions.*--overwrite"):
        predict_files(detector, find_sources(source), out, FULL)
    again = PredictOptions(crop="full", overwrite=True, formats=("csv",))
    predict_files(detector, find_sources(source), out, again)
    _only(out, "poses.csv", "report.json")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="exists and is no folder of predictions"):
        predict_files(detector, find_sources(source), precious, again)
    _only(precious, "thesis.txt")
    with pytest.raises(UserError, match="does not exist; create it first"):
        predict_files(detector, find_sources(source), tmp_path / "no" / "out", FULL)
    _only(tmp_path, "a.mp4", "out", "precious")


@pytest.mark.parametrize("sink", ["JsonLinesSink", "CsvSink", "OverlayVideoSink"])
def test_a_sink_that_fails_midway_leaves_nothing(detector, film, tmp_path, monkeypatch, sink):
    real = getattr(sinks, sink).write

    def fail(self, pose) -> None:
        if pose.index == 7:
            raise OSError(28, "No space left on device")
        real(self, pose)

    monkeypatch.setattr(getattr(sinks, sink), "write", fail)
    source = find_sources([str(film(frames=30))])
    with pytest.raises(UserError, match=r"out: cannot be written \(No space left on device\)"):
        predict_files(detector, source, tmp_path / "out", FULL)
    _only(tmp_path, "a.mp4")


def test_the_current_folder_and_names_that_are_no_text(detector, paint, tmp_path, monkeypatch):
    name = os.fsdecode(b"caf\xe9.png")  # not UTF-8
    write_image(tmp_path / name, paint(48, 64, DOTS, radius=4))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    predict_files(detector, find_sources([str(tmp_path / name)]), ".", FULL)
    out = tmp_path / "here"
    assert json.loads((out / "report.json").read_text())["processed"] == 1
    (row,) = _rows(out)
    assert row["source"].endswith("\udce9.png")
    assert (out / "poses.csv").read_text().count("\n") == 2


def test_smoothing_is_reported_with_its_delay(detector, film, tmp_path: Path) -> None:
    options = PredictOptions(crop="full", smooth=True, formats=("jsonl",))
    report = predict_files(detector, find_sources([str(film())]), tmp_path / "out", options)
    assert 0.005 < report["sources"][0]["smoothing_delay_seconds"] < 0.5


def test_the_plan_is_told_without_writing(detector, film, tmp_path: Path) -> None:
    sources = find_sources([str(film())])
    text = describe_plan(detector, sources, tmp_path / "out", FULL)
    for part in ("blobs, 32 x 32 pixels", "a.mp4: 20 frames", "crop      full", "jsonl"):
        assert part in text
    _only(tmp_path, "a.mp4")


def test_an_interrupt_leaves_nothing_and_no_hang(blob_path: Path, film, tmp_path: Path) -> None:
    source = film(frames=3000)
    command = [sys.executable, "-m", "fastpose", "predict", str(blob_path), str(source)]
    options = ["--out", str(tmp_path / "out"), "--crop", "full", "--threads", "1"]
    process = subprocess.Popen(
        [*command, *options], cwd=Path(__file__).parents[2], stderr=subprocess.PIPE
    )
    temporary = tmp_path / f".out.tmp-{process.pid}"
    deadline = time.monotonic() + 30
    while not (temporary / "poses.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
    _only(tmp_path, "a.mp4")
