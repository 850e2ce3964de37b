"""The table that ``fit_prior`` writes: which pose, seen from where, lies where in the crop."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastpose.data.motion_capture.npz import load_arrays, save_arrays
from fastpose.data.pose_bank import PoseBank, draw_weighted
from fastpose.errors import UserError

FORMAT = "fastpose-prior-fit-1"
_ROWS = ("weight", "pose", "yaw", "mirrored", "height", "ground", "centre")


@dataclass(frozen=True)
class FittedTable:
    """R rows, each a pose with its view and its place in the crop; it holds its poses itself.

    Args:
        bank: the poses.
        weight: (R,) float64, sums to one.
        pose: (R,) index into the bank.
        yaw: (R,) degrees.
        mirrored: (R,) bool, left and right exchanged.
        height: (R,) body height as a share of the crop's side.
        ground: (R,) the ground from the top (0) to the bottom (1) of the crop; over 1 when cut.
        centre: (R,) the pelvis from left (0) to right (1).
    """

    bank: PoseBank
    weight: np.ndarray
    pose: np.ndarray
    yaw: np.ndarray
    mirrored: np.ndarray
    height: np.ndarray
    ground: np.ndarray
    centre: np.ndarray

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Row numbers (n,), drawn by weight."""
        return draw_weighted(self.weight, n, rng)

    def place(
        self, row: np.ndarray, scale_sd: float, shift_sd: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Height, ground and centre (n,) of the rows, with a random spread around them.

        The scale varies about the upper body, so that a larger person's head stays in its place.
        """
        grow = np.exp(scale_sd * rng.standard_normal(len(row)))
        shift = shift_sd * rng.standard_normal((2, len(row)))
        height = self.height[row]
        ground = self.ground[row] + 0.7 * height * (grow - 1.0) + shift[0]
        return height * grow, ground, self.centre[row] + shift[1]

    def save(self, path: str | os.PathLike[str], report: dict[str, object]) -> None:
        """Write the table as npz, complete or not at all."""
        path = Path(path)
        used, pose = np.unique(self.pose, return_inverse=True)
        arrays = {
            "format": np.array(FORMAT),
            "report": np.array(json.dumps(report)),
            "bones": self.bank.bones[used].astype(np.float32),
            "root_height": self.bank.root_height[used].astype(np.float32),
            "recordings": np.array(self.bank.recordings),
            "weight": self.weight,
            "pose": pose.astype(np.int32),
            "mirrored": self.mirrored,
            **{c: getattr(self, c).astype(np.float32) for c in ("yaw", *_ROWS[4:])},
        }
        try:
            save_arrays(path, arrays)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FittedTable:
        """Read a table; UserError where the file is missing, damaged or of another kind."""
        data = load_arrays(path, "a table that 'fastpose view prior --fit' wrote")
        keys = ("bones", "root_height", *_ROWS)
        if str(data.get("format", "")) != FORMAT or any(c not in data for c in keys):
            raise UserError(
                f"{path}: is no fitted prior; make one with 'fastpose view prior --fit'"
            )
        rows, poses = len(data["weight"]), len(data["bones"])
        weight, pose = data["weight"].astype(np.float64), data["pose"].astype(np.int64)
        numbers = (data[c] for c in ("bones", "root_height", "yaw", *_ROWS[4:]))
        if (
            not rows
            or any(data[c].shape != (rows,) for c in _ROWS)
            or data["bones"].shape != (poses, 18, 3)
            or data["root_height"].shape != (poses,)
            or pose.min() < 0
            or pose.max() >= poses
            or not all(np.isfinite(a).all() for a in numbers)
            or not (np.isfinite(weight).all() and weight.min() >= 0.0 and weight.sum() > 0.0)
        ):
            raise UserError(f"{path}: its columns do not fit together; fit the prior again")
        bank = PoseBank(
            data["bones"].astype(np.float32),
            data["root_height"].astype(np.float32),
            np.full(poses, 1.0 / poses),
            int(data.get("recordings", np.array(1))),
        )
        columns = (data[c] for c in ("yaw", "mirrored", "height", "ground", "centre"))
        return cls(bank, weight / weight.sum(), pose, *columns)
