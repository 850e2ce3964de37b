"""Protocols for joints in pictures of people, but for Human3.6M."""

from __future__ import annotations

from fastpose.evaluation.metrics.correct_points import even_thresholds
from fastpose.evaluation.protocols.declare import (
    OF_SIDE,
    PERCENT_OF_SIDE,
    SQUARED_PERCENT,
    Column,
    Curve,
    Measure,
    Protocol,
    Published,
    group_columns,
    group_values,
    pck,
    sides,
)
from fastpose.skeletons import get_skeleton, make_skeleton

_SCHMIDTKE = "Schmidtke et al., CVPR 2021"

PENN_ACTION = Protocol(
    name="penn-action",
    title="Penn Action, 13 joints",
    source="Zhang, Zhu, Derpanis, ICCV 2013; PCK of Yang, Ramanan, PAMI 2013",
    inputs="points2d",
    skeleton=get_skeleton("body13"),
    columns=(
        Column("PCK@0.2", pck(0.2, "box")),
        Column("PCK@0.1", pck(0.1, "box")),
        Column("PCK@0.05", pck(0.05, "box")),
        Column("% of side", PERCENT_OF_SIDE),
        Column("head", pck(0.2, "box"), joints=("head",)),
        *(
            Column(f"{part}s", pck(0.2, "box"), joints=sides(part))
            for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        ),
    ),
    train="videos with train = 1",
    test="videos with train = -1",
    forgive_sides=True,
    curve=Curve("distance / longer side of the person's box", "box", even_thresholds(0.5, 50)),
    notes=("no row of a paper is printed: none could be confirmed with its box and its frames",),
)

INFANTS = Protocol(
    name="infants",
    title="Infants: mean joint distance, % of the picture's side",
    source=f"{_SCHMIDTKE}, table of infants",
    inputs="points2d",
    skeleton=get_skeleton("limbs12"),
    columns=(
        Column("all", PERCENT_OF_SIDE, mean_of="groups"),
        *group_columns(PERCENT_OF_SIDE),
    ),
    train="20 infants, 290 thousand pictures (clinical, not public)",
    test="471 labelled pictures of other infants",
    forgive_sides=True,
    further=(SQUARED_PERCENT,),
    curve=OF_SIDE,
    published=(
        Published(
            "Xiao, fine-tuned",
            group_values(1.74, 2.39, 1.50, 1.47, 1.76, 1.59),
            "labelled pictures",
            f"in {_SCHMIDTKE}",
        ),
        Published(
            "KeypointGAN",
            group_values(8.98, 6.89, 8.18, 13.15, 5.33, 11.36),
            "unpaired poses",
            f"in {_SCHMIDTKE}",
        ),
        Published(
            "shape templates",
            group_values(4.86, 3.79, 4.60, 5.53, 3.19, 7.21),
            "a template",
            _SCHMIDTKE,
        ),
    ),
    notes=(
        "'all' is the mean of the five groups; elbows are labelled and in no group",
        "the rows are of clinical pictures: on other infants ours stands for itself",
    ),
)

WEIZMANN = Protocol(
    name="weizmann",
    title="Weizmann actions, 12 limb joints: mean joint distance, % of the picture's side",
    source="clips of Gorelick et al., PAMI 2007; joints of a public pose network, not of people",
    inputs="points2d",
    skeleton=get_skeleton("limbs12"),
    columns=(Column("all", PERCENT_OF_SIDE, mean_of="activities"),),
    columns_by_activity=PERCENT_OF_SIDE,
    train="all clips, without labels",
    held_out=False,
    test="all frames of the clips, joints with a score above 0.4",
    forgive_sides=True,
    further=(SQUARED_PERCENT, pck(0.05, "side", "joints within"), pck(0.2, "torso", "PDJ")),
    curve=OF_SIDE,
    notes=("no paper scores on these labels; they are a pose network's, so an error of its own",),
)

HUMAN36M_LIKE = Protocol(
    name="human36m-like",
    title="Synthetic people: mean joint distance, % of the picture's side",
    source="clips of 'fastpose synthesize', exact joints",
    inputs="points2d",
    skeleton=get_skeleton("body18"),
    columns=(Column("all", PERCENT_OF_SIDE, mean_of="activities"),),
    columns_by_activity=PERCENT_OF_SIDE,
    train="clips of other actors",
    test="all labelled frames of the clips",
    forgive_sides=True,
    further=(SQUARED_PERCENT, pck(0.05, "side", "joints within"), pck(0.2, "torso", "PDJ")),
    curve=OF_SIDE,
    notes=("synthetic: for ranking methods, not for comparing with papers",),
)

MPII = Protocol(
    name="mpii",
    title="MPII: PCKh@0.5, %",
    source="Andriluka et al., CVPR 2014",
    inputs="points2d",
    skeleton=get_skeleton("lsp14"),  # the joints of MPII that count
    columns=(
        Column("mean", pck(0.5, "head", "PCKh")),
        Column("PCKh@0.1", pck(0.1, "head", "PCKh")),
        Column("head", pck(0.5, "head", "PCKh"), joints=("neck", "head_top")),
        *(
            Column(f"{part}s", pck(0.5, "head", "PCKh"), joints=sides(part))
            for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        ),
    ),
    train="the training pictures",
    test="the validation pictures",
    curve=Curve("distance / head", "head", even_thresholds(0.5, 50)),
    published=tuple(
        Published(
            f"Simple Baselines, ResNet-{depth}, 256x256",
            {"mean": mean},
            "labelled pictures",
            "Xiao et al., ECCV 2018, their repository",
        )
        for depth, mean in ((50, 88.53), (101, 89.13), (152, 89.62))
    ),
    notes=("pelvis and thorax do not count; 'head' (N,) or (N,4) must come with the predictions",),
)

MAFL = Protocol(
    name="mafl",
    title="MAFL faces, 5 points after a linear map: mean distance, % of that between the eyes",
    source="Jakab, Gupta et al., NeurIPS 2018; linear map 'imm'",
    inputs="points2d",
    skeleton=make_skeleton(
        "face5",
        "l_eye r_eye nose l_mouth r_mouth",
        "l_eye-nose r_eye-nose nose-l_mouth nose-r_mouth",
    ),
    columns=(Column("% of eyes", Measure("distance", "% of eyes", size="eyes", factor=100.0)),),
    train="CelebA without MAFL's test pictures; the map on MAFL's training pictures",
    test="1,000 pictures of MAFL",
    curve=Curve("distance / distance between the eyes", "eyes", even_thresholds(0.2, 40)),
    published=tuple(
        Published(method, {"% of eyes": value}, "labels for a linear map", source)
        for method, value, source in (
            ("Zhang, 10 points", 3.46, "Zhang et al., CVPR 2018"),
            ("IMM, 10 points", 3.19, "Jakab, Gupta et al., NeurIPS 2018"),
            ("Sanchez, 10 points", 3.99, "Sanchez, Tzimiropoulos, NeurIPS 2019"),
        )
    ),
    notes=("the rows are as later work lists them",),
)

PROTOCOLS_2D = (
    HUMAN36M_LIKE,
    PENN_ACTION,
    INFANTS,
    WEIZMANN,
    MPII,
    MAFL,
)
