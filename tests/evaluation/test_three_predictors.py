"""A perfect, a mean-pose and a mirrored predictor score what one works out by hand, everywhere.

People in pictures of 100 pixels stand upright: left joints at x = 60, right ones at 40, midline
ones at 50, the top joint at y = 10 and the lowest at 90. From frame to frame the whole person moves
by +e and -e pixels along (0.6, 0.8), so the mean label is e away from every label. In frames of the
i-th activity e is i + 1; without activities it is 5. Exchanged sides are 20 pixels away.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from fastpose.evaluation.protocol_report import CONSTANT, FORGIVEN, OURS, ProtocolReport
from fastpose.evaluation.protocol_run import evaluate_protocol
from fastpose.evaluation.protocols import PROTOCOLS, get_protocol
from fastpose.skeletons import Skeleton

FIFTEEN = (
    *("waiting", "posing", "greeting", "directions", "discussion", "walking", "eating", "phoning"),
    *("purchases", "sitting", "sittingdown", "smoking", "photo", "walkdog", "walktogether"),
)
# by heading: what the mean pose and the mirrored pose score; "*" is every other column
IN_PICTURES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    # 26 of 32 joints have a side: 20 x 26 / 32
    "simplified-human36m": (
        {"all": 3.5, "wait": 1, "pose": 2, "greet": 3, "direct": 4, "discuss": 5, "walk": 6},
        {"*": 16.25},
    ),
    # 12 of 17; 4 pixels of the video for one of the picture; squares of 1 to 15 sum up to 1240
    "human36m": (
        {
            "px of the video": 32,
            "% of side": 8,
            "% of side squared": 0.01 * 1240 / 15,
            **{name: 4 * (i + 1) for i, name in enumerate(FIFTEEN)},
        },
        {"*": 80 * 12 / 17, "% of side": 20 * 12 / 17, "% of side squared": 4 * 12 / 17},
    ),
    # 12 of 15; the diagonal of 20 x 80 is 82.5 pixels, 5 % of it 4.1
    "human36m-templates": ({"% of side": 5, "PDJ@0.05": 0}, {"% of side": 16, "PDJ@0.05": 20}),
    # 14 of 18
    "human36m-like": ({"all": 1.5, "walk": 1, "wave": 2}, {"*": 20 * 14 / 18}),
    # 12 of 13; the box is 80 pixels high: 5 pixels are 0.0625 of it, 20 are 0.25
    "penn-action": (
        {"*": 100, "PCK@0.05": 0, "% of side": 5},
        {
            "*": 0,
            "PCK@0.2": 100 / 13,
            "PCK@0.1": 100 / 13,
            "PCK@0.05": 100 / 13,
            "% of side": 20 * 12 / 13,
            "head": 100,
        },
    ),
    "infants": ({"*": 5}, {"*": 20}),
    "weizmann": ({"all": 1.5, "walk": 1, "wave": 2}, {"*": 20}),
    # heads of 12 pixels: half of it is 6, a tenth 1.2; 2 of the 14 joints are on the midline
    "mpii": (
        {"*": 100, "PCKh@0.1": 0},
        {"*": 0, "mean": 200 / 14, "PCKh@0.1": 200 / 14, "head": 100},
    ),
    # eyes are 20 pixels apart; 4 of 5 points have a side
    "mafl": ({"% of eyes": 25}, {"% of eyes": 80}),
}


def _upright(skeleton: Skeleton) -> np.ndarray:
    """(K,2) the person without movement."""
    levels = sorted({joint.removeprefix("l_").removeprefix("r_") for joint in skeleton.joints})
    pose = np.zeros((len(skeleton.joints), 2))
    for i, joint in enumerate(skeleton.joints):
        level = levels.index(joint.removeprefix("l_").removeprefix("r_"))
        x = {"l_": 60.0, "r_": 40.0}.get(joint[:2], 50.0)
        pose[i] = (x, 10 + 80 * level / (len(levels) - 1))
    return pose


def _people(name: str) -> tuple[Skeleton, np.ndarray, np.ndarray, list[str]]:
    """The joints, the mean label, all labels, and the activity of each frame."""
    protocol = get_protocol(name)
    assert protocol.skeleton is not None
    activities = [a.name for a in protocol.activities]
    if protocol.columns_by_activity is not None:
        activities = ["walk", "wave"]
    steps = [(a, i + 1.0) for i, a in enumerate(activities)] or [("", 5.0)]
    upright = _upright(protocol.skeleton)
    moves, names = [], []
    for at, (activity, e) in enumerate(steps):
        for sign in (1, -1) * (at + 1):  # unequal numbers of frames
            moves.append(sign * e * np.array([0.6, 0.8]))
            names.append(activity)
    return protocol.skeleton, upright, upright + np.array(moves)[:, None], names


def _score(path: Path, name: str, **arrays) -> ProtocolReport:
    np.savez(path / "predictions.npz", **arrays)
    return evaluate_protocol(path / "predictions.npz", name, out=path / "out")


def _check(report: ProtocolReport, method: str, by_heading: dict[str, float]) -> None:
    assert set(by_heading) - {"*"} <= {c.heading for c in report.protocol.columns}
    for column in report.protocol.columns:
        expected = by_heading.get(column.heading, by_heading.get("*"))
        value = report.value(column.heading, method)
        assert value == pytest.approx(expected, abs=1e-9), (method, column.heading)


def test_every_protocol_is_here() -> None:
    assert set(IN_PICTURES) | set(IN_SPACE) | set(OF_PICTURES) == set(PROTOCOLS)


@pytest.mark.parametrize("name", IN_PICTURES)
def test_joints_in_pictures(name: str, tmp_path: Path) -> None:
    skeleton, upright, truth, activity = _people(name)
    of_mean, of_mirrored = IN_PICTURES[name]
    best = {
        c.heading: 100.0 if c.measure.higher_is_better else 0.0
        for c in get_protocol(name).for_activities(tuple(sorted({*activity} - {""}))).columns
    }
    given = {
        "truth": truth,
        "joint_names": skeleton.joints,
        "activity": activity,
        "actor": "s_11",
        "side": 100,
        "head": 12,
        "box": np.concatenate((truth.min(axis=1), truth.max(axis=1)), axis=1),
        "source_scale": 4,
    }
    perfect = _score(tmp_path, name, predicted=truth, **given)
    _check(perfect, OURS, best)
    _check(perfect, CONSTANT, of_mean)
    mean = _score(tmp_path, name, predicted=np.broadcast_to(upright, truth.shape), **given)
    _check(mean, OURS, of_mean)
    _check(mean, CONSTANT, of_mean)
    mirrored = _score(tmp_path, name, predicted=skeleton.swap_sides(truth), **given)
    _check(mirrored, OURS, of_mirrored)
    _check(mirrored, CONSTANT, of_mean)
    assert perfect.flips is not None and mirrored.flips is not None
    if get_protocol(name).forgive_sides:
        _check(perfect, FORGIVEN, best)
        _check(mirrored, FORGIVEN, best)
        flips = [(r.flips["body"].gated, r.flips["body"].ungated) for r in (perfect, mirrored)]
        assert flips == [(0, 0), (1, 1)]
        assert mirrored.flips["crossed"].gated == 0
    assert perfect.notes == get_protocol(name).notes  # nothing keeps it from being comparable


# Joints in space: the pelvis at the origin, left joints at x = 0.2, right ones at -0.2. Shoulders
# and knees lean forth by d and elbows and wrists back, in every second frame the other way round:
# flat is the mean. As Σz = Σxz = Σyz = 0, no alignment brings the flat mean nearer.
HEIGHT = {
    "shoulder": 0.3,
    "elbow": 0.1,
    "wrist": -0.1,
    "knee": -0.3,
    "hip": -0.02,
    "ankle": -0.6,
    "pelvis": 0.0,
    "spine": 0.15,
    "thorax": 0.32,
    "neck": 0.36,
    "head": 0.4,
    "head_top": 0.5,
}
LEAN = {"shoulder": 1, "elbow": -1, "wrist": -1, "knee": 1}
D = 0.06
IN_SPACE = ("human36m-3d", "mpi-inf-3dhp", "infants-3d")


def _standing(skeleton: Skeleton) -> np.ndarray:
    pose = np.zeros((len(skeleton.joints), 3))
    for i, joint in enumerate(skeleton.joints):
        part = joint[2:] if joint[:2] in ("l_", "r_") else joint
        x = {"l_": 0.2, "r_": -0.2}.get(joint[:2], 0.0)
        pose[i] = (x, HEIGHT[part], D * LEAN.get(part, 0))
    return pose


def _mirrored_by_hand(pose: np.ndarray) -> dict[str, float]:
    """Errors of (-x, y, z) against (x, y, z), in millimetres, joint by joint."""
    middle = sum(y for _, y, _ in pose) / len(pose)
    xx, yy, zz = (sum(v * v for v in pose[:, axis]) for axis in range(3))
    about = sum((y - middle) ** 2 for _, y, _ in pose)
    n = (yy + zz - xx) / (xx + yy + zz)  # <p,g>/<p,p>, the root at the origin
    s = (xx + about - zz) / (xx + about + zz)  # turned by 180 degrees about y, so z changes sign
    scaled, similar = [], []
    for x, y, z in pose:
        scaled.append(math.hypot((n + 1) * x, (n - 1) * y, (n - 1) * z))
        similar.append(math.hypot((s - 1) * x, (s - 1) * (y - middle), (s + 1) * z))
    return {
        "MPJPE": 1000 * sum(abs(2 * x) for x, _, _ in pose) / len(pose),
        "N-MPJPE": 1000 * sum(scaled) / len(pose),
        "P-MPJPE": 1000 * sum(similar) / len(pose),
    }


@pytest.mark.parametrize("name", IN_SPACE)
def test_joints_in_space(name: str, tmp_path: Path) -> None:
    skeleton = get_protocol(name).skeleton
    assert skeleton is not None
    pose = _standing(skeleton)
    joints = len(pose)
    truth = np.stack([pose, pose * [1, 1, -1]] * 2)
    far = truth + np.array([0.5, -0.2, 3.0])  # where the root is does not matter
    mean = 1000 * 8 * D / joints  # 8 joints lean by d, the others do not
    hand = _mirrored_by_hand(pose)
    of_mean: dict[str, float] = {"MPJPE": mean, "N-MPJPE": mean, "P-MPJPE": mean}
    of_mirrored: dict[str, float] = dict(hand)
    if name == "mpi-inf-3dhp":
        # d = 60 mm is within 19 of the 31 thresholds 0, 5, ..., 150; 400 mm is within none
        of_mean |= {"3D-PCK": 100, "AUC": 100 * (8 * 19 / 31 + joints - 8) / joints}
        of_mirrored |= {"3D-PCK": 100 * 5 / 17, "AUC": 100 * 5 / 17}
    if name == "infants-3d":
        of_mean = {"all": mean, "hips": 0, "knees": 60, "feet": 0, "shoulders": 60, "hands": 60}
        of_mirrored = {"all": hand["MPJPE"], "*": 400}
        assert hand["MPJPE"] == pytest.approx(400 * 12 / 16)
    headings = {c.heading for c in get_protocol(name).columns}
    of_mean = {h: v for h, v in of_mean.items() if h in headings}
    of_mirrored = {h: v for h, v in of_mirrored.items() if h in {*headings, "*"}}
    best = {
        c.heading: 100.0 if c.measure.higher_is_better else 0.0 for c in get_protocol(name).columns
    }
    given = {"truth": truth, "joint_names": skeleton.joints}
    perfect = _score(tmp_path, name, predicted=far, **given)
    _check(perfect, OURS, best)
    _check(perfect, CONSTANT, of_mean)
    flat = np.broadcast_to(pose * [1, 1, 0], truth.shape)
    _check(_score(tmp_path, name, predicted=flat, **given), OURS, of_mean)
    mirrored = _score(tmp_path, name, predicted=skeleton.swap_sides(far), **given)
    _check(mirrored, OURS, of_mirrored)
    reflected = mirrored.further[OURS]["P-MPJPE, mirroring allowed"]
    assert reflected == pytest.approx(0, abs=1e-9)


# Pictures of 14 x 14: one half black, the other white, in every second picture the other way round.
OF_PICTURES = ("chictopia-plus", "deepfashion", "human36m-pictures")
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def _similarity(windows: list[tuple[float, float, float, float, float]]) -> float:
    """Mean of the SSIM of windows of (mean, mean, variance, variance, covariance)."""
    return sum(
        (2 * m * n + C1) * (2 * c + C2) / ((m * m + n * n + C1) * (v + w + C2))
        for m, n, v, w, c in windows
    ) / len(windows)


@pytest.mark.parametrize("name", OF_PICTURES)
def test_pictures(name: str, tmp_path: Path) -> None:
    picture = np.zeros((14, 14, 3), np.uint8)
    picture[:, 7:] = 255
    truth = np.stack([picture, picture[:, ::-1]])
    # A window of 7 columns sees 0 to 7 white ones; variances are over N - 1 = 48 of 49 pixels.
    shares = [w / 7 for w in range(8)]
    spread = [255**2 * f * (1 - f) * 49 / 48 for f in shares]
    of_mean = {  # 127.5 is rounded to 128: flat, so without variance
        "PSNR": 10 * math.log10(255**2 / ((128**2 + 127**2) / 2)),
        "SSIM": _similarity([(128, 255 * f, 0, v, 0) for f, v in zip(shares, spread, strict=True)]),
    }
    of_mirrored = {
        "PSNR": 0.0,
        "SSIM": _similarity(
            [(255 * f, 255 * (1 - f), v, v, -v) for f, v in zip(shares, spread, strict=True)]
        ),
    }
    perfect = _score(tmp_path, name, predicted_pictures=truth, true_pictures=truth)
    _check(perfect, OURS, {"PSNR": math.inf, "SSIM": 1})
    _check(perfect, CONSTANT, of_mean)
    grey = np.full_like(truth, 128)
    _check(_score(tmp_path, name, predicted_pictures=grey, true_pictures=truth), OURS, of_mean)
    flipped = truth[:, :, ::-1]
    mirrored = _score(tmp_path, name, predicted_pictures=flipped, true_pictures=truth)
    _check(mirrored, OURS, of_mirrored)
