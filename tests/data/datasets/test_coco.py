from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from fastpose.media.images import write_image
from tests.data.datasets import trees


def person(number: int, image: int, points: np.ndarray, flags: np.ndarray) -> dict[str, Any]:
    low, high = points.min(0) - 6, points.max(0) + 6
    corners = [low[0], low[1], high[0], low[1], high[0], high[1], low[0], high[1]]
    rows = np.concatenate([np.where(flags[:, None] > 0, points, 0), flags[:, None]], axis=1)
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "keypoints": rows.ravel().tolist(),
        "num_keypoints": int((flags > 0).sum()),
        "segmentation": [[float(v) for v in corners]],
    }


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Picture 1 with two people, 2 with a crowd and somebody without joints, 3 with one."""
    rng = np.random.default_rng(2)
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    (root / "train2017").mkdir()
    flags = np.array([2] * 10 + [1] * 5 + [0] * 2)
    left = trees.body(rng, 17, 20, 110)
    right = trees.body(rng, 17, 20, 110) + np.array([160, 5])
    dots = np.concatenate([left[:15], right[:15]])
    write_image(root / "train2017" / "000000000001.jpg", trees.dotted((300, 140), dots))
    write_image(root / "train2017" / "000000000002.jpg", trees.dotted((300, 140), dots))
    write_image(root / "train2017" / "000000000003.jpg", trees.dotted((300, 140), left[:15]))
    nobody = person(12, 2, left, np.zeros(17, int))
    crowd = {**person(13, 2, left, flags), "iscrowd": 1, "segmentation": {"counts": []}}
    people = [person(10, 1, left, flags), person(11, 1, right, flags), nobody, crowd]
    people.append(person(14, 3, left, flags))
    pictures = [
        {"id": i, "file_name": f"{i:012d}.jpg", "width": 300, "height": 140} for i in (1, 2, 3)
    ]
    content = {"images": pictures, "annotations": people, "categories": []}
    (root / "annotations/person_keypoints_train2017.json").write_text(json.dumps(content))
    trees.complete(monkeypatch, "coco", {"train2017": 2})
    return root


def test_each_person_is_a_clip(root: Path, tmp_path: Path) -> None:
    report = pack("coco", root, tmp_path / "out", PackConfig(masks=True))
    assert [summary.clips for summary in report.sources] == [2, 1]
    store = ClipStore.open(tmp_path / "out")
    names = [clip.name for clip in store.clips]
    assert names == ["000000000001_10", "000000000001_11", "000000000003_14"]
    for clip in store.clips:
        assert trees.check_dots(clip) == 15
        assert clip.keypoints is not None and np.isnan(clip.keypoints[0, 15:]).all()
        # The polygon is the box with 6 pixels around the joints.
        assert clip.mask is not None
        rows, columns = np.nonzero(clip.mask[0] > 127)
        inside = clip.keypoints[0, :15].round().astype(int)
        assert rows.min() < inside[:, 1].min() and columns.max() > inside[:, 0].max()
    assert store.clips[1].source == "train2017/000000000001.jpg"


def test_a_picture_of_another_size_is_named(root: Path, tmp_path: Path) -> None:
    write_image(root / "train2017/000000000003.jpg", np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(UserError, match=r"000000000003\.jpg: picture 1 is 100 x 100 pixels"):
        pack("coco", root, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": None}, "entry 10: bbox must be 4 numbers, not None"),
        ({"bbox": [1, 2, 3]}, r"entry 10: bbox must be 4 numbers, not \[1, 2, 3\] \(3\)"),
        ({"bbox": [40, 40, 0, 0]}, "entry 10: bbox must be larger than nothing"),
        ({"bbox": [1, 2, 3, "wide"]}, "entry 10: bbox must be 4 numbers"),
        ({"keypoints": [1.0] * 50}, r"entry 10: keypoints must be 51 numbers.*\(50\)"),
        ({"keypoints": [1.0] * 48}, r"entry 10: keypoints must be 51 numbers.*\(48\)"),
        ({"id": "x"}, "entry x: id must be a number"),
        ({"segmentation": [["a", "b"]]}, "entry 10: segmentation is no list of polygons"),
    ],
)
def test_an_entry_that_is_broken_is_named_and_left_out(
    root: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    file = root / "annotations/person_keypoints_train2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0].update(change)
    if change == {"bbox": None}:
        del content["annotations"][0]["bbox"]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"train2017.json: {message}.*; unpack"):
        pack("coco", root, tmp_path / "out", PackConfig(masks=True))
    report = pack("coco", root, tmp_path / "out", PackConfig(masks=True), keep_going=True)
    assert len(report.problems) == 1 and report.clips == [("000000000003_14", 1)]


def test_a_picture_without_a_size_is_named(root: Path, tmp_path: Path) -> None:
    file = root / "annotations/person_keypoints_train2017.json"
    content = json.loads(file.read_text())
    del content["images"][2]["width"]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="entry 3: width must be a number, not None"):
        pack("coco", root, tmp_path / "out")


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[]", '{"images": [], "annotations": [{"id": 3}]}'),
        '{"images": [{"id": 1, "file_name": 1}], "annotations": []}',
    ],
)
def test_other_json_is_refused(root: Path, tmp_path: Path, content: str) -> None:
    (root / "annotations/person_keypoints_train2017.json").write_text(content)
    with pytest.raises(UserError, match="is not in COCO's keypoint format"):
        pack("coco", root, tmp_path / "out")


def test_missing_parts_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no folder val2017"):
        pack("coco", root, tmp_path / "out", PackConfig(split="val2017"))
    (root / "val2017").mkdir()
    with pytest.raises(UserError, match=r"has no file annotations/person_keypoints_val2017\.json"):
        pack("coco", root, tmp_path / "out", PackConfig(split="val2017"))
