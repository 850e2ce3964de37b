"""`fastpose synthesize` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.cli import main
from fastpose.data.clips import ClipStore
from fastpose.data.clips.shards import GrowingArray
from fastpose.data.motion_capture import read_motion
from fastpose.media.images import write_image

SMALL = ["--clips", "2", "--size", "32", "--frames", "3"]


def test_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "clips"
    flags = ["--seed", "4", "--activities", "walk", "wave", "--frontal", "0.6", "--side", "0.4"]
    assert main(["synthesize", "--out", str(out), *SMALL, *flags]) == 0
    store = ClipStore.open(out)
    assert [c.name for c in store.clips] == ["s4_000000", "s4_000001"]
    assert {c.activity for c in store.clips} <= {"walk", "wave"}
    assert store.info["config"]["camera"]["frontal"] == 0.6
    assert str(out / "sheet.png") in capsys.readouterr().out.replace("\n", "")


def test_poses_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "poses.npz"
    assert main(["synthesize", "--poses-only", "--out", str(out), *SMALL]) == 0
    assert [len(m) for m in read_motion(out)] == [3, 3]
    assert "poses.npz" in capsys.readouterr().out


def test_recorded_motion(tmp_path: Path) -> None:
    poses, out = tmp_path / "poses.npz", tmp_path / "clips"
    assert main(["synthesize", "--poses-only", "--out", str(poses), "--clips", "2"]) == 0
    assert main(["synthesize", "--out", str(out), "--motion", str(poses), *SMALL]) == 0
    assert len(ClipStore.open(out).clips) == 2


def test_videos(tmp_path: Path) -> None:
    assert main(["synthesize", "--out", str(tmp_path / "clips"), "--videos", *SMALL]) == 0
    names = sorted(path.name for path in (tmp_path / "clips" / "videos").iterdir())
    assert names == [f"s0_00000{i}.{end}" for i in range(2) for end in ("mp4", "npz")]


def test_infants_by_recorded_motion_are_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poses = tmp_path / "poses.npz"
    assert main(["synthesize", "--poses-only", "--out", str(poses), "--clips", "1"]) == 0
    run = ["synthesize", "--out", str(tmp_path / "x"), "--motion", str(poses), *SMALL, "--dry-run"]
    for preset, noted in (("infants", True), ("everyday", False)):
        capsys.readouterr()
        assert main([*run, "--preset", preset]) == 0
        assert ("who stands in it stands" in capsys.readouterr().out) == noted


def test_backgrounds(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for name in ("a.png", "b.png"):
        write_image(tmp_path / "pictures" / name, np.full((32, 32, 3), 255, np.uint8))
    given = ["--backgrounds", str(tmp_path / "pictures")]
    assert main(["synthesize", "--out", str(tmp_path / "clips"), *SMALL, *given]) == 0
    store = ClipStore.open(tmp_path / "clips")
    assert store.info["backgrounds"] == 2
    assert all(clip.background is not None and clip.background.min() > 250 for clip in store.clips)


@pytest.mark.parametrize("preset", ["human36m-like", "infants", "multiview", "fashion"])
def test_presets(tmp_path: Path, preset: str) -> None:
    out = tmp_path / "clips"
    flags = ["--preset", preset, "--clips", "2", "--size", "32"]
    if preset != "fashion":
        flags += ["--frames", "2"]
    assert main(["synthesize", "--out", str(out), *flags]) == 0
    store = ClipStore.open(out)
    assert store.size == 32
    assert [len(clip) for clip in store.clips] == ([1, 1] if preset == "fashion" else [2, 2])
    assert (store.clips[0].group == store.clips[1].group) == (preset == "multiview")
    assert (out / "cameras.json").is_file()


def test_options_override_a_preset(tmp_path: Path) -> None:
    out = tmp_path / "clips"
    flags = ["--preset", "human36m-like", "--activities", "Walking", "--actors", "1"]
    flags += ["--difficulty", "0.9", "--height", "0.5", "0.6", "--fps", "10"]
    flags += ["--furniture", "2", "--jpeg", "70"]
    flags += ["--exposure", "0.5", "--noise", "0.01", "--shadow", "0.2"]
    assert main(["synthesize", "--out", str(out), *SMALL, *flags]) == 0
    store = ClipStore.open(out)
    config = store.info["config"]
    assert {clip.activity for clip in store.clips} == {"Walking"}
    assert (config["actors"], config["difficulty"], config["scene"]) == (1, 0.9, "room")
    assert (config["furniture"], config["jpeg"]) == (2, 70)
    assert (config["exposure"], config["noise"], config["shadow"]) == (0.5, 0.01, 0.2)
    assert config["camera"]["person_in_window"] == [0.5, 0.6]
    assert store.clips[0].fps == 10


def test_poses_of_a_preset(tmp_path: Path) -> None:
    out = tmp_path / "poses.npz"
    assert (
        main(["synthesize", "--preset", "infants", "--poses-only", "--out", str(out), *SMALL]) == 0
    )
    assert all(motion.positions[..., 1].max() < 0.5 for motion in read_motion(out))  # lying


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in ([], ["--poses-only"]):
        out = str(tmp_path / "x.npz")
        assert main(["synthesize", "--out", out, "--dry-run", *SMALL, *flags]) == 0
        assert "would write 2 clips of 3" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--clips", "0"], "clips must be"),
        (["--size", "4"], "size must be"),
        (["--activities", "wlak"], "did you mean 'walk'"),
        (["--frontal", "0.8", "--side", "0.4"], "frontal plus side"),
        (["--poses-only"], "ending in .npz"),
        (["--poses-only", "--motion", "a.npz"], "leave out --motion"),
        (["--motion", "none.npz"], "no such file"),
        (["--backgrounds", "none"], "no such folder"),
        (["--poses-only", "--backgrounds", "x"], "leave out --backgrounds"),
        (["--poses-only", "--videos"], "leave out --videos"),
        (["--difficulty", "nan"], "difficulty"),
        (["--jpeg", "200"], "jpeg"),
        (["--exposure", "2"], "exposure"),
        (["--noise", "-1"], "noise"),
        (["--furniture", "-1"], "furniture"),
        (["--preset", "fashoin"], "did you mean 'fashion'"),
        (["--preset", "multiview", "--frontal", "1"], "stand still"),
        (["--preset", "human36m-like", "--travel", "20"], "distance"),
        (["--window", "25"], "window"),
        (["--preset", "human36m-like", "--window", "2.5", "--shift", "0"], "--height, --shift"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], named: str
) -> None:
    assert main(["synthesize", "--out", str(tmp_path / "out"), *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("fastpose: error: ") and named in error and "\n" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(GrowingArray, "append", full)
    assert main(["synthesize", "--out", str(tmp_path / "out"), *SMALL]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("fastpose: error: No space left on device; ") and "\n" not in error
    assert list(tmp_path.iterdir()) == []
