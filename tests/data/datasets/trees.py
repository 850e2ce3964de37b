"""Small folders in the layout of the published data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from fastpose.data.clips import Clip
from fastpose.data.datasets import get_reader
from fastpose.media.images import write_image


def dotted(size: tuple[int, int], points: np.ndarray, ground: int = 40) -> np.ndarray:
    """A dark picture (width, height) with a light 5 x 5 dot on each of ``points`` (K,2)."""
    image = np.full((size[1], size[0], 3), ground, np.uint8)
    for x, y in np.rint(points).astype(int):
        image[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = 230
    return image


def body(rng: np.random.Generator, joints: int, low: float, high: float) -> np.ndarray:
    """(K,2) whole numbers in [low, high), no two closer than 8: dots that stay apart."""
    points: list[np.ndarray] = []
    while len(points) < joints:
        point = np.floor(rng.uniform(low, high, 2))
        if all(np.abs(point - other).max() >= 8 for other in points):
            points.append(point)
    return np.stack(points)


def complete(monkeypatch: Any, name: str, counts: dict[str, int]) -> None:
    """Let a small folder pass for the complete data set."""
    monkeypatch.setattr(get_reader(name), "counts", counts)


def check_dots(clip: Clip, picked: int = 0) -> int:
    """Every counted joint of a frame is on its dot; returns how many there are."""
    assert clip.keypoints is not None and clip.visible is not None
    points, shown = clip.keypoints[picked], clip.visible[picked]
    for x, y in np.rint(points[shown]).astype(int):
        assert clip.frames[picked][y, x].min() > 120, (clip.name, x, y)
    return int(shown.sum())


def penn_action(
    root: Path, lengths: dict[str, int], *, seed: int = 0, train: dict[str, int] | None = None
) -> dict[str, np.ndarray]:
    """Clips of a body that drifts; returns the joints (N,13,2), counted from 0."""
    made = {}
    rng = np.random.default_rng(seed)
    (root / "labels").mkdir(parents=True)
    for name, count in lengths.items():
        points = body(rng, 13, 40, 120) + np.arange(count)[:, None, None]
        made[name] = points
        (root / "frames" / name).mkdir(parents=True)
        for i in range(count):
            write_image(root / "frames" / name / f"{i + 1:06d}.jpg", dotted((200, 160), points[i]))
        write_penn_labels(root, name, points, train=(train or {}).get(name, 1))
    return made


def write_penn_labels(root: Path, name: str, points: np.ndarray, **change: Any) -> None:
    count = len(points)
    one_based = points + 1.0
    visible = np.ones((count, 13), np.uint8)
    visible[:, 4] = 0
    boxes = np.concatenate([one_based.min(1) - 6, one_based.max(1) + 6], axis=1)
    content = {
        "action": "tennis_serve",
        "pose": "back",
        "x": one_based[..., 0],
        "y": one_based[..., 1],
        "visibility": visible,
        "train": 1,
        "bbox": boxes,
        "dimensions": np.array([[160, 200, count]], np.uint16),
        "nframes": count,
    }
    savemat(root / "labels" / f"{name}.mat", {**content, **change})


def lsp(root: Path, count: int, *, extended: bool) -> np.ndarray:
    """Pictures of bodies of 14 joints; returns them (N,14,2), counted from 0."""
    rng = np.random.default_rng(count)
    points = np.stack([body(rng, 14, 20, 110) for _ in range(count)])
    (root / "images").mkdir(parents=True)
    digits = 5 if extended else 4
    for i in range(count):
        name = f"im{i + 1:0{digits}d}.jpg"
        write_image(root / "images" / name, dotted((140, 130), points[i]))
    flags = np.zeros((count, 14, 1))
    flags[:, 3] = 1.0
    rows = np.concatenate([points + 1.0, 1.0 - flags if extended else flags], axis=-1)
    raw = rows.transpose(1, 2, 0) if extended else rows.transpose(2, 1, 0)
    savemat(root / "joints.mat", {"joints": raw})
    return points
