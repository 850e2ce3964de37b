"""Score a lifting network: joints in space from true and from detected 2D joints.

Beside it stands a body of constant depth: the 2D joints themselves, at the depth of the pelvis, in
the scale that fits the truth best. It knows the scale, which the network has to guess.

Beside the distances stands the error of the angles that elbows and knees are bent by, in degrees,
which no turn, move or scale changes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from fastpose.data.bodies import ClipBodies, MotionBodies, read_bodies
from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError
from fastpose.evaluation.cases import Given
from fastpose.evaluation.metrics.angles import bend_errors, known_bends
from fastpose.evaluation.metrics.distances import frame_means, mean_over_frames
from fastpose.evaluation.metrics.positions3d import align, mean_position_error
from fastpose.evaluation.predictions import said_by_clips
from fastpose.evaluation.protocols.declare import MPJPE, N_MPJPE, P_MPJPE
from fastpose.files import explained, pretty_json, replace_file
from fastpose.models.lifting import Lifter, LiftingConfig
from fastpose.recipes.lifting import BODIES
from fastpose.skeletons import Skeleton
from fastpose.training.checkpoint import describe, load_model
from fastpose.training.run_config import RunConfig, find_run
from fastpose.training.run_sources import detect_bodies

REPORT = "report.json"
_MEASURES = (MPJPE, N_MPJPE, P_MPJPE)


@dataclass(frozen=True)
class Row:
    """Errors of one method on one source of 2D joints.

    Attributes:
        source: of the 2D joints.
        method: what lifted them.
        frames: how many.
        mpjpe, n_mpjpe, p_mpjpe: millimetres, see ``metrics.positions3d``.
        bend: degrees, mean absolute error of the bends of elbows and knees in space, averaged over
            the joints and then over frames; None where the skeleton has neither.
    """

    source: str
    method: str
    frames: int
    mpjpe: float
    n_mpjpe: float
    p_mpjpe: float
    bend: float | None


def is_lifting(model: str | os.PathLike[str]) -> bool:
    """Whether ``model`` is a run or checkpoint of a lifting recipe."""
    run = find_run(model)
    if run is not None:
        return isinstance(RunConfig.load(run).recipe.model, LiftingConfig)
    # A checkpoint that was moved out of its run.
    folder = Path(model)
    return folder.is_dir() and describe(folder).config["recipe"].get("system") == "lifting"


def constant_depth(points: np.ndarray, positions: np.ndarray, root: int) -> np.ndarray:
    """(N,K,3) bodies without depth: 2D joints from the pelvis, scaled to fit the truth best.

    Args:
        points: (N,K,2), any unit.
        positions: (N,K,3), metres from the pelvis.
        root: index of the pelvis.
    """
    flat = np.pad(points, ((0, 0), (0, 0), (0, 1)))
    return align(flat, positions, "scale", root=root)[0]


def score(source: str, bodies: ClipBodies, lifter: Lifter) -> list[Row]:
    """The network and the body of constant depth on one source."""
    root = lifter.root
    lifted = _lifted(bodies, lifter)
    flat = constant_depth(bodies.points, bodies.positions, root)
    rows = []
    for method, predicted in (("lifting", lifted), ("constant depth", flat)):
        errors = []
        for m in _MEASURES:
            assert m.alignment is not None
            error = mean_position_error(predicted, bodies.positions, m.alignment, root=root)
            errors.append(m.factor * error)
        bend = _bend_error(predicted, bodies.positions, lifter.skeleton)
        rows.append(Row(source, method, len(bodies), *errors, bend=bend))
    return rows


def _bend_error(predicted: np.ndarray, truth: np.ndarray, skeleton: Skeleton) -> float | None:
    bends = known_bends(skeleton.joints)
    if not bends:
        return None
    mean = mean_over_frames(frame_means(bend_errors(predicted, truth, skeleton, bends=bends)))
    return None if np.isnan(mean) else mean


def evaluate_lifting(
    run: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    prior: Sequence[str | os.PathLike[str]] = (),
    detector: str | os.PathLike[str] | None = None,
    poses: int = 4096,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
) -> list[Row]:
    """Score a lifting run on held-out bodies.

    Args:
        run: a run or checkpoint of a lifting recipe.
        data: clips that carry joints in space.
        prior: motion capture that the run did not learn from.
        detector: a run of a detector; the clips are scored with its 2D joints too.
        poses: how many views of ``prior`` are drawn.
        seed: of those.
        out: folder for report.json; None writes nothing.

    Raises:
        UserError: no lifting run, nothing to score on, or something that cannot be read.
    """
    lifter = _load(run)
    if data is None and not prior:
        raise UserError(f"{run}: nothing to score on; give --data, --prior or both")
    if detector is not None and data is None:
        raise UserError("--detector: detects in clips; give --data too")
    rows = []
    if prior:
        drawn = MotionBodies(PosePrior.from_path(prior, lifter.skeleton, BODIES))
        points, positions = drawn.sample(poses, np.random.default_rng(seed))
        bodies = ClipBodies(points, positions, np.zeros(poses, np.int64), np.arange(poses))
        rows += score("motion capture, true 2D", bodies, lifter)
    if data is not None:
        store = ClipStore.open(data)
        rows += score("clips, true 2D", read_bodies(store, lifter.skeleton), lifter)
        if detector is not None:
            found = detect_bodies(store, lifter.skeleton, str(detector))
            rows += score("clips, detected 2D", found, lifter)
    if out is not None:
        folder = Path(out)
        described = {
            "run": str(run),
            "data": None if data is None else str(data),
            "prior": [str(path) for path in prior],
            "detector": None if detector is None else str(detector),
            "unit": "mm",
            "bend_unit": "degrees",
            "rows": [asdict(row) for row in rows],
        }
        with explained(folder, "the evaluation"):
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / REPORT, pretty_json(described))
    return rows


def lift_clips(
    run: str | os.PathLike[str],
    data: str | os.PathLike[str],
    detector: str | os.PathLike[str] | None = None,
) -> Given:
    """What a lifting run makes of clips that carry joints in space, for a protocol to score.

    Args:
        run: a run or checkpoint of a lifting recipe.
        data: such clips.
        detector: a run of a detector whose 2D joints are lifted; None lifts the clips' own.

    Raises:
        UserError: no lifting run, or clips without joints in space.
    """
    lifter, store = _load(run), ClipStore.open(data)
    if detector is None:
        bodies, how = read_bodies(store, lifter.skeleton), "the clips' own 2D joints"
    else:
        bodies = detect_bodies(store, lifter.skeleton, str(detector))
        how = f"the 2D joints that {detector} finds"
    notes = [f"lifted from {how}"]
    lost = sum(len(c) for c in store.clips if c.keypoints3d is not None) - len(bodies)
    if lost:
        notes.append(f"{lost} frames of clips in space that lack a joint are left out")
    joints = lifter.skeleton.joints
    return Given(
        predicted=_lifted(bodies, lifter).astype(np.float64),
        predicted_joints=joints,
        truth=bodies.positions.astype(np.float64),
        truth_joints=joints,
        visible=np.ones(bodies.positions.shape[:2], bool),
        side=None,
        head=None,
        box=None,
        source_scale=None,
        label=str(data),
        notes=tuple(notes),
        **said_by_clips([store.clips[i] for i in bodies.clip], bodies.frame),
    )


def _load(run: str | os.PathLike[str]) -> Lifter:
    lifter = load_model(Path(run))
    if not isinstance(lifter, Lifter):
        raise UserError(f"{run}: is a {type(lifter).__name__}, not a lifting network")
    return lifter


def _lifted(bodies: ClipBodies, lifter: Lifter) -> np.ndarray:
    # `lift` takes pixels; of a picture of 3 pixels, so that normalised is pixel - 1.
    return lifter.lift(bodies.points + 1.0, 3)


def table(rows: Sequence[Row]) -> Table:
    """The rows, for people."""
    out = Table(box=None, pad_edge=False)
    for heading in ("2D joints", "method"):
        out.add_column(heading)
    errors = (*(f"{m.name} ({m.unit})" for m in _MEASURES), "bend error (degrees)")
    for heading in ("frames", *errors):
        out.add_column(heading, justify="right")
    for row in rows:
        numbers = (row.mpjpe, row.n_mpjpe, row.p_mpjpe, row.bend)
        errors = ("-" if e is None else f"{e:.1f}" for e in numbers)
        out.add_row(row.source, row.method, str(row.frames), *errors)
    return out
