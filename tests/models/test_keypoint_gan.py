"""KeypointGAN: losses, who gets gradients from what, and the detector that is exported."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from fastpose import ops
from fastpose.errors import UserError
from fastpose.models.keypoint_gan import (
    KeypointGAN,
    KeypointGANConfig,
    motion_map,
    to_pictures,
)
from fastpose.skeletons import get_skeleton
from tests.models.learning import share_left

SKELETON = get_skeleton("limbs12")


@pytest.fixture
def model() -> KeypointGAN:
    torch.manual_seed(0)
    config = KeypointGANConfig(image_size=64, width=4, discriminator_width=4, pool_size=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KeypointGAN(config, SKELETON)


def make_batch(count: int = 2) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    return {
        "target": torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1,
        "other": torch.rand(count, 3, 64, 64, generator=generator) * 2 - 1,
        "poses": torch.rand(count, 12, 2, generator=generator) * 1.6 - 0.8,
    }


def touched(model: KeypointGAN) -> set[str]:
    return {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None}


def test_losses_of_one_step_in_the_published_order(model: KeypointGAN) -> None:
    batch = make_batch()
    generator = model.losses(batch, "generator")
    discriminator = model.losses(batch, "discriminator")
    regressor = model.losses(batch, "regressor")
    assert set(generator) == {"adversarial", "perceptual"}
    assert set(discriminator) == {"real", "fake"}
    assert set(regressor) == {"poses", "images"}
    for losses in (generator, discriminator, regressor):
        assert all(value.ndim == 0 and torch.isfinite(value) for value in losses.values())


def test_the_perceptual_gradient_reaches_the_translator_through_the_drawn_skeleton(
    model: KeypointGAN,
) -> None:
    model.losses(make_batch(), "generator")["perceptual"].backward()
    assert touched(model) == {"translator", "regressor", "decoder"}


def test_the_adversarial_gradient_judges_the_raw_skeleton(model: KeypointGAN) -> None:
    model.losses(make_batch(), "generator")["adversarial"].backward()
    assert touched(model) == {"translator", "discriminator"}


@pytest.mark.parametrize(
    ("phase", "modules"), [("discriminator", {"discriminator"}), ("regressor", {"regressor"})]
)
def test_later_phases_touch_only_their_own_network(
    model: KeypointGAN, phase: str, modules: set[str]
) -> None:
    batch = make_batch()
    model.losses(batch, "generator")
    sum(model.losses(batch, phase).values()).backward()  # type: ignore[union-attr]
    assert touched(model) == modules


def test_pretraining_needs_poses_alone(model: KeypointGAN) -> None:
    losses = model.losses({"poses": make_batch()["poses"]}, "pretrain")
    losses["poses"].backward()
    assert touched(model) == {"regressor"}


def test_pretraining_learns_where_joints_are(model: KeypointGAN) -> None:
    batch = {"poses": make_batch(8)["poses"]}
    assert share_left(model, model.regressor, batch, "pretrain", "poses", 2e-3, 40) < 0.5


def test_rendering_is_affine_of_the_operator_and_near_one_on_a_limb(model: KeypointGAN) -> None:
    points = torch.zeros(1, 12, 2)
    points[:, SKELETON.index("l_wrist")] = torch.tensor([1.0, 1.0])
    image = model.render(points)
    assert image.shape == (1, 1, 64, 64)
    assert float(image.max()) > 0.9
    assert float(image[0, 0, 63, 0]) == pytest.approx(-1.0, abs=1e-2)


def test_an_unknown_phase_is_refused(model: KeypointGAN) -> None:
    with pytest.raises(ValueError, match="unknown"):
        model.losses(make_batch(), "critic")


def test_predict_gives_pixels_of_the_input(model: KeypointGAN) -> None:
    model.eval()
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    poses = model.predict(images)
    assert poses.points.shape == (3, 12, 2) and poses.confidence.shape == (3, 12)
    assert (poses.points >= 0).all() and (poses.points <= 63).all()
    assert ((poses.confidence > 0) & (poses.confidence <= 1)).all()
    with torch.no_grad():
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        normalised, confidence = model(x)
    np.testing.assert_allclose(poses.points, (normalised.numpy() + 1) * 31.5, atol=1e-4)
    np.testing.assert_allclose(poses.confidence, confidence.numpy(), atol=1e-6)


def test_coordinates_keep_their_precision_under_autocast(model: KeypointGAN) -> None:
    skeleton = model.render(make_batch()["poses"])
    with torch.autocast("cpu", torch.bfloat16):
        logits, _ = model.regressor.encoder(skeleton)
        points, confidence = model.regressor(skeleton)
    assert logits.dtype == torch.bfloat16
    assert points.dtype == confidence.dtype == torch.float32
    exact, _ = ops.soft_argmax(logits.double(), extent=model.config.keypoint_extent)
    assert (points - exact).abs().max() < 1e-6


def test_predict_keeps_the_mode_and_refuses_other_sizes(model: KeypointGAN) -> None:
    model.eval()
    with pytest.raises(ValueError, match="64, 64, 3"):
        model.predict(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        model.predict(np.zeros((1, 64, 64, 3), np.float32))


def test_a_wider_extent_lets_joints_leave_the_picture() -> None:
    config = KeypointGANConfig(image_size=64, width=4, discriminator_width=4, keypoint_extent=1.5)
    model = KeypointGAN(config, SKELETON, for_training=False)
    torch.nn.init.constant_(model.regressor.encoder.head.weight, 0.0)
    bias = model.regressor.encoder.head.bias
    assert bias is not None
    points, _ = model.regressor(torch.zeros(1, 1, 64, 64))
    assert points.abs().max() < 1e-5
    assert model.regressor.extent == 1.5


def test_the_sheet_has_its_columns(model: KeypointGAN) -> None:
    columns = model.eval().sheet(make_batch(3))
    assert list(columns) == [
        "input",
        "raw skeleton",
        "rendered skeleton",
        "reconstruction",
        "points",
    ]
    for name, pictures in columns.items():
        if name != "points":
            assert pictures.shape == (3, 64, 64, 3) and pictures.dtype == np.uint8
    assert columns["points"].shape == (3, 12, 2)


def test_pictures_are_clipped_and_rounded() -> None:
    image = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 1, 5)
    assert to_pictures(image)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_without_training_there_is_no_feature_network() -> None:
    config = KeypointGANConfig(image_size=64, width=4, features="vgg19")
    with pytest.raises(UserError, match="feature_weights"):
        KeypointGAN(config, SKELETON)
    KeypointGAN(config, SKELETON, for_training=False)


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 65},
        {"width": 0},
        {"sharpness": -1.0},
        {"keypoint_extent": 0.5},
        {"keypoint_extent": 9.0},
        {"pool_size": 0},
        {"motion_weight": -1.0},
    ],
)
def test_wrong_configurations_name_the_field(change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"model.{next(iter(change))}"):
        KeypointGANConfig(**change)


def test_the_motion_map_is_one_where_frames_agree_and_more_where_they_differ() -> None:
    target, other = torch.zeros(2, 3, 64, 64), torch.zeros(2, 3, 64, 64)
    other[0, :, 20:30, 20:30] = 1.0
    weights = motion_map({"target": target, "other": other}, 2.0)
    assert weights is not None and weights.shape == (2, 1, 64, 64)
    assert torch.equal(weights[1], torch.ones(1, 64, 64))  # nothing moved
    assert float(weights[0, 0, 5, 5]) == 1.0
    assert float(weights[0, 0, 25, 25]) > 10.0
    assert float(weights[0].mean()) == pytest.approx(3.0, rel=1e-4)
    assert motion_map({}, 0.0) is None


def test_predicting_leaves_a_model_in_training_in_training(model: KeypointGAN) -> None:
    model.train()
    model.predict(np.zeros((1, 64, 64, 3), np.uint8))
    assert model.translator.training and model.regressor.training
