"""What is common to all data sets, shown on the smallest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets import DATASETS, get_reader
from fastpose.data.datasets.pack import PackConfig, pack, pack_poses
from fastpose.data.pose_points import read_points
from fastpose.errors import UserError
from fastpose.media.images import read_image
from tests.data.datasets import trees


@pytest.fixture
def penn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    trees.penn_action(tmp_path / "penn", {"0001": 6, "0002": 4, "0003": 5})
    trees.complete(monkeypatch, "penn-action", {"train": 3, "test": 0})
    return tmp_path / "penn"


@pytest.mark.parametrize("name", DATASETS)
def test_every_reader_says_what_it_is(name: str, tmp_path: Path) -> None:
    reader = get_reader(name)
    assert reader.title and reader.splits and reader.unit
    assert set(reader.counts) <= set(reader.splits) and set(reader.halves) <= set(reader.splits)
    documentation = __import__(reader.__module__, fromlist=["x"]).__doc__
    assert documentation and "ROOT/" in documentation
    with pytest.raises(UserError, match="no such folder"):
        reader(tmp_path / "nowhere")
    with pytest.raises(UserError, match=str(tmp_path)):
        pack(name, tmp_path, tmp_path / "out", dry_run=True)  # an empty folder is no data set


def test_unknown_names_and_splits(penn: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'penn-action'"):
        pack("pen-action", penn, tmp_path / "out")
    with pytest.raises(UserError, match="did you mean 'test'"):
        pack("penn-action", penn, tmp_path / "out", PackConfig(split="tests"))
    for config in (PackConfig(size=4), PackConfig(every=0), PackConfig(max_frames=1)):
        with pytest.raises(UserError, match="expected"):
            pack("penn-action", penn, tmp_path / "out", config)
    assert not (tmp_path / "out").exists()


def test_counts_that_are_not_the_published_ones(
    penn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.complete(monkeypatch, "penn-action", {"train": 4})
    with pytest.raises(UserError, match="holds 3 sequences of the split train, Penn Action has 4"):
        pack("penn-action", penn, tmp_path / "out")
    report = pack("penn-action", penn, tmp_path / "out", keep_going=True)
    assert len(report.problems) == 1 and len(report.clips) == 3
    assert ClipStore.open(tmp_path / "out").info["problems"] == report.problems


def test_all_reasons_are_given_where_nothing_can_be_read(penn: Path, tmp_path: Path) -> None:
    for name in ("0001", "0002", "0003"):
        (penn / "frames" / name / "000002.jpg").unlink()
    with pytest.raises(UserError) as caught:
        pack("penn-action", penn, tmp_path / "out", keep_going=True)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    for name, line in zip(("0001", "0002", "0003"), lines, strict=True):
        assert line.startswith(f"{penn}/frames/{name}/000002.jpg: ")
    assert not (tmp_path / "out").exists()


def test_an_item_with_a_damaged_picture_is_left_out_whole(penn: Path, tmp_path: Path) -> None:
    (penn / "frames" / "0001" / "000006.jpg").write_bytes(b"")
    report = pack("penn-action", penn, tmp_path / "out", keep_going=True)
    assert report.clips == [("0002", 4), ("0003", 5)] and len(report.problems) == 1


def test_an_empty_split_is_refused(penn: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no sequences of the split test"):
        pack("penn-action", penn, tmp_path / "out", PackConfig(split="test"))


def test_halves_and_steps(penn: Path, tmp_path: Path) -> None:
    pack("penn-action", penn, tmp_path / "a", PackConfig(half="first"))
    pack("penn-action", penn, tmp_path / "b", PackConfig(half="second", every=2))
    first, second = ClipStore.open(tmp_path / "a").clips[0], ClipStore.open(tmp_path / "b").clips[0]
    assert first.source_frames == (0, 1, 2) and second.source_frames == (3, 5)
    assert second.fps == 15.0
    assert trees.check_dots(second, 1) == 12


def test_long_recordings_are_divided(penn: Path, tmp_path: Path) -> None:
    pack("penn-action", penn, tmp_path / "a", PackConfig(max_frames=3))
    clips = ClipStore.open(tmp_path / "a").clips
    assert max(len(clip) for clip in clips) == 3
    assert clips[0].name == "0001_000000" and clips[1].name == "0001_000003"
    assert all(trees.check_dots(clip, len(clip) - 1) == 12 for clip in clips)


def test_a_dry_run_writes_nothing(penn: Path, tmp_path: Path) -> None:
    report = pack("penn-action", penn, tmp_path / "out", dry_run=True)
    assert report.out is None and len(report.clips) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["penn"]


def test_an_interruption_is_made_good(
    penn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = get_reader("penn-action").read
    seen: list[str] = []

    def stops(self: object, item: str) -> object:
        seen.append(item)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return read(self, item)  # type: ignore[arg-type]

    monkeypatch.setattr(get_reader("penn-action"), "read", stops)
    with pytest.raises(KeyboardInterrupt):
        pack("penn-action", penn, tmp_path / "out")
    report = pack("penn-action", penn, tmp_path / "out")
    assert seen == ["0001", "0002", "0003", "0003"]
    assert [s.name for s in report.sources] == ["0001", "0002", "0003"]
    pack("penn-action", penn, tmp_path / "again")
    ours, straight = ClipStore.open(tmp_path / "out"), ClipStore.open(tmp_path / "again")
    for one, other in zip(ours.clips, straight.clips, strict=True):
        assert one.name == other.name and (one.frames == other.frames).all()
    assert read_image(tmp_path / "out" / "sheet.png").shape[1] > 200


def test_an_error_says_how_to_go_on(penn: Path, tmp_path: Path) -> None:
    broken = penn / "frames" / "0002" / "000004.jpg"
    good = broken.read_bytes()
    broken.write_bytes(b"")
    with pytest.raises(
        UserError, match=r"empty.*1 of 3 items are packed: the same command goes on"
    ):
        pack("penn-action", penn, tmp_path / "out")
    broken.write_bytes(good)
    report = pack("penn-action", penn, tmp_path / "out")
    assert len(report.clips) == 3
    clips = ClipStore.open(tmp_path / "out").clips
    assert [clip.name for clip in clips] == ["0001", "0002", "0003"]
    assert all(trees.check_dots(clip, 3) == 12 for clip in clips)


def test_existing_clips_are_kept_unless_told_otherwise(penn: Path, tmp_path: Path) -> None:
    pack("penn-action", penn, tmp_path / "out")
    with pytest.raises(UserError, match="--overwrite"):
        pack("penn-action", penn, tmp_path / "out")
    pack("penn-action", penn, tmp_path / "out", PackConfig(half="first"), overwrite=True)
    assert ClipStore.open(tmp_path / "out").frames_total == 3 + 2 + 2


def test_poses_only(penn: Path, tmp_path: Path) -> None:
    (penn / "frames" / "0001" / "000004.jpg").write_bytes(b"not decoded")
    report = pack_poses("penn-action", penn, tmp_path / "p.npz", PackConfig(half="second"))
    assert report.out == tmp_path / "p.npz"
    with np.load(tmp_path / "p.npz") as data:
        assert data["keypoints"].shape == (3 + 2 + 3, 13, 2) and data["size"] == 128
        assert (
            data["source"].tolist()
            == ["frames/0001"] * 3 + ["frames/0002"] * 2 + ["frames/0003"] * 3
        )
        assert data["source_frame"].tolist() == [3, 4, 5, 2, 3, 2, 3, 4]
        assert str(data["dataset"]) == "penn-action" and not data["visible"][:, 4].any()
    with pytest.raises(UserError, match="unseen joint"):
        read_points(tmp_path / "p.npz")
    for path, message in ((tmp_path / "p.npz", "--overwrite"), (tmp_path / "p.csv", "npz")):
        with pytest.raises(UserError, match=message):
            pack_poses("penn-action", penn, path)


def test_poses_need_labels(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.png").write_bytes(b"x")
    with pytest.raises(UserError, match="carries no labels"):
        pack_poses("weizmann", tmp_path / "w", tmp_path / "p.npz")


def test_progress_ends_where_it_should(penn: Path, tmp_path: Path) -> None:
    calls: list[tuple[str, str, int, int | None]] = []
    pack("penn-action", penn, tmp_path / "out", progress=lambda *c: calls.append(c))
    assert calls[0] == ("penn-action", "packing", 0, 3) and calls[-1][2:] == (3, 3)
