"""How unpaired poses are chosen, seen and framed."""

from __future__ import annotations

from dataclasses import dataclass

from fastpose.errors import UserError

FRAMINGS = ("standing", "box", "given", "fitted")


@dataclass(frozen=True)
class PriorConfig:
    """How poses are drawn. Shares are in [0,1], angles in degrees, lengths in body heights.

    Which poses:
        actions: keep recordings whose action or name holds one of these words; empty keeps all.
        exclude_actions: drop those whose action or name holds one of these words.
        balance: what is equally likely: "frame", "clip", "action" or "source"; 2D labels that say
            where they come from know "clip" only.
        poses: use only so many poses, drawn once, with repetition, from ``poses_seed``; 0 uses all
            (the experiments on the number of unpaired poses of Jakab et al., CVPR 2020).
        thinning: a frame counts as new once its joints moved this far, on average, in body heights.
        max_tilt: drop poses whose trunk leans further from the vertical.
        mirror: exchange left and right in half of the draws.
        bone_normalisation: 0 keeps each recording's proportions, 1 gives all the same ones.
        bone_jitter: standard deviation of the logarithm of random bone lengths, by body part.
        recombination: share of poses that get arms and legs of other poses (see ``recombine``).
    Which camera:
        frontal_share: share of views from the front (yaw about 0).
        side_share: share of views from either side (yaw about 90 or -90). The rest comes from
            anywhere around the person.
        yaw_spread: standard deviation of the yaw around front and side.
        pitch_mean, pitch_sd: how far the camera looks down on the person.
        roll_sd: how far the camera is turned about its axis.
        distance: nearest and furthest camera, in body heights.
    Where in the crop:
        framing: "standing": a fixed camera, the standing person ``height`` tall with the head at
            ``top``; "box": the pose's own bounding box fills ``height`` of the crop, centred;
            "given": 2D labels stay where they lie in their own crops, spread by the deviations;
            "fitted": the table of ``fit``, made from unlabelled clips by ``fit_prior``.
        height, height_sd: body height ("box": the box's longer side) as a share of the crop's side.
        top, top_sd: top of the head of the standing person, as a share of the crop's side.
        centre, centre_sd: the pelvis (or the box's middle) from left to right, as a share.
        cut_share: share of "standing" draws that come closer and cut the legs.
        cut_height, cut_height_sd: body height in those draws.
        aspect_sd: standard deviation of the logarithm of width over height, of 2D labels.
        outside_limit: joints outside the picture slide along their limb back to this distance from
            the centre (1 is the border); 0 leaves them where they are.
    Fitted to clips:
        fit: the table written by ``fit_prior``, for ``framing="fitted"``.
        fit_share: share of draws that take pose, view and place from the table; the others take
            view and place from it but any pose.
        fit_yaw_sd, fit_scale_sd, fit_shift_sd: spread around the table's values (degrees, share of
            the scale, share of the crop's side).
    """

    actions: tuple[str, ...] = ()
    exclude_actions: tuple[str, ...] = ()
    balance: str = "clip"
    poses: int = 0
    poses_seed: int = 0
    thinning: float = 0.03
    max_tilt: float = 180.0
    mirror: bool = True
    bone_normalisation: float = 0.7
    bone_jitter: float = 0.05
    recombination: float = 0.0
    frontal_share: float = 0.6
    side_share: float = 0.4
    yaw_spread: float = 15.0
    pitch_mean: float = 0.0
    pitch_sd: float = 4.0
    roll_sd: float = 2.0
    distance: tuple[float, float] = (3.0, 8.0)
    framing: str = "standing"
    height: float = 0.87
    height_sd: float = 0.04
    top: float = 0.27
    top_sd: float = 0.03
    centre: float = 0.5
    centre_sd: float = 0.03
    aspect_sd: float = 0.0
    cut_share: float = 0.0
    cut_height: float = 1.2
    cut_height_sd: float = 0.1
    outside_limit: float = 1.0
    fit: str = ""
    fit_share: float = 0.8
    fit_yaw_sd: float = 8.0
    fit_scale_sd: float = 0.03
    fit_shift_sd: float = 0.01

    def __post_init__(self) -> None:
        for name in (
            "frontal_share",
            "side_share",
            "cut_share",
            "fit_share",
            "bone_normalisation",
            "recombination",
        ):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UserError(f"prior.{name}: must lie in [0, 1], not {getattr(self, name)}")
        if self.frontal_share + self.side_share > 1.0 + 1e-9:
            raise UserError("prior.frontal_share + prior.side_share: must not exceed 1")
        if self.framing not in FRAMINGS:
            raise UserError(
                f"prior.framing: must be one of {', '.join(FRAMINGS)}, not '{self.framing}'"
            )
        if self.framing == "fitted" and not self.fit:
            raise UserError("prior.fit: name the table that fit_prior wrote, or change the framing")
        low, high = self.distance
        if not 1.0 <= low <= high:
            raise UserError(f"prior.distance: must be 1 <= near <= far, not {self.distance}")
        for name in ("height", "cut_height"):
            if not getattr(self, name) > 0.0:
                raise UserError(f"prior.{name}: must be positive, not {getattr(self, name)}")
        if 0.0 < self.outside_limit < 1.0:
            raise UserError(
                f"prior.outside_limit: must be 0 or at least 1, not {self.outside_limit}"
            )
        for name in (
            "bone_jitter",
            "yaw_spread",
            "pitch_sd",
            "roll_sd",
            "height_sd",
            "top_sd",
            "aspect_sd",
            "poses",
            "poses_seed",
        ):
            if getattr(self, name) < 0.0:
                raise UserError(f"prior.{name}: must not be negative, not {getattr(self, name)}")
