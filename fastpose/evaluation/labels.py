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
from fastpose.data.prepare.sources import natural_key
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


def open_labels(
    store: ClipStore, path: str | os.PathLike[str] | None, *, min_score: float = 0.4
) -> Labels:
    """The labels of the file ``path``, or the clips' own where it is None."""
    return labels_of_store(store) if path is None else read_labels(path, store, min_score=min_score)


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
    of the source; ``joint_names`` (K,); optional ``visible`` (N,K). A label is for a clip where
    the shorter of label's and clip's source, both paths, ends the longer. Pictures of a folder
    count in the order in which ``prepare`` reads them, so every one of them needs a label (with
    ``visible`` off or a score of 0 where nobody is seen).

    Args:
        path: the file.
        store: clips; their ``source``, ``source_frames`` and ``window`` say where they come from.
        min_score: joints with a smaller score do not count.

    Raises:
        UserError: an unreadable file, wrong shapes, a frame labelled twice, two label sources for
            one clip, fewer labelled pictures than frames of a folder, or no label that meets a
            frame.
    """
    data = load_arrays(path, "an npz of labels")
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
    groups = _by_source(names, path)
    parts = []
    for i, clip in enumerate(store.clips):
        rows, frames = _rows_of(clip, groups, path)
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


@dataclass(frozen=True)
class _Source:
    """Rows of the label file by number of the frame; a folder of pictures is numbered here."""

    rows: dict[int, int]
    folder: bool = False


_Groups = dict[PurePosixPath, _Source]


def _by_source(names: Sequence[str], path: str | os.PathLike[str]) -> _Groups:
    """Label sources by name: recordings, single pictures, and folders of pictures."""
    if len(set(names)) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        raise UserError(f"{path}: labels {twice} twice; keep one label for each frame")
    groups: _Groups = {}
    pictures: dict[PurePosixPath, list[tuple[Path, int]]] = {}
    for row, name in enumerate(names):
        file, mark, number = name.rpartition("#")
        if mark and number.isdecimal():
            groups.setdefault(PurePosixPath(file), _Source({})).rows[int(number)] = row
        else:
            picture = PurePosixPath(name)
            groups.setdefault(picture, _Source({})).rows[0] = row
            pictures.setdefault(picture.parent, []).append((Path(name), row))
    for folder, files in pictures.items():
        files.sort(key=lambda file: natural_key(file[0]))
        rows = {number: row for number, (_, row) in enumerate(files)}
        groups.setdefault(folder, _Source(rows, folder=True))
    return groups


def _rows_of(
    clip: Clip, groups: _Groups, path: str | os.PathLike[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the labels of a clip, and the clip's frames that they label."""
    source = None if clip.source is None else _source_of(clip.source, groups, path)
    if source is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    labelled = groups[source]
    numbers = range(len(clip)) if clip.source_frames is None else clip.source_frames
    # A folder's frames are known by their order alone: a picture left out would shift the others.
    if labelled.folder and max(numbers) >= len(labelled.rows):
        raise UserError(
            f"{path}: labels {len(labelled.rows)} pictures of {source}, but clip '{clip.name}' "
            f"holds its frame {max(numbers)}; label every picture of the folder"
        )
    found = [(labelled.rows[n], at) for at, n in enumerate(numbers) if n in labelled.rows]
    rows = np.array(found, np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _source_of(name: str, groups: _Groups, path: str | os.PathLike[str]) -> PurePosixPath | None:
    """The label source of the clip source ``name``: one path ends the other, the more the better.

    Raises:
        UserError: two label sources agree with it equally well.
    """
    parts = PurePosixPath(Path(name).as_posix()).parts
    best: list[PurePosixPath] = []
    agreement = 1
    for source in groups:
        common = min(len(parts), len(source.parts))
        if common < agreement or parts[-common:] != source.parts[-common:]:
            continue
        best = [*best, source] if common == agreement else [source]
        agreement = common
    if len(best) > 1:
        raise UserError(
            f"{path}: both {best[0]} and {best[1]} may be the source {name} of a clip; "
            "keep the labels of one of them"
        )
    return best[0] if best else None


def _into_window(points: np.ndarray, clip: Clip, size: int) -> np.ndarray:
    """From pixels of the source to pixels of the clip's frame."""
    if clip.window is None:
        return points
    x, y, side = clip.window
    return ((points - np.array([x, y], np.float32)) * (size / side) - 0.5).astype(np.float32)
