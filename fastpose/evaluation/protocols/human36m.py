"""Protocols for joints in pictures of Human3.6M."""

from __future__ import annotations

from fastpose.evaluation.metrics.correct_points import even_thresholds
from fastpose.evaluation.protocols.declare import (
    OF_SIDE,
    PERCENT_OF_SIDE,
    SQUARED_PERCENT,
    Activity,
    Column,
    Curve,
    Measure,
    Protocol,
    Published,
    pck,
)
from fastpose.skeletons import get_skeleton, make_skeleton

_JAKAB = "Jakab et al., CVPR 2020"
_SCHMIDTKE = "Schmidtke et al., CVPR 2021"
_HEADINGS = ("all", "wait", "pose", "greet", "direct", "discuss", "walk")


def _six(*values: float) -> dict[str, float]:
    return dict(zip(_HEADINGS, values, strict=False))


SIMPLIFIED_HUMAN36M = Protocol(
    name="simplified-human36m",
    title="Simplified Human3.6M: mean joint distance, % of the picture's side",
    source=f"{_JAKAB}, evaluation; data of Zhang et al., CVPR 2018",
    inputs="points2d",
    skeleton=get_skeleton("h36m32"),
    columns=(
        Column("all", PERCENT_OF_SIDE, mean_of="activities"),
        Column("wait", PERCENT_OF_SIDE, activity="waiting"),
        Column("pose", PERCENT_OF_SIDE, activity="posing"),
        Column("greet", PERCENT_OF_SIDE, activity="greeting"),
        Column("direct", PERCENT_OF_SIDE, activity="directions"),
        Column("discuss", PERCENT_OF_SIDE, activity="discussion"),
        Column("walk", PERCENT_OF_SIDE, activity="walking"),
    ),
    activities=tuple(
        map(Activity, ("waiting", "posing", "greeting", "directions", "discussion", "walking"))
    ),
    train="S1, S5, S6, S7, S8, S9; pictures: first half of each video, poses: second half",
    test="all frames of S11, 128x128, background removed",
    test_actors=("S11",),
    forgive_sides=True,
    further=(SQUARED_PERCENT, pck(0.05, "side", "joints within")),
    curve=OF_SIDE,
    published=(
        Published(
            "Newell",
            _six(2.16, 1.88, 1.92, 2.15, 1.62, 1.88, 2.21),
            "labelled pictures",
            f"in {_SCHMIDTKE}",
        ),
        Published(
            "Thewlis",
            _six(7.51, 7.54, 8.56, 7.26, 6.47, 7.93, 5.40),
            "labels for a linear map",
            f"in {_SCHMIDTKE}",
        ),
        Published(
            "Zhang",
            _six(4.14, 5.01, 4.61, 4.76, 4.45, 4.91, 4.61),
            "labels for a linear map",
            f"in {_SCHMIDTKE}",
        ),
        Published("Lorenz", _six(2.79), "labels for a linear map", f"in {_SCHMIDTKE}"),
        Published(
            "AutoLink",
            _six(2.76),
            "labels for a linear map",
            "He et al., NeurIPS 2022, as later work quotes it",
        ),
        Published(
            "KeypointGAN",
            _six(2.73, 2.66, 2.27, 2.73, 2.35, 2.35, 4.00),
            "unpaired poses",
            f"{_JAKAB}, in {_SCHMIDTKE}",
        ),
        Published(
            "shape templates",
            _six(3.31, 3.51, 3.28, 3.50, 3.03, 2.97, 3.55),
            "a template",
            _SCHMIDTKE,
        ),
    ),
    notes=(
        "'all' is the mean of the six columns for KeypointGAN, shape templates and ours; of "
        "Newell, Thewlis and Zhang it is another average",
        "papers call this number %-MSE though nothing in it is squared; whether their sides are "
        "forgiven is not always said: compare with both rows",
        "Zhang is also quoted with 4.91 over all",
    ),
)

_FIFTEEN = (
    Activity("waiting"),
    Activity("posing"),
    Activity("greeting"),
    Activity("directions"),
    Activity("discussion"),
    Activity("walking"),
    Activity("eating"),
    Activity("phoning", ("phonecall",)),
    Activity("purchases"),
    Activity("sitting"),
    Activity("sittingdown"),
    Activity("smoking"),
    Activity("photo", ("takingphoto",)),
    Activity("walkdog", ("walkingdog",)),
    Activity("walktogether", ("walkingtogether",)),
)
_SOURCE_PIXELS = Measure("distance", "px of the video", size="source")

HUMAN36M = Protocol(
    name="human36m",
    title="Human3.6M, 17 joints: mean joint distance, mean of the 15 activities",
    source=f"{_JAKAB}, evaluation; Ionescu et al., PAMI 2014",
    inputs="points2d",
    skeleton=get_skeleton("h36m17"),
    columns=(
        Column("px of the video", _SOURCE_PIXELS, mean_of="activities"),
        Column("% of side", PERCENT_OF_SIDE, mean_of="activities"),
        Column("% of side squared", SQUARED_PERCENT, mean_of="activities"),
        *(Column(a.name, _SOURCE_PIXELS, activity=a.name) for a in _FIFTEEN),
    ),
    activities=_FIFTEEN,
    train="S1, S5, S6, S7, S8",
    test="S9, S11",
    test_actors=("S9", "S11"),
    forgive_sides=True,
    curve=OF_SIDE,
    notes=(
        "pixels of the video need clips that know their window, or 'source_scale'",
        "no row of a paper is printed: none could be confirmed with its unit and its joints",
    ),
)

HUMAN36M_TEMPLATES = Protocol(
    name="human36m-templates",
    title="Human3.6M, 15 joints: templates re-run",
    source="Yoo, Russakovsky, ICCV workshops 2023 (arXiv 2311.02815)",
    inputs="points2d",
    skeleton=make_skeleton(
        "h36m15",
        "pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle thorax head "
        "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist",
        "pelvis-thorax thorax-head pelvis-l_hip pelvis-r_hip thorax-l_shoulder "
        "thorax-r_shoulder l_shoulder-l_elbow l_elbow-l_wrist r_shoulder-r_elbow r_elbow-r_wrist "
        "l_hip-l_knee l_knee-l_ankle r_hip-r_knee r_knee-r_ankle",
    ),
    columns=(
        Column("% of side", PERCENT_OF_SIDE),
        Column("PDJ@0.05", pck(0.05, "diagonal", "PDJ")),
    ),
    train="S1, S5, S6, S7, S8",
    test="S9, S11, ten activities",
    test_actors=("S9", "S11"),
    forgive_sides=True,
    curve=Curve("distance / diagonal of the person's box", "diagonal", even_thresholds(0.2, 40)),
    published=(
        Published(
            "templates, pixel loss, two steps",
            {"% of side": 7.02, "PDJ@0.05": 39.0},
            "a template",
            "Yoo, Russakovsky, 2023, notebook",
        ),
        Published(
            "the same, trained with flips",
            {"% of side": 6.43, "PDJ@0.05": 42.6},
            "a template",
            "Yoo, Russakovsky, 2023, notebook",
        ),
    ),
)

PROTOCOLS_HUMAN36M = (SIMPLIFIED_HUMAN36M, HUMAN36M, HUMAN36M_TEMPLATES)
