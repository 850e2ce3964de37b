"""Score a model, or a file of predictions, as a paper does: from arguments to files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.errors import UserError
from fastpose.evaluation.baselines import predict_frames
from fastpose.evaluation.cases import Cases, Given, choose
from fastpose.evaluation.labels import open_labels
from fastpose.evaluation.lifting import is_lifting, lift_clips
from fastpose.evaluation.metrics.regression import get_linear_protocol
from fastpose.evaluation.predictions import given_by_clips, read_pictures, read_predictions
from fastpose.evaluation.protocol_plots import write_plots
from fastpose.evaluation.protocol_report import ProtocolReport, make_report
from fastpose.evaluation.protocols import get_protocol
from fastpose.evaluation.protocols.declare import Protocol
from fastpose.evaluation.protocols.people3d import PROTOCOLS_3D
from fastpose.files import explained, pretty_json, replace_file
from fastpose.inference import load

REPORT = "report.json"


def evaluate_protocol(
    model: str | os.PathLike[str],
    protocol: str,
    data: str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    min_score: float = 0.4,
    joints: Sequence[str] | None = None,
    regress: str | None = None,
    detector: str | os.PathLike[str] | None = None,
    batch_size: int = 64,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ProtocolReport:
    """The table of a protocol for one model.

    Args:
        model: an exported ONNX file, a run or checkpoint directory, of lifting for protocols in
            space, or an npz of predictions and labels (see ``evaluation.predictions``).
        protocol: one of ``evaluation.protocols.PROTOCOLS``.
        data: a clips folder; none for an npz.
        out: folder for report.json and the pictures; None writes nothing.
        labels: an npz of labels by picture name; None takes the keypoints that the clips carry.
        min_score: joints of ``labels`` with a smaller score do not count.
        joints: names of the joints to score; None takes all of the protocol's.
        regress: how to fit an npz's landmarks to joints, see ``metrics.regression``.
        detector: a run whose 2D joints a run of lifting is given; None: those of the clips.
        batch_size: frames a call.
        threads: processor threads of the model.
        progress: called with frames done and frames in all.

    Raises:
        UserError: anything named that cannot be used.
    """
    chosen = get_protocol(protocol)
    if Path(model).suffix.lower() == ".npz":
        given = _given_by_file(model, chosen, data, labels, regress)
    elif is_lifting(model):
        given = _given_by_lifting(model, chosen, data, labels, regress, detector)
    else:
        given = _given_by_model(
            model, chosen, data, labels, min_score, regress, batch_size, threads, progress
        )
    if isinstance(given, Cases):
        if joints is not None:
            raise UserError(f"joints: {chosen.name} scores pictures; leave --joints out")
        cases, source = given, str(model)
    else:
        names = tuple(str(n) for n in np.unique(given.activity.astype(str)) if n)
        chosen = chosen.for_activities(names)
        cases, source = choose(given, chosen, joints), given.label
    report = make_report(cases, chosen, model=_short(model), labels=source)
    if out is not None:
        folder = Path(out)
        with explained(folder, "the evaluation"):
            folder.mkdir(parents=True, exist_ok=True)
            pictures = write_plots(folder, cases, report)
            described = {**report.to_dict(), "pictures": pictures}
            replace_file(folder / REPORT, pretty_json(described))
    return report


def describe_protocol_plan(
    model: str | os.PathLike[str], protocol: str, out: str | os.PathLike[str]
) -> str:
    """One line: what would be scored how; the protocol's name is checked on the way."""
    chosen = get_protocol(protocol)
    columns = ", ".join(column.heading for column in chosen.columns)
    return f"would score {model} by {chosen.name} ({columns}) and write to {out}"


def _given_by_file(
    model: str | os.PathLike[str],
    protocol: Protocol,
    data: str | os.PathLike[str] | None,
    labels: str | os.PathLike[str] | None,
    regress: str | None,
) -> Given | Cases:
    for name, value in (("--data", data), ("--labels", labels)):
        if value is not None:
            raise UserError(f"{model}: holds predictions and labels; leave {name} out")
    if protocol.inputs == "pictures":
        return read_pictures(model)
    return read_predictions(
        model, protocol, None if regress is None else get_linear_protocol(regress)
    )


def _given_by_model(
    model: str | os.PathLike[str],
    protocol: Protocol,
    data: str | os.PathLike[str] | None,
    labels: str | os.PathLike[str] | None,
    min_score: float,
    regress: str | None,
    batch_size: int,
    threads: int | None,
    progress: Callable[[int, int], None] | None,
) -> Given:
    if protocol.inputs != "points2d":
        what, also = "reconstructed pictures", ""
        if protocol.inputs == "points3d":
            what, also = "joints in space", "a run of lifting or "
        raise UserError(
            f"{model}: predicts joints in pictures and {protocol.name} scores {what}; "
            f"give {also}an npz of predictions and labels in its place"
        )
    if regress is not None:
        raise UserError("--regress: fits the landmarks of an npz of predictions, not of a model")
    if data is None:
        raise UserError(f"{model}: needs clips with labels; name their folder with --data")
    store = ClipStore.open(data)
    found = open_labels(store, labels, min_score=min_score)
    detector = load(str(model), threads=threads)
    poses = predict_frames(detector.predict, store, found, batch_size, progress)
    return given_by_clips(poses, store, found)


def _given_by_lifting(
    model: str | os.PathLike[str],
    protocol: Protocol,
    data: str | os.PathLike[str] | None,
    labels: str | os.PathLike[str] | None,
    regress: str | None,
    detector: str | os.PathLike[str] | None,
) -> Given:
    if protocol.inputs != "points3d":
        raise UserError(
            f"{model}: a run of lifting places joints in space, which {protocol.name} does not "
            f"score; take one of {', '.join(p.name for p in PROTOCOLS_3D)}"
        )
    for name, value in (("--labels", labels), ("--regress", regress)):
        if value is not None:
            raise UserError(f"{name}: {model} is a run of lifting; leave it out")
    if data is None:
        raise UserError(f"{model}: needs clips with joints in space; name their folder with --data")
    return lift_clips(model, data, detector)


def _short(model: str | os.PathLike[str]) -> str:
    return Path(model).name or str(model)
