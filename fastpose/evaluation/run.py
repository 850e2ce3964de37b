"""Evaluate a trained model from the command line's arguments: load, score, write."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.data.pose_prior import PosePrior, PriorConfig
from fastpose.errors import UserError
from fastpose.evaluation.baselines import evaluate
from fastpose.evaluation.labels import open_labels
from fastpose.evaluation.report import EvaluationReport
from fastpose.evaluation.sheet import clip_pair, write_sheet
from fastpose.files import explained, pretty_json, replace_file
from fastpose.inference import load
from fastpose.skeletons import Skeleton
from fastpose.training.run_config import RunConfig, find_run

REPORT, SHEET = "report.json", "sheet.png"


def evaluate_model(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    min_score: float = 0.4,
    prior: Sequence[str | os.PathLike[str]] = (),
    fit: str | os.PathLike[str] | None = None,
    joints: Sequence[str] | None = None,
    batch_size: int = 64,
    threads: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> EvaluationReport:
    """Score a model on labelled clips, next to the mean and random poses of a prior.

    Args:
        model: an exported ONNX file, or a run or checkpoint directory.
        data: a clips folder.
        out: folder for report.json and sheet.png; None writes nothing.
        labels: an npz of labels by picture name; None takes the keypoints that the clips carry.
        min_score: joints of ``labels`` with a smaller score do not count.
        prior: files or folders of poses for the baselines; empty takes those of the run. A run's
            framing and other prior settings hold for them too; an ONNX file has none to keep.
        fit: table of a prior fitted to clips, in place of the framing.
        joints: names of the joints to score; None takes all that labels and model share.
        batch_size: frames a call.
        threads: processor threads of the model.
        seed: of the random poses.
        progress: called with frames done and frames in all.

    Raises:
        UserError: anything named that cannot be used, or labels that meet no frame.
    """
    store = ClipStore.open(data)
    found = open_labels(store, labels, min_score=min_score)
    detector = load(str(model), threads=threads)
    baseline = _open_prior(model, prior, fit, detector.skeleton)
    report, poses = evaluate(
        detector.predict,
        store,
        found,
        baseline,
        joints=joints,
        batch_size=batch_size,
        seed=seed,
        progress=progress,
    )
    if out is not None:
        folder = Path(out)
        with explained(folder, "the evaluation"):
            folder.mkdir(parents=True, exist_ok=True)
            assert report.errors is not None
            write_sheet(
                folder / SHEET,
                clip_pair(store, found, poses),
                report.errors.forgiven,
                title=report.headline(),
                what="error with sides forgiven",
            )
            described = {"model": str(model), "data": str(data), "seed": seed, **report.to_dict()}
            replace_file(folder / REPORT, pretty_json(described))
    return report


def describe_plan(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None,
    out: str | os.PathLike[str],
    *,
    min_score: float = 0.4,
) -> str:
    """One line: how many labelled frames would be scored; the arguments are checked on the way."""
    store = ClipStore.open(data)
    found = open_labels(store, labels, min_score=min_score)
    clips = len(np.unique(found.clip))
    return (
        f"would score {model} on {len(found)} labelled frames of {clips} clips and write to {out}"
    )


def _open_prior(
    model: str | os.PathLike[str],
    paths: Sequence[str | os.PathLike[str]],
    fit: str | os.PathLike[str] | None,
    skeleton: Skeleton,
) -> PosePrior:
    """The prior of the baselines; of a run, all that is not named stays as it trained with."""
    run = find_run(model)
    trained = None if run is None else RunConfig.load(run)
    if run is None or trained is None or trained.recipe.prior is None:
        if not paths:
            what = "is no run" if run is None else "learnt without poses"
            raise UserError(f"{model}: {what}, so name the poses for the baselines with --prior")
        config = PriorConfig(framing="fitted", fit=str(fit)) if fit else PriorConfig()
        return PosePrior.from_path(paths, skeleton, config)
    config = trained.recipe.prior
    if fit:  # a bare name would mean the run's own table
        config = replace(config, framing="fitted", fit=str(Path(fit).absolute()))
    poses = tuple(Path(path) for path in paths) or trained.prior
    prior = replace(trained, recipe=replace(trained.recipe, prior=config), prior=poses)
    opened = prior.open_prior(run)
    assert opened is not None  # its recipe has a prior
    return opened
