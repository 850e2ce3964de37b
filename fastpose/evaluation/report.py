"""What an evaluation found: per method and activity, as a table, as JSON, and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from fastpose.evaluation.metrics.scores import FrameErrors, Scores

MODEL, MEAN_POSE, RANDOM_POSE = "model", "mean pose of the prior", "random pose of the prior"


@dataclass(frozen=True)
class MethodReport:
    """Scores of one method: per activity, their unweighted mean, and over all frames alike."""

    activities: dict[str, Scores]
    mean: Scores
    all_frames: Scores

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return {
            "mean_of_activities": self.mean.to_dict(),
            "all_frames": self.all_frames.to_dict(),
            "activities": {name: s.to_dict() for name, s in self.activities.items()},
        }


@dataclass(frozen=True)
class EvaluationReport:
    """Scores of a model next to those of the pose prior's mean and random poses.

    Args:
        methods: by name: "model", "mean pose of the prior", "random pose of the prior".
        joints: names of the joints that were scored.
        side: side of the frames in pixels.
        labels: where the labels come from.
        errors: of the model, frame by frame, for sheets; not part of the JSON.
    """

    methods: dict[str, MethodReport]
    joints: tuple[str, ...]
    side: int
    labels: str
    errors: FrameErrors | None = field(default=None, repr=False)

    @property
    def model(self) -> MethodReport:
        return self.methods[MODEL]

    def headline(self) -> str:
        """One line: the mean errors of the model."""
        mean = self.model.mean
        return (
            f"{mean.error_forgiven_percent:.2f} % with sides forgiven, {mean.error_percent:.2f} % "
            f"plain, {mean.frames} frames"
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy with the headline figures on top."""
        model = self.model.mean
        return {
            "error_percent": round(model.error_percent, 4),
            "error_forgiven_percent": round(model.error_forgiven_percent, 4),
            "correct_sides": round(model.correct_sides, 4),
            "mean_pose_percent": round(self.methods[MEAN_POSE].mean.error_percent, 4),
            "mean_pose_forgiven_percent": round(
                self.methods[MEAN_POSE].mean.error_forgiven_percent, 4
            ),
            "random_pose_percent": round(self.methods[RANDOM_POSE].mean.error_percent, 4),
            "random_pose_forgiven_percent": round(
                self.methods[RANDOM_POSE].mean.error_forgiven_percent, 4
            ),
            "frames": model.frames,
            "joints": list(self.joints),
            "side_pixels": self.side,
            "labels": self.labels,
            "methods": {name: method.to_dict() for name, method in self.methods.items()},
        }

    def table(self) -> Table:
        """For the terminal: the mean of the activities, and each where there are several."""
        table = Table(title="mean joint distance, percent of the picture's side")
        table.add_column("activity")
        table.add_column("method")
        for heading in ("plain", "sides forgiven", "sides right", "frames"):
            table.add_column(heading, justify="right")
        activities = list(self.model.activities)
        for activity in [*activities, None] if len(activities) > 1 else [None]:
            for at, (name, method) in enumerate(self.methods.items()):
                scores = method.mean if activity is None else method.activities[activity]
                table.add_row(
                    ("mean" if activity is None else activity) if at == 0 else "",
                    name,
                    f"{scores.error_percent:.2f}",
                    f"{scores.error_forgiven_percent:.2f}",
                    f"{100 * scores.correct_sides:.0f} %",
                    str(scores.frames),
                    style="bold" if activity is None and name == MODEL else None,
                    end_section=at == len(self.methods) - 1,
                )
        return table


def picked_frames(errors: np.ndarray, each: int) -> dict[str, np.ndarray]:
    """Indices of the best, median and worst frames by (N,) errors, ``each`` of them, no NaN."""
    order = np.argsort(errors, kind="stable")  # NaN comes last
    order = order[: int((~np.isnan(errors)).sum())]
    middle = len(order) // 2
    return {
        "best": order[:each],
        "median": order[max(0, middle - each // 2) : max(0, middle - each // 2) + each],
        "worst": order[::-1][:each],
    }
