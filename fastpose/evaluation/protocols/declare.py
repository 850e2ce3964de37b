"""What a protocol is: joints, measures, columns, splits, and the rows that papers print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from fastpose.errors import UserError
from fastpose.evaluation.metrics.correct_points import THRESHOLD_3D, THRESHOLDS_3D, even_thresholds
from fastpose.evaluation.metrics.positions3d import Alignment
from fastpose.skeletons import Skeleton

Kind = Literal["distance", "correct", "area", "signal_to_noise", "similarity"]
Size = Literal["one", "side", "torso", "box", "diagonal", "head", "eyes", "source"]
Inputs = Literal["points2d", "points3d", "pictures"]


@dataclass(frozen=True)
class Measure:
    """One number for each joint of a frame, or for each picture.

    Args:
        name: its name in tables.
        unit: its unit in tables: "%", "px", "mm", "dB", or nothing.
        kind: "distance": ``factor * (distance / size) ** power``; "correct": percent of joints
            within ``thresholds[0]`` sizes; "area": mean of that over all ``thresholds``;
            "signal_to_noise" and "similarity": PSNR and SSIM of pictures.
        size: what distances are divided by, frame by frame: "one" (nothing), the picture's
            "side", the "torso" (left shoulder to right hip), the longer side of the "box" around
            the person or its "diagonal", the "head" as PCKh has it, the distance between the
            "eyes", or "source", which turns pixels of a clip into pixels of the video it is from.
        factor: see ``kind``.
        power: see ``kind``.
        thresholds: see ``kind``.
        alignment: of 3D poses, see ``metrics.positions3d``.
    """

    name: str
    unit: str
    kind: Kind = "distance"
    size: Size = "one"
    factor: float = 1.0
    power: int = 1
    thresholds: tuple[float, ...] = ()
    alignment: Alignment | None = None

    @property
    def higher_is_better(self) -> bool:
        return self.kind != "distance"

    @property
    def pooled(self) -> bool:
        """Averaged over all joints of all frames alike, and not frame by frame."""
        return self.kind in ("correct", "area")


@dataclass(frozen=True)
class Activity:
    """An activity by the names that clips may give it: the first word, whatever its case."""

    name: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column of a protocol's table.

    Args:
        heading: printed above; unique in its protocol.
        measure: what is measured.
        activity: only frames of this activity count; None: all.
        joints: only these joints count; empty: all.
        mean_of: "activities" or "groups": the unweighted mean of this measure's columns by
            activity, or by joints, instead of a measurement of its own.
    """

    heading: str
    measure: Measure
    activity: str | None = None
    joints: tuple[str, ...] = ()
    mean_of: Literal["", "activities", "groups"] = ""


@dataclass(frozen=True)
class Published:
    """A row as a paper prints it.

    Args:
        method: its name there.
        values: by heading of the column.
        needs: what the method is given besides pictures.
        source: the paper, and where it is quoted from if that is another one.
    """

    method: str
    values: Mapping[str, float]
    needs: str
    source: str


@dataclass(frozen=True)
class Curve:
    """Percent of joints within a threshold, over thresholds: the curve that is drawn."""

    label: str
    size: Size
    thresholds: tuple[float, ...]
    alignment: Alignment | None = None


@dataclass(frozen=True)
class Protocol:
    """A published way to score, as data.

    Args:
        name: what ``--protocol`` is given.
        title: printed above the table.
        source: who defined it, and where its details are from.
        inputs: "points2d", "points3d" (metres), or "pictures".
        columns: of the table, the headline first.
        skeleton: whose joints are scored; None for pictures.
        root: the joint that alignments put at the origin.
        train: the training split, in words.
        test: the test split, in words.
        test_actors: clips of other people are left out; empty: no such check.
        held_out: clips that say they are of the training split are left out.
        activities: the activities that columns speak of; frames of others are left out. Empty:
            all frames count, whatever is done in them.
        columns_by_activity: a measure that gets a column for each activity that the labels name.
        forgive_sides: print a second row of ours, with the sides exchanged where that is nearer.
        further: measured and printed below the table.
        curve: the curve that is drawn; None draws none.
        published: rows of papers.
        notes: what to know before numbers are compared.
    """

    name: str
    title: str
    source: str
    inputs: Inputs
    columns: tuple[Column, ...]
    train: str
    test: str
    skeleton: Skeleton | None = None
    root: str | None = None
    test_actors: tuple[str, ...] = ()
    held_out: bool = True
    activities: tuple[Activity, ...] = ()
    columns_by_activity: Measure | None = None
    forgive_sides: bool = False
    further: tuple[Measure, ...] = ()
    curve: Curve | None = None
    published: tuple[Published, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        headings = [column.heading for column in self.columns]
        if len(set(headings)) != len(headings):
            raise UserError(f"protocol '{self.name}': headings must be unique, got {headings}")
        for row in self.published:
            for heading in row.values:
                if heading not in headings:
                    raise UserError(
                        f"protocol '{self.name}': {row.method} has a value for '{heading}', "
                        f"which is none of {', '.join(headings)}"
                    )
        known = {activity.name for activity in self.activities}
        for column in self.columns:
            for joint in column.joints:
                assert self.skeleton is not None
                self.skeleton.index(joint)
            if column.activity is not None and column.activity not in known:
                raise UserError(f"protocol '{self.name}': no activity '{column.activity}'")

    @property
    def headline(self) -> Measure:
        """The measure of the first column."""
        return self.columns[0].measure

    def for_activities(self, names: tuple[str, ...]) -> Protocol:
        """With a column of ``columns_by_activity`` for each of ``names``, where it is asked for."""
        if self.columns_by_activity is None or len(names) < 2:
            return self
        more = tuple(Column(n, self.columns_by_activity, activity=n) for n in names)
        taken = {column.heading for column in self.columns}
        return replace(
            self,
            columns=self.columns + tuple(c for c in more if c.heading not in taken),
            activities=tuple(Activity(name) for name in names),
        )


def sides(*joints: str) -> tuple[str, ...]:
    """Both sides of each joint: ``sides("hip")`` is l_hip, r_hip."""
    return tuple(f"{side}_{joint}" for joint in joints for side in ("l", "r"))


_GROUPS = {
    "hips": "hip",
    "knees": "knee",
    "feet": "ankle",
    "shoulders": "shoulder",
    "hands": "wrist",
}


def group_columns(measure: Measure) -> tuple[Column, ...]:
    """The five groups of joints in tables of infants, with both sides of each."""
    return tuple(Column(name, measure, joints=sides(joint)) for name, joint in _GROUPS.items())


def group_values(*values: float) -> dict[str, float]:
    """A paper's row of such a table: over all joints, then the groups."""
    return dict(zip(("all", *_GROUPS), values, strict=True))


PERCENT_OF_SIDE = Measure("distance", "% of side", size="side", factor=100.0)
SQUARED_PERCENT = Measure(
    "squared distance", "% of side squared", size="side", factor=100.0, power=2
)
MPJPE = Measure("MPJPE", "mm", factor=1000.0, alignment="root")
N_MPJPE = Measure("N-MPJPE", "mm", factor=1000.0, alignment="scale")
N_MPJPE_NORMS = Measure("N-MPJPE, ratio of norms", "mm", factor=1000.0, alignment="norm_scale")
P_MPJPE = Measure("P-MPJPE", "mm", factor=1000.0, alignment="similarity")
P_MPJPE_MIRRORED = Measure(
    "P-MPJPE, mirroring allowed", "mm", factor=1000.0, alignment="similarity_or_reflection"
)
PCK_3D = Measure("3D-PCK", "%", "correct", thresholds=(THRESHOLD_3D,), alignment="root")
AUC_3D = Measure("AUC", "%", "area", thresholds=THRESHOLDS_3D, alignment="root")
PSNR = Measure("PSNR", "dB", "signal_to_noise")
SSIM = Measure("SSIM", "", "similarity")
OF_SIDE = Curve("distance / side of the picture", "side", even_thresholds(0.2, 40))


def pck(threshold: float, size: Size, name: str = "PCK") -> Measure:
    """Percent of joints within ``threshold`` sizes."""
    return Measure(f"{name}@{threshold:g}", "%", "correct", size, thresholds=(threshold,))
