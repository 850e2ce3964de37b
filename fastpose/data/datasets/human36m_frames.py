"""Human3.6M as pictures and joints, as the tool h36m-fetch extracts them.

::

    ROOT/S1/Directions-1/annot.h5
    ROOT/S1/Directions-1/imageSequence/54138969/img_000001.jpg ...

``annot.h5`` has one row for each picture of each camera: ``pose/2d`` (M,32,2) pixels, ``pose/3d``
(M,32,3) mm in camera space, ``frame`` (M,) numbers counted from 1, ``camera`` (M,). Layout from the
code of anibali/h36m-fetch (process_all.py); early versions wrote ``pose/3d-univ`` only, whose
skeleton is that of one subject, and are read without 3D. The tool has already left frames out, so
all of its pictures are taken. Subjects as in :mod:`fastpose.data.datasets.human36m`; boxes follow
from the joints. An item is an activity of a subject; how many pictures come out depends on the
tool's version.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from fastpose.data.datasets import base, human36m
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.matlab import open_hdf5
from fastpose.data.datasets.pictures import read_pictures
from fastpose.data.datasets.views import fit_intrinsics
from fastpose.errors import UserError
from fastpose.files import listed
from fastpose.media.images import image_size

_FPS = 50.0


class Reader(base.Reader):
    """See the module."""

    title = "Human3.6M pictures"
    skeleton = human36m.Reader.skeleton
    counts: ClassVar = {"train": 150, "test": 60}
    unit = "activities"

    def items(self, split: str) -> list[str]:
        found = []
        for subject in self.parts(human36m.SUBJECTS[split], "{}"):
            files = listed(self.root / subject, "*/annot.h5")
            found += [self.inside(path.parent) for path in files]
        return found

    def read(self, item: str) -> Iterable[Recording]:
        subject, _, sequence = item.partition("/")
        path = self.root / item / "annot.h5"
        with open_hdf5(path) as file:
            names = ("pose/2d", "frame", "camera")
            lost = [name for name in names if name not in file]
            if lost:
                raise UserError(f"{path}: has no {', '.join(lost)}; extract it again")
            flat, numbers, cameras = (np.asarray(file[name]) for name in names)
            deep = np.asarray(file["pose/3d"]) if "pose/3d" in file else None
        if (
            flat.ndim != 3
            or flat.shape[1:] != (32, 2)
            or not len(flat) == len(numbers) == len(cameras)
        ):
            raise UserError(f"{path}: pose/2d, frame and camera do not fit; extract it again")
        for camera in np.unique(cameras):
            rows = np.flatnonzero(cameras == camera)
            rows = rows[np.argsort(numbers[rows])]
            yield self._recording(
                subject,
                sequence,
                str(camera),
                numbers[rows],
                flat[rows],
                None if deep is None else deep[rows],
            )

    def _recording(
        self,
        subject: str,
        sequence: str,
        camera: str,
        numbers: np.ndarray,
        points: np.ndarray,
        deep: np.ndarray | None,
    ) -> Recording:
        folder = self.root / subject / sequence / "imageSequence" / camera
        files = [folder / f"img_{number:06d}.jpg" for number in numbers]
        lost = [file for file in files if not file.is_file()]
        if lost:
            raise UserError(
                f"{folder}: lacks {lost[0].name} and {len(lost) - 1} more of the {len(files)} "
                "pictures that annot.h5 labels; extract it again"
            )
        step = int(np.median(np.diff(numbers))) if len(numbers) > 1 else 1
        more: dict[str, Any] = {}
        if deep is not None:
            flat, solid = points.reshape(-1, 2), deep.reshape(-1, 3).astype(np.float64)
            more = {"keypoints3d": deep / 1000.0, "intrinsics": fit_intrinsics(flat, solid)}
        return Recording(
            name=f"{subject}_{sequence}.{camera}",
            source=self.inside(folder),
            size=image_size(files[0]),
            numbers=[int(number) for number in numbers],
            images=lambda: read_pictures(files),
            fps=_FPS / max(step, 1),
            activity=human36m.activity_of(sequence),
            actor=subject,
            group=f"{subject}/{sequence}",
            view=camera,
            keypoints=points,
            boxes=base.grown(base.boxes_of_points(points), 0.1),
            **more,
        )
