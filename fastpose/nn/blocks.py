"""Convolution blocks and the initialisation that the KeypointGAN family uses.

Source: the published code of KeypointGAN (Jakab et al., CVPR 2020): convolutions are zero-padded, a
block is convolution, norm, ReLU; BatchNorm blocks have no convolution bias, InstanceNorm ones do.
"""

from __future__ import annotations

from torch import nn

from fastpose.nn.batch_norm import BatchNorm2d

BATCH, INSTANCE = "batch", "instance"


def norm_layer(kind: str, channels: int) -> nn.Module:
    """BatchNorm with affine parameters, or InstanceNorm without any state."""
    if kind == BATCH:
        return BatchNorm2d(channels)
    if kind == INSTANCE:
        return nn.InstanceNorm2d(channels)
    raise ValueError(f"norm: expected '{BATCH}' or '{INSTANCE}', got {kind!r}")


def conv_block(
    in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1, norm: str = BATCH
) -> nn.Sequential:
    """Convolution, norm, ReLU at "same" padding."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=norm == INSTANCE),
        norm_layer(norm, out_channels),
        nn.ReLU(inplace=True),
    )


def leaky_block(
    in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolution with bias and a border of one zero, BatchNorm, LeakyReLU of slope 0.01.

    Source: the published code of the shape templates (Schmidtke et al., CVPR 2021).
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding=1, dilation=dilation),
        BatchNorm2d(out_channels),
        nn.LeakyReLU(0.01, inplace=True),
    )


def initialise(module: nn.Module) -> None:
    """Convolution weights N(0, 0.02), biases 0; BatchNorm weights N(1, 0.02), biases 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
            nn.init.zeros_(layer.bias)
