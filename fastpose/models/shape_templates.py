"""Shape templates: pose from unlabelled pairs of frames and a template of Gaussians alone.

Schmidtke, Vlontzos, Ellershaw, Lukens, Arichi, Kainz, "Unsupervised Human Pose Estimation through
Transforming Shape Templates", CVPR 2021; options from Yoo and Russakovsky, ICCV workshops 2023.
Every default is that of the published code unless its field says "ours".

    maps             M  = motion(regressor(x))        one affine map for each part
    parts            T' = template moved by M         K pictures
    anchors          a' = M a                         their means at the joints are the keypoints
    reconstruction   x^ = translator(x', T')          x' is another frame, the same background

A template that is symmetric tells left from right only by how the person stands in the picture: it
cannot tell a front from a back view. ``l_`` and ``r_`` are right where the person faces the camera.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fastpose import ops
from fastpose.errors import UserError
from fastpose.models.base import ModelConfig, PixelDetector, PoseModel, to_pictures, to_pixels
from fastpose.nn.constant import constant
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.nn.image_translator import ImageTranslator
from fastpose.nn.part_maps import PartMaps
from fastpose.nn.part_motion import PIVOTS, TRANSFORMS, PartMotion, normalise
from fastpose.nn.part_regressor import SMALLEST, VARIANTS, PartRegressor
from fastpose.skeletons import Skeleton
from fastpose.templates import Template, load_template

HEATMAPS = "heatmaps"
WARPS = ("analytic", "sampled")
_GUARD = 0.25  # pixels squared of the canvas that a degenerate part keeps as its variance
_FEATURE_LAYERS = {"vgg19": 13, "squeezenet1_1": 4, "random": 5}
_AGREE = 0.02  # share of the side that a joint's anchors may lie apart for a confidence of 0.6


@dataclass(frozen=True)
class ShapeTemplatesConfig(ModelConfig):
    """Architecture and fixed choices of the model.

    Args:
        template: by its name or file, see ``fastpose.templates``; kept whole in the run.
        image_size: side S of the frames, a multiple of 8, 64 or more; 256 in the published code.
        regressor_width: channels of the regressor at full resolution.
        regressor_variant: "released", the published training configuration, or "paper_like", about
            as small as the paper states; or "heatmaps", where a part lies is the mean of a heatmap
            (ours, for little training).
        translator_width: channels of the translator at full resolution.
        translator_skips: the background may pass around its lowest resolution (ours).
        transform: "affine", "similarity": turn, scale and shift alone (ours), or "rigid": turn and
            shift, and one scale for all parts of an image (after Yoo and Russakovsky's constrained
            variant).
        pivot: what a map turns about: "corner" of the image, as published, or "part", the part's
            own centre (ours).
        two_step: arms first move as a whole, then part by part (Yoo and Russakovsky).
        zero_head: begin with the undeformed template (ours).
        warp: "analytic": a Gaussian moved is again a Gaussian; "sampled": bilinear, as published,
            0.01 away from it at most.
        guard: parts whose map is degenerate keep half a pixel of width (ours); analytic only.
        features: network of the reconstruction loss: ``vgg19``, ``squeezenet1_1`` or ``random``.
        feature_weights: its local weights file, with the key names of torchvision.
        feature_layer: index of its layer whose output is compared; None: 13 of VGG-19 (relu3_2, as
            published), the middle one of the others.
    """

    FILES = ("feature_weights",)

    template: Template = field(default_factory=lambda: load_template("t-pose"))
    image_size: int = 256
    regressor_width: int = 32
    regressor_variant: str = "released"
    translator_width: int = 32
    translator_skips: bool = False
    transform: str = "affine"
    pivot: str = "corner"
    two_step: bool = False
    zero_head: bool = False
    warp: str = "analytic"
    guard: bool = False
    features: str = "random"
    feature_weights: str | None = None
    feature_layer: int | None = None

    def __post_init__(self) -> None:
        if self.image_size < SMALLEST or self.image_size % 8:
            raise UserError(
                f"model.image_size: expected a multiple of 8, {SMALLEST} or more, got "
                f"{self.image_size}"
            )
        for name in ("regressor_width", "translator_width"):
            if not getattr(self, name) > 0:
                raise UserError(f"model.{name}: must be positive, got {getattr(self, name)}")
        for name, known in (
            ("regressor_variant", (*VARIANTS, HEATMAPS)),
            ("transform", TRANSFORMS),
            ("pivot", PIVOTS),
            ("warp", WARPS),
        ):
            if getattr(self, name) not in known:
                raise UserError(
                    f"model.{name}: expected one of {', '.join(known)}, got '{getattr(self, name)}'"
                )
        if self.regressor_variant == HEATMAPS and (self.pivot != "part" or self.two_step):
            raise UserError(
                "model.regressor_variant: heatmaps need model.pivot=part and one step; otherwise "
                "set model.regressor_variant=released too"
            )
        if self.guard and self.warp != "analytic":
            raise UserError("model.guard: widens analytic Gaussians; sampled ones cannot be")
        if self.two_step and not self.template.groups:
            raise UserError(
                f"model.two_step: the template '{self.template.name}' has no groups of parts that "
                "move as one"
            )

    @property
    def skeleton(self) -> Skeleton:
        """What the model detects: the template's joints."""
        return self.template.skeleton


class ShapeTemplates(PoseModel):
    """The whole system; see the module's docstring. One phase, ``"main"``, trains it.

    Args:
        config: architecture and template.
        skeleton: the template's own; of a checkpoint, what it was trained for.
        for_training: build what only losses need (translator and feature network).

    Raises:
        UserError: the skeleton is not that of the template.
    """

    centers: Tensor
    covariances: Tensor
    needs_still_background = True
    networks = ("detector.regressor", "detector.motion", "translator")

    def __init__(
        self, config: ShapeTemplatesConfig, skeleton: Skeleton, *, for_training: bool = True
    ) -> None:
        super().__init__()
        template = config.template
        if skeleton != template.skeleton:
            raise UserError(
                f"the template '{template.name}' has other joints than skeleton '{skeleton.name}': "
                "the checkpoint or run is one of another template"
            )
        self.config, self.skeleton, self.image_size = config, skeleton, config.image_size
        self.detector = TemplateDetector(config)
        self.translator = ImageTranslator(
            3 + len(template.parts), width=config.translator_width, skips=config.translator_skips
        )
        self.anchors, self.canvas = len(template.anchors), template.size
        scale = (2.0 / (template.size - 1)) ** 2
        constant(self, "centers", normalise(torch.from_numpy(template.centers), template.size))
        constant(self, "covariances", torch.from_numpy(template.covariances) * scale)
        self.jitter = _GUARD * scale if config.guard else 0.0
        self._network: tuple[FeatureNetwork, ...] = ()
        if for_training:
            layer = config.feature_layer
            if layer is None:
                layer = _FEATURE_LAYERS.get(config.features)
            # Not part of the module tree: its weights belong to the user's file.
            self._network = (FeatureNetwork(config.features, config.feature_weights, layer=layer),)

    def pictures(self) -> Tensor:
        """The template's parts undeformed, (K, S, S) in [0, 1]."""
        return ops.render_gaussians(self.centers[None], self.covariances, self.image_size)[0]

    def condition(self, other: Tensor, maps: Tensor) -> Tensor:
        """What the translator sees: frame and moved parts (B, 3 + K, S, S), channels-last.

        Args:
            other: (B, 3, S, S) in [-1, 1].
            maps: (B, K, 2, 3), normalised.
        """
        size = self.image_size
        condition = torch.empty(
            (len(maps), 3 + maps.shape[1], size, size), dtype=other.dtype, device=other.device
        ).contiguous(memory_format=torch.channels_last)
        condition[:, :3] = other
        parts = condition[:, 3:]
        if self.config.warp == "analytic":
            ops.render_gaussians(
                self.centers, self.covariances, size, maps, jitter=self.jitter, out=parts
            )
        else:
            shift = to_pixels(maps[..., 2] - maps[..., :2].sum(dim=-1), size)
            pixels = torch.cat([maps[..., :2], shift[..., None]], dim=-1)
            ops.warp_templates(self.pictures(), pixels, size, out=parts)
        return condition

    def losses(self, batch: MutableMapping[str, Any], phase: str) -> dict[str, Tensor]:
        """Losses of the only phase, ``"main"``, by name.

        ``features`` (mean absolute difference), ``anchor`` and ``boundary`` are those of the
        published code, in its units; ``pixel`` is the picture's mean squared error (Yoo and
        Russakovsky). Of two steps the geometric ones are added.

        Args:
            batch: ``"target"`` and ``"other"`` (B, 3, S, S) in [-1, 1].
            phase: see above.
        """
        if phase != "main":
            raise ValueError(f"phase: unknown to ShapeTemplates: {phase!r}")
        target = batch["target"]
        steps = self.detector.maps(target)
        image = self.translator(self.condition(batch["other"], steps[-1]))
        anchor, boundary = zip(*(self.geometry(maps) for maps in steps), strict=True)
        return {
            "features": self.feature_loss(image, target),
            "anchor": torch.stack(anchor).sum(),
            "boundary": torch.stack(boundary).sum(),
            "pixel": F.mse_loss(image.float(), target.float()),
        }

    def geometry(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Anchor and boundary loss of maps (B, K, 2, 3), in the published code's units."""
        points = self.detector.move(maps)[:, : self.anchors]
        # That code measures in sides of the canvas, n pixels and not n - 1.
        share = (points + 1.0) * ((self.canvas - 1) / (2.0 * self.canvas))
        a, b = (share[:, ends] for ends in self.detector.pairs.unbind(1))
        return ops.anchor_loss(a, b, form="code"), ops.boundary_loss(2.0 * share - 1.0, form="code")

    def feature_loss(self, image: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference of one layer's features."""
        assert self._network, "built with for_training=False"
        features, targets = self._network[0].compare(image, target)
        return ops.feature_distance(features[1:], targets[1:], norm="l1")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised points (B, K, 2) and confidence (B, K) of images (B, 3, S, S) in [-1, 1]."""
        return self.detector(images)

    def inference_module(self) -> nn.Module:
        """What is exported: uint8 (B, 3, S, S) to pixels (B, K, 2) and confidence (B, K)."""
        return PixelDetector(self.detector, self.image_size)

    @torch.no_grad()
    def sheet(self, batch: MutableMapping[str, Any]) -> dict[str, np.ndarray]:
        """Columns of a sample sheet, uint8 (n, S, S, 3), and ``points`` (n, K, 2) in pixels."""
        maps = self.detector.maps(batch["target"])[-1]
        condition = self.condition(batch["other"], maps)
        points, _ = self.detector.read(maps)
        parts = condition[:, 3:].amax(dim=1, keepdim=True)
        return {
            "input": to_pictures(batch["target"]),
            "other frame": to_pictures(batch["other"]),
            "moved template": to_pictures(2.0 * parts - 1.0),
            "reconstruction": to_pictures(self.translator(condition)),
            "points": to_pixels(points, self.image_size).float().cpu().numpy(),
        }


class TemplateDetector(nn.Module):
    """Regressor, and what its numbers mean: maps of the parts, points that move with them."""

    points: Tensor
    point_parts: Tensor
    pairs: Tensor
    joints: Tensor
    agreement: Tensor

    def __init__(self, config: ShapeTemplatesConfig) -> None:
        super().__init__()
        template = config.template
        self.motion = PartMotion(
            template,
            transform=config.transform,
            pivot=config.pivot,
            two_step=config.two_step,
        )
        width, zero_head = config.regressor_width, config.zero_head
        if config.regressor_variant == HEATMAPS:
            self.regressor: nn.Module = PartMaps(
                config.image_size, self.motion, width=width, zero_head=zero_head
            )
        else:
            self.regressor = PartRegressor(
                config.image_size,
                self.motion.outputs,
                width=width,
                variant=config.regressor_variant,
                zero_head=zero_head,
            )
        constant(self, "points", normalise(torch.from_numpy(template.points), template.size))
        constant(self, "point_parts", torch.from_numpy(template.point_parts))
        constant(self, "joints", torch.from_numpy(template.joint_weights))
        constant(self, "pairs", torch.from_numpy(template.pair_indices))
        constant(self, "agreement", torch.from_numpy(pairs_of_joints(template)))

    def maps(self, images: Tensor) -> list[Tensor]:
        """Maps (B, K, 2, 3) of each step, the last one final, of images (B, 3, S, S)."""
        numbers = self.regressor(images)
        # Products of bfloat16 would be off by up to a pixel in 256.
        with torch.autocast(images.device.type, enabled=False):
            return self.motion(numbers)

    def move(self, maps: Tensor) -> Tensor:
        """Anchors, then landmarks (B, M + L, 2), normalised."""
        mine = maps[:, self.point_parts]
        return (mine[..., :2] * self.points[:, None, :]).sum(dim=-1) + mine[..., 2]

    def read(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Joints (B, J, 2), the means of their points, and confidence (B, J).

        The confidence is how well the parts agree about where they meet: exp(-d^2 / (2 r^2)) of the
        root mean square distance d of the pairs of anchors at the joint, r 2 % of the side (ours).
        """
        with torch.autocast(maps.device.type, enabled=False):
            points = self.move(maps)
            apart = points[:, self.pairs[:, 0]] - points[:, self.pairs[:, 1]]
            squares = (apart**2).sum(dim=-1) / 4.0  # in sides
            spread = squares @ self.agreement.t()
            return self.joints @ points, torch.exp(spread / (-2.0 * _AGREE**2))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised points (B, J, 2) and confidence (B, J) of images in [-1, 1]."""
        return self.read(self.maps(images)[-1])


def pairs_of_joints(template: Template) -> np.ndarray:
    """(J, P): the mean over the pairs at each joint; where there is none, those of its part."""
    weights = np.zeros((len(template.joints), len(template.pairs)))
    for row, points in zip(weights, template.joints.values(), strict=True):
        parts = {point.split(".")[0] for point in points}
        ends = [{end.split(".")[0] for end in pair} for pair in template.pairs]
        there = [set(pair) <= set(points) for pair in template.pairs]
        near = there if any(there) else [bool(end & parts) for end in ends]
        row[:] = np.array(near) / max(1, sum(near))
    return weights
