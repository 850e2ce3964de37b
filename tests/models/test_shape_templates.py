"""Shape templates: the published figures and formulas, every option, and the exported detector."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.models.shape_templates import ShapeTemplates, ShapeTemplatesConfig
from fastpose.nn.part_maps import PartMaps
from fastpose.skeletons import get_skeleton
from fastpose.templates import load_template

SMALL = ShapeTemplatesConfig(image_size=64, regressor_width=4, translator_width=4)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"pivot": "part", "zero_head": True, "guard": True},
    {"transform": "similarity"},
    {"two_step": True},
    {"two_step": True, "transform": "similarity", "pivot": "part"},
    {"transform": "rigid", "pivot": "part"},
    {"two_step": True, "transform": "rigid", "pivot": "part"},
    {"warp": "sampled"},
    {"translator_skips": True},
    {"regressor_variant": "heatmaps", "pivot": "part"},
    {"regressor_variant": "heatmaps", "pivot": "part", "transform": "rigid"},
    {"regressor_variant": "paper_like"},
    {"template": load_template("infant")},
]


def build(config: ShapeTemplatesConfig = SMALL, **changes: Any) -> ShapeTemplates:
    torch.manual_seed(0)
    config = replace(config, **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ShapeTemplates(config, config.skeleton)


def make_batch(size: int = 64, count: int = 3) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    shape = (count, 3, size, size)
    return {name: torch.rand(shape, generator=generator) * 2 - 1 for name in ("target", "other")}


def published_maps(numbers: Tensor, template_size: int) -> Tensor:
    """Maps in canvas pixels, as the published code makes them: I + numbers, t in sides."""
    delta = numbers.view(len(numbers), -1, 2, 3).clone()
    theta = delta + torch.eye(2, 3)
    theta[..., 2] *= template_size
    return theta


def to_canvas(maps: Tensor, size: int) -> Tensor:
    """Normalised maps in pixels of a picture of side ``size``."""
    shift = (maps[..., 2] + 1 - maps[..., :2].sum(-1)) * (size - 1) / 2
    return torch.cat([maps[..., :2], shift[..., None]], dim=-1)


@pytest.mark.parametrize(
    ("variant", "parameters"), [("released", 18_458_927), ("paper_like", 8_034_095)]
)
def test_the_published_number_of_parameters(variant: str, parameters: int) -> None:
    """Schmidtke et al.'s training configuration; and 8.03 M of the network that the paper used."""
    with torch.device("meta"):
        config = ShapeTemplatesConfig(regressor_variant=variant)
        model = ShapeTemplates(config, config.skeleton, for_training=False)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_learns(options: dict[str, Any]) -> None:
    model = build(**options)
    losses = model.losses(make_batch(), "main")
    assert set(losses) == {"features", "anchor", "boundary", "pixel"}
    assert all(v.ndim == 0 and torch.isfinite(v) for v in losses.values())
    losses["features"].backward()
    # Through the moved parts alone does the picture tell the regressor anything.
    regressor = model.detector.regressor
    encoder = regressor.encoder if isinstance(regressor, PartMaps) else regressor
    head = encoder.head.weight.grad
    assert head is not None and head.abs().max() > 0


def test_maps_are_the_published_ones() -> None:
    """Identity plus what was regressed, translations in sides of the canvas, about its corner."""
    model = build()
    numbers = torch.randn(2, model.detector.motion.outputs) * 0.3
    (maps,) = model.detector.motion(numbers)
    assert torch.allclose(to_canvas(maps, 256), published_maps(numbers, 256), atol=2e-4)
    template = model.config.template
    anchors = torch.from_numpy(template.anchors).float()
    mine = published_maps(numbers, 256)[:, template.point_parts[: len(anchors)]]
    expected = (mine[..., :2] @ anchors[..., None])[..., 0] + mine[..., 2]
    moved = (model.detector.move(maps)[:, : len(anchors)] + 1) * 255 / 2
    assert torch.allclose(moved, expected, atol=1e-3)


@pytest.mark.parametrize("scale", [0.02, 0.5])
def test_the_geometric_losses_are_the_published_ones(scale: float) -> None:
    """A plain transcription of the published definitions, in canvas pixels."""
    model = build().double()
    numbers = torch.randn(5, model.detector.motion.outputs, dtype=torch.float64) * scale
    (maps,) = model.detector.motion(numbers)
    anchor, boundary = model.geometry(maps)
    points = (model.detector.move(maps)[:, :32] + 1) * 255 / 2
    total = 0.0
    for a, b in model.config.template.pair_indices:
        square = ((points[:, a] - points[:, b]) / 256) ** 2  # of x, y, and the third, which is 0
        total += float(square.sum() / (5 * 3))
    assert abs(float(anchor) - total) < 1e-6 * max(1.0, total)
    outside = 0.0
    for a in range(32):
        z = 2 * points[:, a] / 256 - 1
        outside += float(torch.where(z.abs() > 1, z.abs(), torch.zeros_like(z)).sum() / (5 * 3))
    assert abs(float(boundary) - outside) < 1e-6 * max(1.0, outside)


def test_the_undeformed_template_is_the_table() -> None:
    model = build(image_size=256, zero_head=True).double()
    numbers = torch.zeros(1, model.detector.motion.outputs, dtype=torch.float64)
    (maps,) = model.detector.motion(numbers)
    frame = torch.zeros(1, 3, 256, 256, dtype=torch.float64)
    parts = model.condition(frame, maps)[0, 3:].numpy()
    template = model.config.template
    y, x = np.mgrid[0:256, 0:256]
    for part, covariance, drawn in zip(template.parts, template.covariances, parts, strict=True):
        d = np.stack([x, y], -1) - np.array(part.center)
        q = np.einsum("yxi,ij,yxj->yx", d, np.linalg.inv(covariance), d)
        assert np.abs(drawn - np.exp(-q / 2)).max() < 1e-6


def test_the_sampled_warp_is_that_of_the_papers() -> None:
    """affine_grid and grid_sample of the inverse, corner-aligned, as in kornia 0.5.2."""
    model = build(image_size=256, warp="sampled", zero_head=True)
    numbers = torch.randn(2, model.detector.motion.outputs) * 0.1
    (maps,) = model.detector.motion(numbers)
    parts = model.condition(torch.zeros(2, 3, 256, 256), maps)[:, 3:]
    drawn = model.pictures()
    last = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(2, 18, 1, 3)
    back = torch.linalg.inv(torch.cat([maps.double(), last], dim=2))[:, :, :2].flatten(0, 1)
    grid = torch.nn.functional.affine_grid(back, [36, 1, 256, 256], align_corners=True)
    source = drawn.double().expand(2, -1, -1, -1).reshape(36, 1, 256, 256)
    expected = torch.nn.functional.grid_sample(source, grid, align_corners=True)
    assert (parts.double() - expected.view(2, 18, 256, 256)).abs().max() < 1e-4
    # The closed form is the same thing but for what bilinear sampling loses.
    exact = build(image_size=256, zero_head=True).condition(torch.zeros(2, 3, 256, 256), maps)
    assert (exact[:, 3:] - parts).abs().max() < 0.012


def test_the_frame_comes_first_in_what_the_translator_sees() -> None:
    model = build()
    other = make_batch()["other"]
    maps = model.detector.maps(make_batch()["target"])[-1]
    condition = model.condition(other, maps)
    assert condition.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(condition[:, :3], other)
    parts = condition[:, 3:].detach()
    assert float(parts.min()) >= 0.0 and float(parts.max()) <= 1.0


def test_turning_about_the_parts_leaves_their_centres() -> None:
    model = build(pivot="part", transform="similarity")
    numbers = torch.zeros(1, 18, 4)
    numbers[..., :2] = torch.tensor([-1.0, 1.0])  # a quarter turn
    (maps,) = model.detector.motion(numbers.flatten(1))
    centers = model.centers
    moved = (maps[0, :, :, :2] @ centers[..., None])[..., 0] + maps[0, :, :, 2]
    assert torch.allclose(moved, centers, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"pivot": "part", "transform": "rigid", "two_step": True}])
def test_maps_and_points_are_not_rounded_to_bfloat16(options: dict[str, Any]) -> None:
    model = build(**options)
    numbers = torch.randn(2, model.detector.motion.outputs)
    model.detector.regressor.forward = lambda images: numbers  # type: ignore[method-assign]
    images = make_batch()["target"]
    plain = model.detector(images)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model.detector(images)
    assert all(torch.equal(a, b) for a, b in zip(plain, mixed, strict=True))


@pytest.mark.parametrize("two_step", [False, True])
def test_rigid_parts_have_one_size(two_step: bool) -> None:
    model = build(pivot="part", transform="rigid", two_step=two_step)
    motion = model.detector.motion
    numbers = torch.randn(5, motion.outputs)
    numbers[:, -1] = torch.tensor([0.0, 0.5, -0.5, 100.0, -100.0])
    for maps in motion(numbers):
        size = torch.linalg.det(maps[..., :2]).sqrt()
        assert torch.allclose(size, size[:, :1], rtol=1e-4)
        assert torch.allclose(size[[0, 3, 4], 0].log(), torch.tensor([0.0, 0.3, -0.3]), atol=1e-4)
        scaled_turn = maps[..., :2] @ maps[..., :2].mT  # a turn times its size
        assert torch.allclose(scaled_turn, size[..., None, None] ** 2 * torch.eye(2), atol=1e-4)


def test_two_steps_move_arms_as_one_and_then_apart() -> None:
    model = build(two_step=True, zero_head=True)
    motion = model.detector.motion
    assert motion.maps == 20  # as Yoo and Russakovsky count them
    numbers = torch.zeros(1, 20, 6)
    names = [part.name for part in model.config.template.parts]
    arm = [names.index(f"r_{p}") for p in ("upper_arm", "forearm", "hand")]
    group = 12 + list(model.config.template.groups).index("r_arm")
    numbers[0, group, 2] = 0.1  # the whole arm to the right
    first, second = motion(numbers.flatten(1))
    for maps in (first, second):
        shift = to_canvas(maps, 256)[0, :, 0, 2]
        assert torch.allclose(shift[arm], torch.tensor(25.6), atol=1e-3)
        assert sum(abs(float(s)) > 1e-3 for s in shift) == 3
    numbers[0, 14, 5] = 0.1  # the first part of the arms, down by itself
    _, second = motion(numbers.flatten(1))
    down = to_canvas(second, 256)[0, :, 1, 2]
    assert sum(abs(float(s)) > 1e-3 for s in down) == 1


def test_a_degenerate_map_is_guarded() -> None:
    numbers = torch.zeros(1, 18, 2, 3)
    numbers[:, 0, 0, 0] = -1.0  # the first part's A becomes singular
    for guard in (False, True):
        model = build(guard=guard)
        (maps,) = model.detector.motion(numbers.flatten(1))
        parts = model.condition(torch.zeros(1, 3, 64, 64), maps)[:, 3:]
        assert bool(torch.isfinite(parts[:, 0]).all()) is guard
        assert torch.isfinite(parts[:, 1:]).all()


def test_confidence_is_how_well_the_parts_agree() -> None:
    model = build(zero_head=True)
    numbers = torch.zeros(2, 18, 2, 3)
    names = [part.name for part in model.config.template.parts]
    numbers[1, names.index("l_shin"), 0, 2] = 0.04  # a shin 4 % of the side away
    (maps,) = model.detector.motion(numbers.flatten(1))
    _, confidence = model.detector.read(maps)
    joints = list(model.config.template.joints)
    assert torch.allclose(confidence[0], torch.ones(16), atol=1e-4)
    low = {joints[i] for i in range(16) if confidence[1, i] < 0.5}
    assert low == {"l_knee", "l_ankle"}
    assert abs(float(confidence[1, joints.index("l_knee")]) - np.exp(-2.0)) < 0.01


def test_prediction_is_in_pixels_of_the_picture() -> None:
    model = build(zero_head=True).eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    poses = model.predict(images)
    joints = list(model.config.template.joints)
    # Undeformed: corner-aligned from the canvas of 256.
    assert np.allclose(poses.points[0, joints.index("pelvis")], np.array([128, 144]) * 63 / 255)
    with pytest.raises(ValueError, match=r"expected uint8 \(B, 64, 64, 3\)"):
        model.predict(images[:, :32])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="one of another template"):
        ShapeTemplates(SMALL, get_skeleton("body18"), for_training=False)
    for field, value in (
        ("image_size", 60),
        ("image_size", 32),
        ("regressor_width", 0),
        ("regressor_variant", "best"),
        ("transform", "projective"),
        ("pivot", "centre"),
        ("warp", "cubic"),
    ):
        with pytest.raises(UserError, match=f"model.{field}"):
            replace(SMALL, **{field: value})
    with pytest.raises(UserError, match="no groups"):
        template = replace(SMALL.template, groups={})
        replace(SMALL, two_step=True, template=template)
    for changes in ({}, {"pivot": "part", "two_step": True}):
        with pytest.raises(UserError, match="heatmaps need"):
            replace(SMALL, regressor_variant="heatmaps", **changes)
    with pytest.raises(UserError, match=r"model\.guard"):
        replace(SMALL, warp="sampled", guard=True)
    with pytest.raises(UserError, match="has the layers 0 to"):
        build(feature_layer=99)
    with pytest.raises(ValueError, match="phase: unknown to ShapeTemplates: 'generator'"):
        build().losses(make_batch(), "generator")
