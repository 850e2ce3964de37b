"""The table that ``fit_prior`` writes: which pose, seen from where, lies where in the crop."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastpose.data.motion_capture.npz import load_arrays
from fastpose.data.pose_bank import PoseBank
from fastpose.errors import UserError

FORMAT = "fastpose-prior-fit-1"
_COLUMNS = ("weight", "motion", "frame", "yaw", "mirrored", "height", "ground", "centre")


@dataclass(frozen=True)
class FittedTable:
    """R rows, each a pose of a bank with its view and its place in the crop.

    Args:
        weight: (R,) float64, sums to one.
        index: (R,) pose in the bank.
        yaw: (R,) degrees.
        mirrored: (R,) bool, left and right exchanged.
        height: (R,) body height as a share of the crop's side.
        ground: (R,) the ground from the top (0) to the bottom (1) of the crop.
        centre: (R,) the pelvis from left (0) to right (1).
    """

    weight: np.ndarray
    index: np.ndarray
    yaw: np.ndarray
    mirrored: np.ndarray
    height: np.ndarray
    ground: np.ndarray
    centre: np.ndarray

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Row numbers (n,), drawn by weight."""
        cumulative = np.cumsum(self.weight)
        place = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], "right")
        return np.minimum(place, len(cumulative) - 1)

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

    def save(self, path: str | os.PathLike[str], bank: PoseBank, report: dict[str, object]) -> None:
        """Write the table as npz, complete or not at all; poses are named by recording and frame."""
        path = Path(path)
        used, motion = np.unique(bank.motion[self.index], return_inverse=True)
        temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}.npz")
        try:
            np.savez_compressed(
                temporary,
                format=np.array(FORMAT),
                report=np.array(json.dumps(report)),
                motion_source=np.array([bank.motions[m][0] for m in used]),
                motion_name=np.array([bank.motions[m][1] for m in used]),
                motion=motion,
                frame=bank.frame[self.index],
                weight=self.weight,
                yaw=self.yaw.astype(np.float32),
                mirrored=self.mirrored,
                height=self.height.astype(np.float32),
                ground=self.ground.astype(np.float32),
                centre=self.centre.astype(np.float32),
            )
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str], bank: PoseBank) -> FittedTable:
        """Read a table and find its poses in ``bank``.

        Raises:
            UserError: not such a table, or made with other poses than the bank's.
        """
        data = load_arrays(path)
        if str(data.get("format", "")) != FORMAT or any(c not in data for c in _COLUMNS):
            raise UserError(f"{path}: is no fitted prior; make it with 'fastpose view prior --fit'")
        rows = len(data["weight"])
        if not rows or any(data[c].shape != (rows,) for c in _COLUMNS):
            raise UserError(f"{path}: its columns do not fit together; fit the prior again")
        keys = {(s, n): m for m, (s, n, _) in enumerate(bank.motions)}
        names = list(zip(data["motion_source"].tolist(), data["motion_name"].tolist(), strict=True))
        place = {
            (int(m), int(f)): i
            for i, (m, f) in enumerate(zip(bank.motion, bank.frame, strict=True))
        }
        index = np.array(
            [
                place.get((keys.get(names[m], -1), f), -1)
                for m, f in zip(data["motion"].tolist(), data["frame"].tolist(), strict=True)
            ]
        )
        lost = int((index < 0).sum())
        if lost:
            raise UserError(
                f"{path}: {lost} of its {rows} rows name poses that this prior lacks; use the prior "
                "paths, actions and thinning it was fitted with, or fit it again"
            )
        weight = data["weight"].astype(np.float64)
        if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
            raise UserError(f"{path}: its weights are no probabilities; fit the prior again")
        return cls(
            weight / weight.sum(),
            index,
            *(data[c] for c in ("yaw", "mirrored", "height", "ground", "centre")),
        )
