"""2D poses without pictures, read from label files.

*.npz    ``keypoints`` (N,K,2), or (N,K,3) with a score; ``joint_names`` (K,); optional
         ``visible`` (N,K); from ``prepare --poses-only`` also ``size``, the side of the crops,
         and ``dataset``, ``source`` (N,), ``source_frame`` (N,), where each pose comes from
*.json   COCO keypoints: people's ``keypoints`` x, y, v
*.csv    a row a pose, columns ``<joint>_x`` and ``<joint>_y``; empty or both 0: no label
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fastpose.data.datasets.coco import keypoints_of, read_keypoints
from fastpose.data.motion_capture.npz import load_arrays
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton


@dataclass(frozen=True)
class Origin:
    """Where each of N poses comes from; of a file that does not say, empty names and frame -1.

    Attributes:
        dataset: (N,) name of the data set.
        source: (N,) file or folder inside it.
        frame: (N,) number of the frame in there.
    """

    dataset: np.ndarray
    source: np.ndarray
    frame: np.ndarray

    @classmethod
    def unknown(cls, count: int) -> Origin:
        """Of ``count`` poses that nobody knows the frames of."""
        return cls(np.full(count, ""), np.full(count, ""), np.full(count, -1))

    @property
    def known(self) -> np.ndarray:
        """(N,) bool."""
        return self.dataset != ""

    def take(self, index: np.ndarray) -> Origin:
        """Of the poses ``index`` (n,)."""
        return Origin(self.dataset[index], self.source[index], self.frame[index])

    def recording(self) -> np.ndarray:
        """(N,) numbers that tell the sources apart; poses of unknown origin are of one."""
        names = np.char.add(np.char.add(self.dataset, "\n"), self.source)
        return np.unique(names, return_inverse=True)[1]


@dataclass(frozen=True)
class PointBank:
    """N 2D poses.

    Attributes:
        points: (N,K,2) longer box side 1, box centred at 0.
        weights: (N,) how often each is drawn; they sum to one.
        skeleton: Names the joints.
        placed: (N,K,2) the same poses where they lie in their crops, normalised; None where the
            crops are not known.
        origin: Which frames they are of, as far as that is known.
    """

    points: np.ndarray
    weights: np.ndarray
    skeleton: Skeleton
    placed: np.ndarray | None = None
    origin: Origin | None = None

    @property
    def recordings(self) -> int:
        """How many recordings the poses come from, 1 where that is not known."""
        return 1 if self.origin is None else int(self.origin.recording().max()) + 1

    def take(self, index: np.ndarray) -> PointBank:
        """The poses ``index`` (n,), all equally likely."""
        origin = None if self.origin is None else self.origin.take(index)
        placed = None if self.placed is None else self.placed[index]
        weights = np.full(len(index), 1.0 / max(len(index), 1))
        return PointBank(self.points[index], weights, self.skeleton, placed, origin)

    def balanced(self, balance: str) -> PointBank:
        """All sources equally likely where ``balance`` is "clip" and all of them are known."""
        if balance != "clip" or self.origin is None or not self.origin.known.all():
            return self
        group = self.origin.recording()
        weights = 1.0 / np.bincount(group)[group]
        return replace(self, weights=weights / weights.sum())


def read_points(path: str | os.PathLike[str]) -> PointBank | None:
    """The 2D poses of a file, see the module; poses with an unseen joint are left out.

    None where the file is of another kind, such as motion capture.

    Raises:
        UserError: Damaged, wrong shapes, unpaired joint names, or no complete pose.
    """
    path = Path(path)
    if not path.is_file():
        return None
    kind = path.suffix.lower()
    if kind == ".json":
        return _from_coco(path)
    if kind == ".csv":
        return _from_csv(path)
    return _from_npz(path) if kind == ".npz" else None


def _from_npz(path: Path) -> PointBank | None:
    data = load_arrays(path)
    if "keypoints" not in data:
        return None
    if "joint_names" not in data:
        raise UserError(f"{path}: 'keypoints' needs 'joint_names' (K,) beside it")
    names = [str(n) for n in data["joint_names"]]
    points = np.asarray(data["keypoints"], np.float32)
    if points.ndim != 3 or points.shape[1] != len(names) or points.shape[2] not in (2, 3):
        raise UserError(
            f"{path}: keypoints must be (N,{len(names)},2) for its joint names, not {points.shape}"
        )
    visible = data.get("visible")
    seen = np.ones(points.shape[:2], bool) if visible is None else np.asarray(visible, bool)
    if seen.shape != points.shape[:2]:
        raise UserError(f"{path}: visible must be {points.shape[:2]}, not {seen.shape}")
    if points.shape[2] == 3:  # the third column is a score
        seen = seen & (points[..., 2] > 0.4)
    origin = None
    if {"dataset", "source", "source_frame"} <= set(data):
        source, frame = np.asarray(data["source"]).astype(str), np.asarray(data["source_frame"])
        if not source.shape == frame.shape == (len(points),):
            raise UserError(f"{path}: source and source_frame must be ({len(points)},)")
        origin = Origin(np.full(len(points), str(data["dataset"])), source, frame)
    size = int(data["size"]) if "size" in data else None
    return _complete(path, points[..., :2], seen, names, size, origin)


def _from_coco(path: Path) -> PointBank:
    _, people, names = read_keypoints(path)
    rows = [keypoints_of(person, path) for group in people.values() for person in group]
    rows = [row for row in rows if row[0].shape == (len(names), 2)]
    if not rows:
        raise UserError(f"{path}: labels nobody with the {len(names)} joints it names")
    points = np.stack([points for points, _ in rows]).astype(np.float32)
    return _complete(path, points, np.stack([seen for _, seen in rows]), names)


def _from_csv(path: Path) -> PointBank:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or [])
            names = [c[:-2] for c in columns if c.endswith("_x") and f"{c[:-2]}_y" in columns]
            if not names:
                raise UserError(
                    f"{path}: has no columns <joint>_x and <joint>_y; name the joints so"
                )
            points = [
                [[float(row[f"{n}_{axis}"] or 0) for axis in "xy"] for n in names] for row in reader
            ]
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: is not a CSV of joints ({str(error)[:60]})") from None
    array = np.array(points, np.float32).reshape(-1, len(names), 2)
    return _complete(path, array, (array != 0).any(axis=-1), names)


def _complete(
    path: Path,
    points: np.ndarray,
    seen: np.ndarray,
    names: list[str],
    size: int | None = None,
    origin: Origin | None = None,
) -> PointBank:
    complete = np.flatnonzero(seen.all(axis=1))
    if not len(complete):
        raise UserError(f"{path}: every pose has an unseen joint; give poses with all joints seen")
    bank = make_point_bank(points[complete], named_joints(names, path), str(path))
    # A pose whose joints all lie on one point is dropped there, too.
    spread = np.ptp(points[complete], axis=1).max(axis=-1) > 0
    complete = complete[spread]
    if size is not None:
        if size < 2:
            raise UserError(f"{path}: size must be the side of the crops in pixels, not {size}")
        bank = replace(bank, placed=points[complete] * (2.0 / (size - 1)) - 1.0)
    return replace(bank, origin=None if origin is None else origin.take(complete))


def join_banks(banks: Sequence[PointBank]) -> PointBank:
    """All poses of several files; UserError where their joints differ.

    Each file keeps its share by the number of its poses. Places are kept where all have them,
    origins of those that have one.
    """
    first = banks[0]
    if len(banks) == 1:
        return first
    for bank in banks[1:]:
        if bank.skeleton.joints != first.skeleton.joints:
            raise UserError(
                f"{bank.skeleton.name}: its joints are not those of {first.skeleton.name}; give "
                "files with the same joints"
            )
    points = np.concatenate([bank.points for bank in banks])
    placed = [bank.placed for bank in banks if bank.placed is not None]
    origin = None
    if any(bank.origin is not None for bank in banks):
        origins = [bank.origin or Origin.unknown(len(bank.points)) for bank in banks]
        columns = zip(*((o.dataset, o.source, o.frame) for o in origins), strict=True)
        origin = Origin(*(np.concatenate(column) for column in columns))
    return PointBank(
        points,
        np.full(len(points), 1.0 / len(points)),
        first.skeleton,
        np.concatenate(placed) if len(placed) == len(banks) else None,
        origin,
    )


def named_joints(names: list[str], path: str | os.PathLike[str]) -> Skeleton:
    """A skeleton without limbs for the joints of a label file (``left_hand`` reads ``l_hand``)."""
    short = [n.replace("left_", "l_").replace("right_", "r_") for n in names]
    other = {"l_": "r_", "r_": "l_"}
    opposite = [other.get(n[:2], n[:2]) + n[2:] for n in short]
    lost = [o for o in opposite if o not in short]
    if lost or len(set(short)) != len(short):
        raise UserError(
            f"{path}: joint names must be unique and in pairs; {', '.join(lost)} missing"
        )
    mirror = tuple(short.index(o) for o in opposite)
    return Skeleton(Path(path).stem, tuple(short), (), mirror, ())


def make_point_bank(points: np.ndarray, skeleton: Skeleton, name: str) -> PointBank:
    """Scale and centre each of ``points`` (N,K,2); UserError on NaN, on none, on wrong shapes."""
    points = np.asarray(points, np.float32)
    joints = len(skeleton.joints)
    if points.ndim != 3 or points.shape[1:] != (joints, 2) or not len(points):
        raise UserError(f"{name}: points must be (N>0,{joints},2), not {points.shape}")
    bad = ~np.isfinite(points).all(axis=(1, 2))
    if bad.any():
        raise UserError(f"{name}: pose {int(np.argmax(bad))} holds NaN; leave such poses out")
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    size = (high - low).max(axis=-1, keepdims=True)
    good = size[:, 0, 0] > 0
    if not good.any():
        raise UserError(f"{name}: all joints of every pose lie on one point")
    centred = ((points - 0.5 * (low + high)) / np.where(size > 0, size, 1.0))[good]
    return PointBank(centred, np.full(len(centred), 1.0 / len(centred)), skeleton)
