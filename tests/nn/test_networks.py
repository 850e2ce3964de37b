"""Shapes and sizes of the networks against the published ones."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fastpose.nn.blocks import conv_block, initialise, norm_layer
from fastpose.nn.decoder import Decoder
from fastpose.nn.encoder import Encoder
from fastpose.nn.patch_discriminator import (
    MultiScaleDiscriminator,
    PatchDiscriminator,
)
from fastpose.nn.u_net import UNet


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_translator_has_the_published_number_of_parameters() -> None:
    assert parameters(UNet(3, 1, width=32)) == 3_124_801


def test_the_regressor_encoder_has_the_published_number_of_parameters() -> None:
    assert parameters(Encoder(1, 32, width=32, norm="instance")) == 1_181_184


def test_the_conditional_decoder_has_the_published_number_of_parameters() -> None:
    total = parameters(Encoder(1, 256)) + parameters(Encoder(3, 256)) + parameters(Decoder(512, 3))
    assert total == 4_825_635


def test_a_discriminator_has_the_published_number_of_parameters() -> None:
    assert parameters(PatchDiscriminator(1, 128)) == 2_762_689


def test_score_maps_at_the_published_size() -> None:
    scores = MultiScaleDiscriminator(1, 128, width=4)(torch.zeros(2, 1, 128, 128))
    assert [tuple(s.shape) for s in scores] == [(2, 1, 14, 14), (2, 1, 6, 6), (2, 1, 2, 2)]


@pytest.mark.parametrize("size", [64, 128, 256])
def test_every_supported_size_runs(size: int) -> None:
    image = torch.zeros(1, 3, size, size)
    assert UNet(3, 1, width=2)(image).shape == (1, 1, size, size)
    maps, skips = Encoder(3, 5, width=2)(image)
    assert maps.shape == (1, 5, size // 8, size // 8)
    assert [s.shape[-1] for s in skips] == [size, size // 2, size // 4]
    assert Decoder(5, 3, width=2)(maps).shape == image.shape
    assert all(s.shape[-1] >= 2 for s in MultiScaleDiscriminator(3, size, width=2)(image))


def test_small_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="8 pixels"):
        PatchDiscriminator(1, 4)


def test_bias_and_norm_follow_the_spec() -> None:
    batch, instance = conv_block(2, 3), conv_block(2, 3, norm="instance")
    assert batch[0].bias is None and isinstance(batch[1], nn.BatchNorm2d)
    assert instance[0].bias is not None and isinstance(instance[1], nn.InstanceNorm2d)
    assert parameters(instance[1]) == 0
    with pytest.raises(ValueError, match="layer"):
        norm_layer("layer", 3)


def test_initialisation() -> None:
    torch.manual_seed(0)
    block = conv_block(64, 64, norm="instance")
    initialise(block)
    assert abs(float(block[0].weight.std()) - 0.02) < 1e-3
    assert not block[0].bias.any()
