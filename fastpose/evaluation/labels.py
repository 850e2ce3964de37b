"""Labels for the frames of a clips folder: its own, or a file of labels by picture name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from fastpose.data.clips import Clip, ClipStore
from fastpose.data.motion_capture.npz import load_arrays
from fastpose.data.pose_points import named_joints
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton


@dataclass(frozen=True)
class Labels:
    """Labelled frames of a clips folder.

    Args:
        clip: (N,) int64, index of the clip in the store.
        frame: (N,) int64, index of the frame in its clip.
        points: (N,K,2) float32, pixels of the clip's frame.
        visible: (N,K) bool, which joints are labelled.
        skeleton: names the K joints.
        source: where the labels come from, for reports.
    """

    clip: np.ndarray
    frame: np.ndarray
    points: np.ndarray
    visible: np.ndarray
    skeleton: Skeleton
    source: str

    def __len__(self) -> int:
        return len(self.clip)


def labels_of_store(store: ClipStore) -> Labels:
    """The ``keypoints`` that the clips carry; UserError where none does."""
    labelled = [i for i, clip in enumerate(store.clips) if clip.keypoints is not None]
    if store.skeleton is None or not labelled:
        raise UserError(
            f"{store.path}: its clips carry no keypoints; name a file of labels with --labels"
        )
    parts = []
    for i in labelled:
        clip = store.clips[i]
        assert clip.keypoints is not None
        points = np.asarray(clip.keypoints, np.float32)
        visible = np.ones(points.shape[:2], bool) if clip.visible is None else clip.visible
        visible = np.asarray(visible) & np.isfinite(points).all(axis=-1)
        parts.append((np.full(len(points), i), np.arange(len(points)), points, visible))
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Labels(*columns, skeleton=store.skeleton, source=str(store.path))


def read_labels(
    path: str | os.PathLike[str], store: ClipStore, *, min_score: float = 0.4
) -> Labels:
    """Labels by picture name, matched to the frames that the clips were cut from.

    The file is an npz with ``names`` (N,): ``strip.jpg#12`` or ``video.mp4#12`` for frame 12, or
    ``folder/000012.jpg`` for a picture; ``keypoints`` (N,K,2), or (N,K,3) with a score, in pixels
    of the source; ``joint_names`` (K,); optional ``visible`` (N,K).

    Args:
        path: the file.
        store: clips; their ``source``, ``source_frames`` and ``window`` say where they come from.
        min_score: joints with a smaller score do not count.

    Raises:
        UserError: an unreadable file, wrong shapes, or no label that meets a frame.
    """
    data = load_arrays(path)
    lost = [key for key in ("names", "keypoints", "joint_names") if key not in data]
    if lost:
        raise UserError(f"{path}: lacks {', '.join(lost)}; expected names, keypoints, joint_names")
    keypoints = np.asarray(data["keypoints"], np.float32)
    names = [str(n) for n in data["names"]]
    joints = [str(n) for n in data["joint_names"]]
    if (
        keypoints.ndim != 3
        or keypoints.shape[:2] != (len(names), len(joints))
        or keypoints.shape[2] not in (2, 3)
    ):
        raise UserError(
            f"{path}: keypoints must be ({len(names)},{len(joints)},2 or 3), not {keypoints.shape}"
        )
    seen = np.asarray(data.get("visible", np.ones(keypoints.shape[:2])), bool)
    if seen.shape != keypoints.shape[:2]:
        raise UserError(f"{path}: visible must be {keypoints.shape[:2]}, not {seen.shape}")
    if keypoints.shape[2] == 3:
        seen = seen & (keypoints[..., 2] > min_score)
    points = keypoints[..., :2]
    seen = seen & np.isfinite(points).all(axis=-1)
    groups = _by_source(names)
    parts = []
    for i, clip in enumerate(store.clips):
        rows, frames = _rows_of(clip, groups)
        if len(rows):
            placed = _into_window(points[rows], clip, store.size)
            parts.append((np.full(len(rows), i), frames, placed, seen[rows]))
    if not parts:
        sources = sorted({str(clip.source) for clip in store.clips})
        raise UserError(
            f"{path}: no label meets a frame of {store.path}; labels are for {names[0]}, ..., "
            f"the clips come from {', '.join(sources[:3])}"
        )
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Labels(*columns, skeleton=named_joints(joints, path), source=str(path))


_Groups = dict[PurePosixPath, dict[int, int]]


def _by_source(names: Sequence[str]) -> _Groups:
    """Source -> frame number -> row; pictures of a folder are numbered in order of their names."""
    groups: _Groups = {}
    pictures: dict[PurePosixPath, list[tuple[str, int]]] = {}
    for row, name in enumerate(names):
        file, mark, number = name.rpartition("#")
        if mark and number.isdigit():
            groups.setdefault(PurePosixPath(file), {})[int(number)] = row
        else:
            picture = PurePosixPath(name)
            groups.setdefault(picture, {})[0] = row
            pictures.setdefault(picture.parent, []).append((picture.name, row))
    for folder, files in pictures.items():
        if folder != PurePosixPath("."):
            groups.setdefault(folder, {}).update(
                {number: row for number, (_, row) in enumerate(sorted(files))}
            )
    return groups


def _rows_of(clip: Clip, groups: _Groups) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the labels of a clip, and the clip's frames that they label."""
    none = np.zeros(0, np.int64)
    if clip.source is None:
        return none, none
    parts = PurePosixPath(Path(clip.source).as_posix()).parts
    best, agreement = None, 0
    for source in groups:
        common = 0
        for a, b in zip(reversed(parts), reversed(source.parts), strict=False):
            if a != b:
                break
            common += 1
        if common > agreement:
            best, agreement = source, common
    if best is None:
        return none, none
    numbers = range(len(clip)) if clip.source_frames is None else clip.source_frames
    found = [(groups[best][n], at) for at, n in enumerate(numbers) if n in groups[best]]
    rows = np.array(found, np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _into_window(points: np.ndarray, clip: Clip, size: int) -> np.ndarray:
    """From pixels of the source to pixels of the clip's frame."""
    if clip.window is None:
        return points
    x, y, side = clip.window
    return ((points - np.array([x, y], np.float32)) * (size / side) - 0.5).astype(np.float32)
