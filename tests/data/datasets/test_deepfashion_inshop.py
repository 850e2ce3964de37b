from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from fastpose.media.images import write_image
from tests.data.datasets import trees

WHOLE = "img/WOMEN/Dresses/id_00000002"
UPPER = "img/MEN/Tees_Tanks/id_00000007"
LOWER = "img/MEN/Pants/id_00000008"


def write_list(path: Path, heading: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([str(len(rows)), heading, *rows]) + "\n")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root, rng = tmp_path / "inshop", np.random.default_rng(3)
    landmarks, parts = [], []
    pictures = {
        f"{WHOLE}/02_1_front.jpg": (3, 8, "train"),
        f"{WHOLE}/02_2_side.jpg": (3, 8, "train"),
        f"{WHOLE}/03_1_front.jpg": (3, 8, "train"),
        f"{UPPER}/01_1_front.jpg": (1, 6, "query"),
        f"{LOWER}/01_1_front.jpg": (2, 4, "gallery"),
    }
    for name, (kind, count, part) in pictures.items():
        points = trees.body(rng, count, 20, 230)
        (root / "Img" / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(root / "Img" / name, trees.dotted((256, 256), points[:-1]))
        states = [0] * (count - 2) + [1, 2]  # the last is cut off, the one before hidden
        marks = [f"{s} {x:03.0f} {y:03.0f}" for s, (x, y) in zip(states, points, strict=True)]
        landmarks.append(f"{name}  {kind}  1  " + "  ".join(marks))
        parts.append(f"{name}  {name.split('/')[-2]}  {part}")
    write_list(root / "Anno/list_landmarks_inshop.txt", "image_name clothes_type ...", landmarks)
    write_list(root / "Eval/list_eval_partition.txt", "image_name item_id ...", parts)
    trees.complete(monkeypatch, "deepfashion-inshop", {"train": 3, "test": 2})
    return root


def test_a_clip_is_a_garment_in_one_colour(root: Path, tmp_path: Path) -> None:
    report = pack("deepfashion-inshop", root, tmp_path / "out")
    assert report.problems == []
    store = ClipStore.open(tmp_path / "out")
    assert [len(clip) for clip in store.clips] == [2, 1] and store.size == 256
    first = store.clips[0]
    assert first.name == "WOMEN_Dresses_id_00000002_02" and first.activity == "Dresses"
    assert trees.check_dots(first, 0) == trees.check_dots(first, 1) == 6
    assert first.keypoints is not None
    assert np.isfinite(first.keypoints[0, 6]).all() and np.isnan(first.keypoints[0, 7]).all()


def test_upper_and_lower_clothes_have_fewer_landmarks(root: Path, tmp_path: Path) -> None:
    pack("deepfashion-inshop", root, tmp_path / "out", PackConfig(split="test"))
    store = ClipStore.open(tmp_path / "out")
    assert store.skeleton is not None
    shown = {
        clip.name.split("_")[1]: [
            joint
            for joint, seen in zip(store.skeleton.joints, clip.visible[0], strict=True)
            if seen
        ]
        for clip in store.clips
        if clip.visible is not None and trees.check_dots(clip)
    }
    assert shown["Pants"] == ["l_waistline", "r_waistline"]
    assert shown["Tees"] == ["l_collar", "r_collar", "l_sleeve", "r_sleeve"]


def test_what_does_not_fit_is_named(root: Path, tmp_path: Path) -> None:
    file = root / "Anno/list_landmarks_inshop.txt"
    good = file.read_text()
    file.write_text(good.replace("  3  1  ", "  9  1  ", 1))
    with pytest.raises(UserError, match=r"02_1_front\.jpg: 9; copy it again"):
        pack("deepfashion-inshop", root, tmp_path / "out")
    file.write_text("6\n" + good.split("\n", 1)[1])
    with pytest.raises(UserError, match="says 6 rows, holds 5"):
        pack("deepfashion-inshop", root, tmp_path / "out")
    file.write_text("names\n")
    with pytest.raises(UserError, match="does not start with its number of rows"):
        pack("deepfashion-inshop", root, tmp_path / "out")
    file.write_text(good)
    (root / "Img" / WHOLE / "02_2_side.jpg").unlink()
    with pytest.raises(UserError, match=r"02_2_side\.jpg: no such file; unpack img.zip again"):
        pack("deepfashion-inshop", root, tmp_path / "out")
