"""The figures on top of report.json and the table on the terminal."""

from __future__ import annotations

import io
import json

import numpy as np
from rich.console import Console

from fastpose.evaluation.metrics.scores import Scores
from fastpose.evaluation.report import (
    MEAN_POSE,
    MODEL,
    RANDOM_POSE,
    EvaluationReport,
    MethodReport,
    picked_frames,
)


def _method(plain: float, activities: tuple[str, ...]) -> MethodReport:
    scores = Scores(4, plain, plain - 1, 0.75, None)
    return MethodReport({name: scores for name in activities}, scores, scores)


def _report(*activities: str) -> EvaluationReport:
    methods = {
        MODEL: _method(7.12344, activities),
        MEAN_POSE: _method(20.5, activities),
        RANDOM_POSE: _method(30.25, activities),
    }
    return EvaluationReport(methods, ("head",), 64, "labels.npz")


def _lines(report: EvaluationReport) -> list[str]:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(report.table())
    return console.export_text().splitlines()


def test_headline_figures() -> None:
    described = json.loads(json.dumps(_report("walk").to_dict()))
    headline = {key: described[key] for key in list(described)[:8]}
    assert headline == {
        "error_percent": 7.1234,
        "error_forgiven_percent": 6.1234,
        "correct_sides": 0.75,
        "mean_pose_percent": 20.5,
        "mean_pose_forgiven_percent": 19.5,
        "random_pose_percent": 30.25,
        "random_pose_forgiven_percent": 29.25,
        "frames": 4,
    }
    assert (described["joints"], described["side_pixels"]) == (["head"], 64)
    assert described["labels"] == "labels.npz" and "errors" not in described
    model = described["methods"][MODEL]
    assert model["activities"]["walk"] == model["mean_of_activities"] == model["all_frames"]


def test_one_activity_is_shown_once() -> None:
    lines = [line for line in _lines(_report("walk")) if "pose" in line or "model" in line]
    assert len(lines) == 3 and "walk" not in "".join(lines)
    cells = [cell.strip() for cell in lines[0].split("│")[1:-1]]
    assert cells == ["mean", "model", "7.12", "6.12", "75 %", "4"]


def test_several_activities_and_then_their_mean() -> None:
    lines = [line for line in _lines(_report("walk", "wave")) if " model " in line]
    assert [line.split("│")[1].strip() for line in lines] == ["walk", "wave", "mean"]


def test_frames_without_a_label_are_never_picked() -> None:
    forgiven = np.array([3.0, np.nan, 1.0, 2.0])
    picked = picked_frames(forgiven, 6)
    assert picked["best"].tolist() == [2, 3, 0] and picked["worst"].tolist() == [0, 3, 2]
    assert 1 not in picked["median"]
