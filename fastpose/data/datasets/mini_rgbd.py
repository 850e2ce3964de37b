"""MINI-RGBD: twelve rendered sequences of infants on their backs, 1,000 frames each, 25 joints.

::

    ROOT/01/ ... ROOT/12/
        rgb/syn_00000.png                             640 x 480
        fg_mask/mask_00000.png                        the infant
        joints_2Ddep/syn_joints_2Ddep_00000.txt       25 lines: x y depth number
        joints_3D/syn_joints_3D_00000.txt             25 lines: x y z number

Hesse, Bodensteiner, Arens, Hofmann, Weinberger, Schroeder, "Computer Vision for Medical Infant
Motion Analysis: State of the Art and RGB-D Data Set" (ECCV workshops 2018). File names and joint
order as public readers of the data set have them; that 3D is in metres of the depth camera's space
is assumed. Sequences 1 to 10 are for training, 11 and 12 for testing, as in SHIFT (CVPR 2023
preprint code). Heads point to the bottom of the picture in most of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from fastpose.data.datasets import base
from fastpose.data.datasets.base import Recording
from fastpose.data.datasets.pictures import Numbered, read_masks, read_pictures, same_numbers
from fastpose.errors import UserError
from fastpose.media.images import image_size
from fastpose.skeletons import make_skeleton

_SPLITS = {"train": [f"{i:02d}" for i in range(1, 11)], "test": ["11", "12"]}
_FPS = 30.0  # of the depth camera whose recordings the motion was fitted to (assumed)

# The SMIL body model's 24 joints and the tip of the nose.
SKELETON = make_skeleton(
    "smil25",
    "pelvis l_hip r_hip spine l_knee r_knee spine_2 l_ankle r_ankle spine_3 l_toe r_toe neck "
    "l_clavicle r_clavicle head l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist "
    "l_hand r_hand nose",
    "pelvis-spine spine-spine_2 spine_2-spine_3 spine_3-neck neck-head head-nose pelvis-l_hip "
    "pelvis-r_hip neck-l_clavicle neck-r_clavicle l_clavicle-l_shoulder r_clavicle-r_shoulder "
    "l_shoulder-l_elbow l_elbow-l_wrist l_wrist-l_hand r_shoulder-r_elbow r_elbow-r_wrist "
    "r_wrist-r_hand l_hip-l_knee l_knee-l_ankle l_ankle-l_toe r_hip-r_knee r_knee-r_ankle "
    "r_ankle-r_toe",
)


class Reader(base.Reader):
    """See the module."""

    title = "MINI-RGBD"
    skeleton = SKELETON
    counts: ClassVar = {"train": 10, "test": 2}

    def items(self, split: str) -> list[str]:
        return [name for name in _SPLITS[split] if (self.root / name).is_dir()]

    def read(self, item: str) -> Iterable[Recording]:
        folder = self.root / item
        kinds = (
            Numbered(folder / "rgb", "syn_{:05d}.png"),
            Numbered(folder / "fg_mask", "mask_{:05d}.png"),
            Numbered(folder / "joints_2Ddep", "syn_joints_2Ddep_{:05d}.txt"),
            Numbered(folder / "joints_3D", "syn_joints_3D_{:05d}.txt"),
        )
        numbers = same_numbers(*kinds)
        images, masks, *labels = ([kind[number] for number in numbers] for kind in kinds)
        flat, deep = (_joints(files) for files in labels)
        yield Recording(
            name=f"infant{item}",
            source=f"{item}/rgb",
            size=image_size(images[0]),
            numbers=numbers,
            images=lambda: read_pictures(images),
            fps=_FPS,
            actor=item,
            keypoints=flat[..., :2],
            keypoints3d=deep,
            boxes=base.grown(base.boxes_of_points(flat[..., :2]), 0.08),
            masks=lambda: read_masks(masks),
        )


def _joints(files: Sequence[Path]) -> np.ndarray:
    """(N,25,3) of N files."""
    rows = []
    for file in files:
        try:
            table = [[float(v) for v in line.split()[:3]] for line in file.read_text().splitlines()]
            rows.append(np.array([row for row in table if row], np.float32).reshape(25, 3))
        except (ValueError, OSError) as error:
            raise UserError(
                f"{file}: expected 25 lines of three numbers ({error}); unpack it again"
            ) from None
    return np.stack(rows)
