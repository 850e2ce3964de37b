"""Unpaired poses: a bag of 3D or 2D poses seen through random cameras, framed like the clips."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from fastpose.data.camera import camera_positions, project, pull_inside, roll_points
from fastpose.data.framing import frame_boxes, frame_points, mirror_bodies
from fastpose.data.motion_capture import Motion, read_motions
from fastpose.data.pose_bank import BONE_GROUPS, PoseBank, build_bank, draw_weighted, recombine
from fastpose.data.pose_points import PointBank, join_banks, make_point_bank, read_points
from fastpose.data.prior_config import PriorConfig
from fastpose.data.prior_table import FittedTable
from fastpose.errors import UserError
from fastpose.skeletons import Skeleton, conversion_matrix, get_skeleton

# Bodies (n,J,3), and yaw, pitch and roll (n,): the arguments of `camera_positions`.
_View = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class PosePrior:
    """Draws poses (n,K,2) in normalised crop coordinates; all randomness comes from the caller's.

    Make one with :meth:`from_path`, :meth:`from_motions`, :meth:`from_poses3d` or
    :meth:`from_points2d`.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        config: PriorConfig,
        bank: PoseBank | PointBank,
        actions: frozenset[str] = frozenset(),
    ) -> None:
        if config.framing == "given" and (isinstance(bank, PoseBank) or bank.placed is None):
            raise UserError(
                "prior.framing: 'given' needs 2D labels with the size of their crops, as "
                "'prepare --poses-only' writes them; use 'box'"
            )
        self.skeleton, self.config, self.bank = skeleton, config, bank
        self.actions = actions  # of the recordings, or their names where they have none
        source = get_skeleton("mocap19") if isinstance(bank, PoseBank) else bank.skeleton
        self._source = source
        self._to_skeleton = conversion_matrix(source, skeleton)
        self._chains = _limb_chains(source)
        self._mirror = list(source.mirror)
        self._table: FittedTable | None = None
        self._mean: np.ndarray | None = None
        if config.framing == "fitted":
            if not isinstance(bank, PoseBank):
                raise UserError("prior.framing: 'fitted' needs 3D poses; use 'box' for 2D points")
            self._table = FittedTable.load(config.fit)

    @classmethod
    def from_path(
        cls,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        skeleton: Skeleton,
        config: PriorConfig | None = None,
    ) -> PosePrior:
        """Read motion capture (see ``motion_capture``) or 2D labels (see ``pose_points``).

        Args:
            paths: a file, a folder, or several; all of one kind.
            skeleton: the joints to give.
            config: see :class:`PriorConfig`.

        Raises:
            UserError: nothing readable, NaN, wrong joints, or no pose left.
        """
        config = config or PriorConfig()
        paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        found = [read_points(path) for path in paths]
        banks = [bank for bank in found if bank is not None]
        if banks:
            if len(banks) < len(found):
                motion = paths[found.index(None)]
                raise UserError(f"{motion}: holds no 2D labels, the others do; give one kind only")
            bank = join_banks(banks).balanced(config.balance)
            if config.poses:
                rng = np.random.default_rng(config.poses_seed)
                bank = bank.take(draw_weighted(bank.weights, config.poses, rng))
            return cls(skeleton, _box_framing(config), bank)
        return cls.from_motions(read_motions(paths), skeleton, config)

    @classmethod
    def from_motions(
        cls, motions: list[Motion], skeleton: Skeleton, config: PriorConfig | None = None
    ) -> PosePrior:
        """A prior from recordings; UserError where the config leaves none of them."""
        config = config or PriorConfig()
        kept = [m for m in motions if _wanted(m, config)]
        if not kept:
            actions = sorted({m.action or m.name for m in motions})
            raise UserError(
                f"prior.actions: none of the {len(motions)} recordings matches "
                f"{config.actions or 'anything'}; they are {', '.join(actions[:12])}"
            )
        bank = build_bank(
            kept,
            thinning=config.thinning,
            balance=config.balance,
            bone_normalisation=config.bone_normalisation,
            max_tilt=config.max_tilt,
        )
        if config.poses:
            bank = bank.take(bank.draw(config.poses, np.random.default_rng(config.poses_seed)))
        return cls(skeleton, config, bank, frozenset(m.action or m.name for m in kept))

    @classmethod
    def from_poses3d(
        cls, positions: np.ndarray, skeleton: Skeleton, config: PriorConfig | None = None
    ) -> PosePrior:
        """A prior from one array of 3D poses (N,19,3), metres, y up, joints of ``mocap19``."""
        motion = Motion(np.asarray(positions, np.float32), 30.0, "poses", source="array")
        return cls.from_motions([motion], skeleton, config)

    @classmethod
    def from_points2d(
        cls,
        points: np.ndarray,
        skeleton: Skeleton,
        config: PriorConfig | None = None,
    ) -> PosePrior:
        """A prior from 2D poses (N,K,2) of ``skeleton``'s joints, in any unit, y down."""
        config = _box_framing(config or PriorConfig())
        return cls(skeleton, config, make_point_bank(points, skeleton, "array"))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw ``n`` poses: (n,K,2) float32, normalised, x right, y down."""
        points, _ = self.sample_source(n, rng)
        if self.config.outside_limit > 0.0:
            points = pull_inside(points, self._chains, self.config.outside_limit)
        return (self._to_skeleton @ points).astype(np.float32)

    def sample_source(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """As :meth:`sample`, but all joints of the source (mocap19), wherever they lie.

        Returns the points (n,J,2), normalised, and the body heights (n,) as shares of the crop's
        side; None for 2D poses, whose scale is unknown.
        """
        if isinstance(self.bank, PoseBank):
            points, height, _ = self._view3d(self.bank, n, rng)
            return points, height
        return self._sample2d(self.bank, n, rng), None

    def mean_pose(self) -> np.ndarray:
        """(K,2) mean of 4096 poses drawn with a fixed seed."""
        if self._mean is None:
            self._mean = np.mean(self.sample(4096, np.random.default_rng(0)), axis=0)
        return np.array(self._mean)

    def describe(self) -> dict[str, object]:
        """How many poses of how many recordings there are, for logs."""
        bank = self.bank
        recordings = bank.recordings
        return {
            "poses": len(bank.weights),
            "recordings": recordings,
            "framing": self.config.framing,
        }

    def sample_bodies(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``n`` poses as :meth:`sample_source` does, and what they are in space.

        Returns:
            (n,K,2) float32 normalised points, wherever they lie, and (n,K,3) float32 positions in
            body heights from the pelvis: x right, y down, z away from the camera.

        Raises:
            UserError: the poses are 2D.
        """
        if not isinstance(self.bank, PoseBank):
            raise UserError("prior: bodies in space need 3D poses, these are 2D labels")
        points, _, view = self._view3d(self.bank, n, rng)
        positions, convert = camera_positions(*view), self._to_skeleton
        return (convert @ points).astype(np.float32), (convert @ positions).astype(np.float32)

    def _view3d(
        self, bank: PoseBank, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, _View]:
        """Points (n,J,2), body heights (n,), and the bodies with the angles they are seen from."""
        config, table = self.config, self._table
        poses = recombine(bank.take(bank.draw(n, rng)), config.recombination, rng, bank)
        yaw, mirror = draw_yaw(config, n, rng), (rng.random(n) < 0.5) & config.mirror
        if table is not None:
            row = table.draw(n, rng)
            taken = rng.random(n) < config.fit_share
            poses = poses.replaced(taken, table.bank.take(table.pose[row]))
            mirror = np.where(taken, table.mirrored[row], mirror)
            yaw = table.yaw[row] + config.fit_yaw_sd * rng.standard_normal(n)
            height, ground, centre = table.place(row, config.fit_scale_sd, config.fit_shift_sd, rng)
        else:
            height, ground, centre = _standing_place(config, n, rng)
        jitter = np.exp(config.bone_jitter * rng.standard_normal((n, len(BONE_GROUPS))))
        joints = mirror_bodies(poses.positions(jitter.astype(np.float32)), mirror, self._mirror)
        pitch = config.pitch_mean + config.pitch_sd * rng.standard_normal(n)
        roll = config.roll_sd * rng.standard_normal(n)
        points = project(joints, yaw, pitch, roll, rng.uniform(*config.distance, n))
        view = joints, yaw, pitch, roll
        if config.framing == "box":
            size = np.maximum(np.ptp(points, axis=1).max(axis=-1), 1e-6)  # in body heights
            points = frame_boxes(points, height, centre, rng.normal(0.5, config.centre_sd, n))
            return points, height / size, view
        return frame_points(points, height, ground, centre), height, view

    def _sample2d(self, bank: PointBank, n: int, rng: np.random.Generator) -> np.ndarray:
        config = self.config
        mirror = (rng.random(n) < 0.5) & config.mirror
        drawn = draw_weighted(bank.weights, n, rng)
        given = bank.placed if config.framing == "given" else None
        points = mirror_bodies(
            (bank.points if given is None else given)[drawn], mirror, self._mirror
        )
        middle = 0.5 * (points.min(axis=1) + points.max(axis=1))[:, None]
        points = roll_points(points - middle, config.roll_sd * rng.standard_normal(n))
        if config.aspect_sd:
            points = points * _stretch(config.aspect_sd * rng.standard_normal(n))
        if given is not None:
            zoom = np.exp(config.height_sd * rng.standard_normal(n))[:, None, None]
            shift = 2.0 * config.centre_sd * rng.standard_normal((n, 1, 2))
            return points * zoom + middle + shift
        height = np.maximum(rng.normal(config.height, config.height_sd, n), 0.05)
        across = rng.normal(config.centre, config.centre_sd, n)
        return frame_boxes(points, height, across, rng.normal(0.5, config.centre_sd, n))


def _stretch(aspect: np.ndarray) -> np.ndarray:
    """(n,1,2) factors that change width over height by exp(``aspect``) and keep the area."""
    return np.exp(np.stack([0.5 * aspect, -0.5 * aspect], axis=-1))[:, None]


def draw_yaw(config: PriorConfig, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) degrees: the mixture of front, sides and anywhere."""
    kind, spread = rng.random(n), config.yaw_spread * rng.standard_normal(n)
    side = np.where(rng.random(n) < 0.5, 90.0, -90.0)
    anywhere = rng.uniform(-180.0, 180.0, n)
    sided = config.frontal_share + config.side_share
    yaw = np.where(kind < sided, side + spread, anywhere)
    return np.where(kind < config.frontal_share, spread, yaw)


def _standing_place(
    config: PriorConfig, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height, ground and centre (n,) for ``framing="standing"`` and ``"box"``."""
    cut = rng.random(n) < config.cut_share
    mean = np.where(cut, config.cut_height, config.height)
    spread = np.where(cut, config.cut_height_sd, config.height_sd)
    height = np.maximum(mean + spread * rng.standard_normal(n), 0.05)
    ground = rng.normal(config.top, config.top_sd, n) + height
    return height, ground, rng.normal(config.centre, config.centre_sd, n)


def _box_framing(config: PriorConfig) -> PriorConfig:
    """2D poses have no ground to stand on, so the default framing becomes the box."""
    return replace(config, framing="box") if config.framing == "standing" else config


def _wanted(motion: Motion, config: PriorConfig) -> bool:
    text = f"{motion.action} {motion.name}".lower()
    if any(word.lower() in text for word in config.exclude_actions):
        return False
    return not config.actions or any(word.lower() in text for word in config.actions)


_LIMB_ORDER = (
    ("thorax", "pelvis"), ("spine", "pelvis"), ("head", "thorax"), ("head_top", "head"),
    ("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"), ("toe", "ankle"),
)  # fmt: skip


def _limb_chains(skeleton: Skeleton) -> np.ndarray:
    """(m,2) joints of ``skeleton`` with the joint that holds each, from the trunk outwards."""
    joints, chains = list(skeleton.joints), []
    for joint, before in _LIMB_ORDER:
        for side in ("", "l_", "r_"):
            if side + joint in joints and side + before in joints:
                chains.append((joints.index(side + joint), joints.index(side + before)))
    return np.array(chains, np.int64).reshape(-1, 2)
