"""Predictions to score with a protocol: from a detector on labelled clips, or from a file.

A file of predictions is an npz, whoever made it:

=====================  ========================================================================
``predicted``          (N,K1,2) pixels, or (N,K1,3) metres in camera space: x right, y down
``truth``              (N,K2,2 or 3) in the same unit
``joint_names``        (K2,) of ``truth``, and of ``predicted`` unless it has names of its own
``predicted_names``    (K1,) optional
``visible``            (N,K2) bool, optional: which labels count
``side``               the pictures' side in pixels, one number or (N,); most 2D protocols need it
``activity``           (N,) optional, as the data set names it
``actor``              (N,) optional, such as S11
``split``              (N,) optional; frames of "train" are left out
``names``              (N,) optional, of the frames
``head``               (N,4) boxes or (N,) sizes of heads, for PCKh
``box``                (N,4) boxes of people, optional: left, top, right, bottom
``source_scale``       pixels of the video in a pixel of the picture, one number or (N,), optional
``landmarks``          (N,L,2) in place of ``predicted``: learned points that nobody named, with
                       ``train_landmarks`` (M,L,2), ``train_truth`` (M,K2,2) and optionally
                       ``train_visible`` (M,K2) to fit the linear map on
``predicted_pictures``  (N,H,W,3) uint8, with ``true_pictures``, for protocols of pictures
=====================  ========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from fastpose.data.clips import Clip, ClipStore
from fastpose.data.motion_capture.npz import load_arrays
from fastpose.errors import UserError
from fastpose.evaluation.cases import Cases, Given, paired_joints, restrict
from fastpose.evaluation.labels import Labels
from fastpose.evaluation.metrics.regression import LinearProtocol, fit_linear
from fastpose.evaluation.protocols.declare import Protocol
from fastpose.poses import Poses

Arrays = dict[str, np.ndarray]
_MEANINGS = {
    "predicted": "predicted (N,K,2) pixels or (N,K,3) metres",
    "truth": "truth (N,K,2 or 3), the labels in the same unit",
    "joint_names": "joint_names (K,), what the joints are called",
    "side": "side, that of the pictures in pixels",
    "landmarks": "landmarks (N,L,2) pixels",
    "train_landmarks": "train_landmarks (M,L,2) pixels",
    "train_truth": "train_truth (M,K,2) pixels",
    "predicted_pictures": "predicted_pictures (N,H,W,3) uint8",
    "true_pictures": "true_pictures (N,H,W,3) uint8",
}


def given_by_clips(poses: Poses, store: ClipStore, labels: Labels) -> Given:
    """What a detector's ``poses`` of the labelled frames of clips give, in pixels of the clips."""
    clips = [store.clips[i] for i in labels.clip]
    scales = [np.nan if c.window is None else c.window[2] / store.size for c in clips]

    def picture(i: int) -> np.ndarray:
        return np.asarray(clips[i].frames[labels.frame[i]])

    return Given(
        predicted=np.asarray(poses.points, np.float64),
        predicted_joints=poses.skeleton.joints,
        truth=np.asarray(labels.points, np.float64),
        truth_joints=labels.skeleton.joints,
        visible=np.asarray(labels.visible, bool),
        side=np.full(len(labels), float(store.size)),
        head=None,
        box=None,
        source_scale=np.array(scales),
        label=labels.source,
        picture=picture,
        **said_by_clips(clips, labels.frame),
    )


class SaidByClips(TypedDict):
    """See :class:`Given`."""

    activity: np.ndarray
    actor: np.ndarray
    split: np.ndarray
    names: np.ndarray


def said_by_clips(clips: Sequence[Clip], frame: np.ndarray) -> SaidByClips:
    """Activity, actor, split and name of N frames.

    Args:
        clips: N, the clip of each frame.
        frame: (N,) its index in there.
    """
    return {
        "activity": np.array([c.activity or "" for c in clips]),
        "actor": np.array([c.actor or "" for c in clips]),
        "split": np.array([c.split or "" for c in clips]),
        "names": np.array([f"{c.name} {f}" for c, f in zip(clips, frame, strict=True)]),
    }


def read_predictions(
    path: str | os.PathLike[str], protocol: Protocol, regress: LinearProtocol | None = None
) -> Given:
    """The points of a file of predictions; see the top of this module.

    Args:
        path: the npz.
        protocol: of joints.
        regress: how to fit ``landmarks`` to joints; None for a file with ``predicted``.

    Raises:
        UserError: an array that is missing or does not fit, by name.
    """
    data = load_arrays(path, "an npz of predictions")
    dims = 3 if protocol.inputs == "points3d" else 2
    key = "predicted" if regress is None else "landmarks"
    if regress is None and "predicted" not in data and "landmarks" in data:
        raise UserError(f"{path}: has landmarks without names; say how to fit them with --regress")
    _need(data, path, key, "truth", "joint_names")
    names = _strings(data, "joint_names", path)
    truth = _points(data, "truth", (None, len(names), dims), path)
    count = len(truth)
    if not count:
        raise UserError(f"{path}: truth holds no frame")
    if regress is None:
        given = _strings(
            data, "predicted_names" if "predicted_names" in data else "joint_names", path
        )
        predicted = _points(data, "predicted", (count, len(given), dims), path)
    else:
        given, predicted = _regressed(data, names, truth, protocol, regress, path)
    return Given(
        predicted=predicted,
        predicted_joints=given,
        truth=truth,
        truth_joints=names,
        visible=_mask(data, "visible", truth.shape[:2], path),
        activity=_words(data, "activity", count, path),
        actor=_words(data, "actor", count, path),
        split=_words(data, "split", count, path),
        names=_words(data, "names", count, path) if "names" in data else _numbers_as_names(count),
        side=_per_frame(data, "side", count, path),
        head=_per_frame(data, "head", count, path, boxes=True),
        box=_boxes(data, count, path),
        source_scale=_per_frame(data, "source_scale", count, path),
        label=str(path),
        notes=()
        if regress is None
        else (f"joints come from landmarks by the linear map '{regress.name}' ({regress.source})",),
    )


def read_pictures(path: str | os.PathLike[str]) -> Cases:
    """The pictures of a file of predictions, (N,H,W,3) uint8 at least 7 pixels high and wide."""
    data = load_arrays(path, "an npz of predictions")
    _need(data, path, "predicted_pictures", "true_pictures")
    truth, predicted = data["true_pictures"], data["predicted_pictures"]
    fits = truth.ndim == 4 and truth.shape[3] == 3 and len(truth) and min(truth.shape[1:3]) >= 7
    if truth.dtype != np.uint8 or not fits:
        raise UserError(
            f"{path}: true_pictures must be uint8 (N>0,H>=7,W>=7,3), "
            f"not {truth.dtype} {truth.shape}"
        )
    if predicted.dtype != np.uint8 or predicted.shape != truth.shape:
        raise UserError(
            f"{path}: predicted_pictures must be uint8 {truth.shape}, "
            f"not {predicted.dtype} {predicted.shape}"
        )
    count = len(truth)
    names = _words(data, "names", count, path) if "names" in data else _numbers_as_names(count)
    empty = np.full(count, "")
    return Cases(predicted, truth, np.ones((count, 1), bool), None, empty, names, {})


def _regressed(
    data: Arrays,
    names: Sequence[str],
    truth: np.ndarray,
    protocol: Protocol,
    regress: LinearProtocol,
    path: str | os.PathLike[str],
) -> tuple[Sequence[str], np.ndarray]:
    """Joints from landmarks, by a map fitted on the file's training frames."""
    _need(data, path, "train_landmarks", "train_truth", "side")
    assert protocol.skeleton is not None
    fitted = regress.joints or protocol.skeleton.joints
    joints = paired_joints(protocol.skeleton, set(fitted) & set(names))
    if not joints:
        raise UserError(f"{path}: truth has no joint that '{regress.name}' fits")
    side = np.unique(np.asarray(data["side"], np.float64))
    if len(side) != 1:
        raise UserError(f"{path}: a linear map needs pictures of one side, not of {len(side)}")
    training = _points(data, "train_truth", (None, len(names), 2), path)
    landmarks = _points(data, "landmarks", (len(truth), None, 2), path)
    train = _points(data, "train_landmarks", (len(training), landmarks.shape[1], 2), path)
    seen = _mask(data, "train_visible", training.shape[:2], path)
    at = [names.index(j) for j in joints]
    try:
        fit = fit_linear(
            train,
            training[:, at],
            float(side[0]),
            regress,
            mirror=restrict(protocol.skeleton, joints).mirror,
            visible=seen[:, at] & np.isfinite(training[:, at]).all(axis=-1),
        )
        return joints, fit(landmarks)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _need(data: Arrays, path: str | os.PathLike[str], *keys: str) -> None:
    lost = [key for key in keys if key not in data]
    if lost:
        raise UserError(
            f"{path}: lacks {', '.join(lost)}; it holds {', '.join(data) or 'nothing'}; expected "
            f"{', '.join(_MEANINGS[key] for key in lost)}"
        )


def _points(
    data: Arrays, key: str, shape: tuple[int | None, ...], path: str | os.PathLike[str]
) -> np.ndarray:
    array = _numeric(data, key, path)
    fits = array.ndim == len(shape) and all(
        s is None or s == n for s, n in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ",".join("N" if s is None else str(s) for s in shape)
        axes = ""
        if len(shape) == 3:
            what = "landmarks" if key.endswith("landmarks") else "named joints"
            axes = f"; its axes are frames, {what}, {'x y z' if shape[2] == 3 else 'x y'}"
        raise UserError(f"{path}: {key} must be ({wanted}), not {array.shape}{axes}")
    return array


def _numeric(data: Arrays, key: str, path: str | os.PathLike[str]) -> np.ndarray:
    if data[key].dtype.kind not in "fiu":
        raise UserError(f"{path}: {key} must hold numbers, not {data[key].dtype}")
    return data[key].astype(np.float64)


def _mask(
    data: Arrays, key: str, shape: tuple[int, ...], path: str | os.PathLike[str]
) -> np.ndarray:
    if key not in data:
        return np.ones(shape, bool)
    if data[key].dtype != bool or data[key].shape != shape:
        raise UserError(
            f"{path}: {key} must be bool {shape}, not {data[key].dtype} {data[key].shape}"
        )
    return data[key]


def _strings(data: Arrays, key: str, path: str | os.PathLike[str]) -> list[str]:
    names = [str(name) for name in np.atleast_1d(data[key])]
    if len(set(names)) < len(names):
        raise UserError(f"{path}: {key} must be unique")
    return names


def _words(data: Arrays, key: str, count: int, path: str | os.PathLike[str]) -> np.ndarray:
    if key not in data:
        return np.full(count, "")
    words = data[key].astype(str)
    if words.shape not in ((), (count,)):
        raise UserError(f"{path}: {key} must be one name or ({count},), not {words.shape}")
    return np.broadcast_to(words, (count,))


def _numbers_as_names(count: int) -> np.ndarray:
    return np.array([str(i) for i in range(count)])


def _per_frame(
    data: Arrays, key: str, count: int, path: str | os.PathLike[str], *, boxes: bool = False
) -> np.ndarray | None:
    """(N,) positive numbers, or (N,4) where ``boxes`` are allowed; None where the key is absent."""
    if key not in data:
        return None
    array = _numeric(data, key, path)
    if boxes and array.shape == (count, 4):
        return array
    if array.shape not in ((), (count,)):
        wanted = f"one number, ({count},)" + (f" or ({count},4)" if boxes else "")
        raise UserError(f"{path}: {key} must be {wanted}, not {array.shape}")
    if not (array > 0).all():
        raise UserError(f"{path}: {key} must be positive")
    return np.broadcast_to(array, (count,)).copy()


def _boxes(data: Arrays, count: int, path: str | os.PathLike[str]) -> np.ndarray | None:
    if "box" not in data:
        return None
    boxes = _points(data, "box", (count, 4), path)
    if not (boxes[:, 2:] > boxes[:, :2]).all():
        raise UserError(f"{path}: box must be left, top, right, bottom, each larger than its first")
    return boxes
