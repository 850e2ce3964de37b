"""Protocols for joints in space, in metres."""

from __future__ import annotations

from fastpose.evaluation.metrics.correct_points import THRESHOLDS_3D
from fastpose.evaluation.protocols.declare import (
    AUC_3D,
    MPJPE,
    N_MPJPE,
    N_MPJPE_NORMS,
    P_MPJPE,
    P_MPJPE_MIRRORED,
    PCK_3D,
    Column,
    Curve,
    Protocol,
    Published,
    group_columns,
    group_values,
)
from fastpose.skeletons import get_skeleton, make_skeleton

_CURVE = Curve("distance in metres, roots together", "one", THRESHOLDS_3D, alignment="root")
_CHEN, _ITES = "Chen et al., CVPR 2019", "Li et al., AAAI 2020"

HUMAN36M_3D = Protocol(
    name="human36m-3d",
    title="Human3.6M in 3D, 17 joints, mm",
    source="Ionescu et al., PAMI 2014; alignments as the columns name them",
    inputs="points3d",
    skeleton=get_skeleton("h36m17"),
    root="pelvis",
    columns=(
        Column("MPJPE", MPJPE),
        Column("N-MPJPE", N_MPJPE),
        Column("P-MPJPE", P_MPJPE),
    ),
    train="S1, S5, S6, S7, S8",
    test="S9, S11 without Directions of S11 in camera 54138969",
    test_actors=("S9", "S11"),
    further=(N_MPJPE_NORMS, P_MPJPE_MIRRORED),
    curve=_CURVE,
    published=(
        Published("Rhodin", {"P-MPJPE": 98.2}, "3D labels of S1, views", f"in {_ITES}, table 3"),
        Published("Chen", {"P-MPJPE": 68.0}, "unpaired 2D poses", f"{_CHEN}, in {_ITES}, table 3"),
        Published("Drover", {"P-MPJPE": 64.6}, "unpaired 2D poses", f"in {_ITES}, table 3"),
        Published("ITES", {"MPJPE": 85.3, "P-MPJPE": 59.8}, "unpaired 2D poses", _ITES),
    ),
    notes=(
        "the root counts as a joint with an error of 0 in MPJPE and N-MPJPE",
        "N-MPJPE is by least squares and P-MPJPE without mirroring; both others are printed below",
    ),
)

MPI_INF_3DHP = Protocol(
    name="mpi-inf-3dhp",
    title="MPI-INF-3DHP, 17 joints: joints within 150 mm, and area under the curve to 150 mm",
    source="Mehta et al., 3DV 2017",
    inputs="points3d",
    skeleton=get_skeleton("h36m17"),
    root="pelvis",
    columns=(
        Column("3D-PCK", PCK_3D),
        Column("AUC", AUC_3D),
        Column("MPJPE", MPJPE),
        Column("P-MPJPE", P_MPJPE),
    ),
    train="S1 to S8",
    test="TS1 to TS6",
    further=(N_MPJPE, P_MPJPE_MIRRORED),
    curve=_CURVE,
    published=(
        Published(
            "Chen",
            {"3D-PCK": 71.1, "AUC": 36.3},
            "unpaired 2D poses",
            f"{_CHEN}, in {_ITES}, table 4",
        ),
        Published("ITES", {"3D-PCK": 68.2, "AUC": 35.2}, "unpaired 2D poses", _ITES),
    ),
    notes=("ours has roots together and no other alignment; of the rows it is not said",),
)

_MPII = make_skeleton(
    "mpii16",
    "r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis thorax neck head_top "
    "r_wrist r_elbow r_shoulder l_shoulder l_elbow l_wrist",
    "pelvis-thorax thorax-neck neck-head_top pelvis-r_hip pelvis-l_hip thorax-r_shoulder "
    "thorax-l_shoulder r_hip-r_knee r_knee-r_ankle l_hip-l_knee l_knee-l_ankle "
    "r_shoulder-r_elbow r_elbow-r_wrist l_shoulder-l_elbow l_elbow-l_wrist",
)

INFANTS_3D = Protocol(
    name="infants-3d",
    title="Synthetic infants (MINI-RGBD) in 3D, 16 joints: MPJPE, mm",
    source="Schmidtke et al., CVPR 2021, table of 3D lifting",
    inputs="points3d",
    skeleton=_MPII,
    root="pelvis",
    columns=(
        Column("all", MPJPE),
        *group_columns(MPJPE),
    ),
    train="sequences 1 to 8, 9 and 10 to stop by",
    test="sequences 11 and 12",
    further=(N_MPJPE, P_MPJPE, P_MPJPE_MIRRORED),
    curve=_CURVE,
    published=(
        Published(
            "KeypointGAN, lifted",
            group_values(59.7, 10.1, 58.4, 73.3, 58.0, 101.5),
            "3D labels for lifting",
            "in Schmidtke et al., CVPR 2021",
        ),
        Published(
            "shape templates, lifted",
            group_values(44.7, 8.0, 57.5, 80.9, 35.6, 78.7),
            "3D labels for lifting",
            "Schmidtke et al., CVPR 2021",
        ),
    ),
    notes=("'all' is over the 16 joints, the pelvis with an error of 0 included",),
)

PROTOCOLS_3D = (HUMAN36M_3D, MPI_INF_3DHP, INFANTS_3D)
