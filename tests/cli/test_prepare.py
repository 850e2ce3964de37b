from __future__ import annotations

from pathlib import Path

import pytest

from fastpose.cli import main
from fastpose.data.clips import ClipStore
from tests.media import scenes


def test_from_a_video_to_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    assert main(["prepare", str(film), "--out", str(tmp_path / "out"), "--size", "32"]) == 0
    shown = capsys.readouterr()
    assert "wave" in shown.out and "sheet.png" in shown.out.replace("\n", "")
    assert ClipStore.open(tmp_path / "out").frames_total == 30
    assert main(["prepare", str(film), "--out", str(tmp_path / "out")]) == 2
    assert "fastpose: error:" in capsys.readouterr().err


def test_keep_going_writes_what_is_good_and_still_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    (tmp_path / "bad.mp4").write_text("no video")
    command = ["prepare", str(film), str(tmp_path / "bad.mp4"), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert not (tmp_path / "out").exists()
    assert "bad.mp4: is not a readable video" in capsys.readouterr().err
    assert main([*command, "--keep-going"]) == 2
    shown = capsys.readouterr()
    assert (
        "fastpose: error:" in shown.err and "bad.mp4" in shown.err and "not readable" in shown.out
    )
    assert ClipStore.open(tmp_path / "out").frames_total == 30


def test_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    assert main(["prepare", str(film), "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_without_a_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--out", str(tmp_path / "out")]) == 2
    assert "nothing to prepare" in capsys.readouterr().err
