"""Protocols for reconstructed pictures."""

from __future__ import annotations

from fastpose.evaluation.protocols.declare import PSNR, SSIM, Column, Protocol, Published

_SOURCE = "de Bem et al., DGPose, IJCV 2020"
_COLUMNS = (Column("PSNR", PSNR), Column("SSIM", SSIM))
_NOTES = (
    "PSNR over 8-bit pixels; SSIM with 7x7 uniform windows and sample covariance, mean of channels",
    "both depend on the resolution: compare rows of one resolution only",
)


def _row(method: str, psnr: float, ssim: float, table: str) -> Published:
    return Published(method, {"PSNR": psnr, "SSIM": ssim}, "labelled poses", f"{_SOURCE}, {table}")


CHICTOPIA_PLUS = Protocol(
    name="chictopia-plus",
    title="ChictopiaPlus: reconstructions",
    source=_SOURCE,
    inputs="pictures",
    columns=_COLUMNS,
    train="23,011 pictures",
    test="2,873 pictures, 286x286",
    published=(
        _row("Conditional-DGPose", 21.33, 0.88, "table 2"),
        _row("ClothNet-body", 16.89, 0.82, "table 2"),
    ),
    notes=_NOTES,
)

DEEPFASHION = Protocol(
    name="deepfashion",
    title="DeepFashion: reconstructions",
    source=_SOURCE,
    inputs="pictures",
    columns=_COLUMNS,
    train="44,950 pictures",
    test="6,560 pictures, 256x256",
    published=(
        _row("Conditional-DGPose", 18.38, 0.79, "tables 3 and 5"),
        _row("PG2", 18.96, 0.83, "tables 3 and 5"),
        _row("Semi-DGPose", 16.84, 0.76, "table 5"),
    ),
    notes=_NOTES,
)

HUMAN36M_PICTURES = Protocol(
    name="human36m-pictures",
    title="Human3.6M: reconstructions",
    source=_SOURCE,
    inputs="pictures",
    columns=_COLUMNS,
    train="317,989 pictures, a share of them labelled",
    test="1,280 pictures",
    published=(
        _row("Semi-DGPose, 100 % labelled", 22.27, 0.89, "table 4"),
        _row("Semi-DGPose, 75 % labelled", 21.49, 0.87, "table 4"),
        _row("Semi-DGPose, 50 % labelled", 21.36, 0.86, "table 4"),
        _row("Semi-DGPose, 25 % labelled", 20.06, 0.83, "table 4"),
    ),
    notes=_NOTES,
)

PROTOCOLS_OF_PICTURES = (CHICTOPIA_PLUS, DEEPFASHION, HUMAN36M_PICTURES)
