"""Frozen networks whose features the perceptual loss compares.

Weights are the user's: a local file with torchvision's key names, ``.safetensors`` or ``.pth``.
Without one a fixed random network serves; that is said aloud, because it is worse.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fastpose.errors import UserError
from fastpose.nn.frozen import Convolution, Layer, MaxPool, Rectifier, SideBySide, run
from fastpose.ops.checks import check_tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Channels of VGG-19's convolutions; 0 is a 2x2 max-pool. Nothing after conv5_2 is computed.
_VGG19 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512)
# (squeeze, expand) channels of SqueezeNet 1.1's fire modules at their torchvision indices.
_FIRES = {3: (16, 64), 4: (16, 64), 6: (32, 128), 7: (32, 128), 9: (48, 192), 10: (48, 192)}
_FIRES |= {11: (64, 256), 12: (64, 256)}


class Fire(nn.Module):
    """SqueezeNet's module: squeeze to few channels, ReLU, expand by 1x1 and 3x3, ReLU."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)


def _vgg19(relu: bool) -> tuple[nn.Sequential, tuple[int, ...]]:
    layers: list[nn.Module] = []
    taps, channels, level, within = [], 3, 1, 0
    for out in _VGG19:
        if out == 0:
            layers.append(nn.MaxPool2d(2))
            level, within = level + 1, 0
            continue
        within += 1
        layers.append(nn.Conv2d(channels, out, 3, padding=1))
        if within == 2:
            taps.append(len(layers) - 1)  # conv1_2 ... conv5_2, before their ReLU
        layers.append(nn.ReLU() if relu else nn.Identity())
        channels = out
    return nn.Sequential(*layers[: taps[-1] + 1]), tuple(taps)


def _squeezenet() -> tuple[nn.Sequential, tuple[int, ...]]:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, stride=2), nn.ReLU()]
    channels = 64
    for index in range(2, 13):
        if index in _FIRES:
            squeeze, expand = _FIRES[index]
            layers.append(Fire(channels, squeeze, expand))
            channels = 2 * expand
        else:
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
    return nn.Sequential(*layers), (1, 4, 7, 9, 12)


def _random() -> tuple[nn.Sequential, tuple[int, ...]]:
    """Five orthogonal convolutions with ReLU, halving thrice, from a fixed seed."""
    generator = torch.Generator().manual_seed(20200613)
    layers: list[nn.Module] = []
    taps, channels = [], 3
    for out, stride in ((32, 1), (32, 1), (64, 2), (128, 2), (128, 2)):
        conv = nn.Conv2d(channels, out, 3, stride, 1)
        nn.init.orthogonal_(conv.weight, gain=2**0.5, generator=generator)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        layers += [conv, nn.ReLU()]
        taps.append(len(layers) - 1)
        channels = out
    return nn.Sequential(*layers), tuple(taps)


class FeatureNetwork(nn.Module):
    """Features of a frozen network at several depths, the normalised input first.

    Args:
        name: ``"vgg19"``, ``"squeezenet1_1"`` or ``"random"``.
        weights: file with torchvision's keys (``features.0.weight``); None only for ``random``.
        relu: VGG-19 only; False reproduces the published code, which has no ReLU anywhere.
        layer: index of the one layer to give; None: several depths.

    Raises:
        UserError: unknown name; weights missing, unreadable, or of another network.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        name: str,
        weights: str | Path | None = None,
        *,
        relu: bool = True,
        layer: int | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        if name == "vgg19":
            self.features, self.taps = _vgg19(relu)
        elif name == "squeezenet1_1":
            self.features, self.taps = _squeezenet()
        elif name == "random":
            self.features, self.taps = _random()
        else:
            raise UserError(f"feature network '{name}': expected vgg19, squeezenet1_1 or random")
        if layer is not None:
            if not 0 <= layer < len(self.features):
                raise UserError(
                    f"feature network '{name}': has the layers 0 to {len(self.features) - 1}, "
                    f"got {layer}"
                )
            self.features = nn.Sequential(*list(self.features)[: layer + 1])
            self.taps = (layer,)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        if name == "random" and weights is not None:
            raise UserError(
                f"feature network 'random': has weights of its own; name the one that {weights} "
                "belongs to with model.features"
            )
        if name == "random":
            warnings.warn(
                "no feature weights given: the perceptual loss compares features of a fixed random "
                "network; set model.features and model.feature_weights for a trained one",
                stacklevel=2,
            )
        elif weights is None:
            raise UserError(
                f"feature network '{name}': needs model.feature_weights=FILE, "
                "with the key names of torchvision"
            )
        else:
            self._load(Path(weights))
        self._chains: dict[tuple[torch.dtype, torch.device], Chain] = {}
        self._versions: list[int] = []
        self.requires_grad_(False)
        self.eval()

    def _load(self, path: Path) -> None:
        state = {k: v for k, v in read_weights(path).items() if k.startswith("features.")}
        wanted = {f"features.{k}": v for k, v in self.features.state_dict().items()}
        for key, value in wanted.items():
            if key not in state or state[key].shape != value.shape:
                found = tuple(state[key].shape) if key in state else "nothing"
                raise UserError(
                    f"{path}: not the weights of {self.name}: '{key}' should have shape "
                    f"{tuple(value.shape)}, found {found}"
                )
            if not (state[key].is_floating_point() and state[key].isfinite().all()):
                raise UserError(
                    f"{path}: damaged weights of {self.name}: '{key}' should hold finite floating "
                    "numbers"
                )
        self.features.load_state_dict({k.removeprefix("features."): state[k] for k in wanted})

    def __deepcopy__(self, memo: dict[int, object]) -> FeatureNetwork:
        """Itself: it never changes, and an average of a model needs no second one."""
        return self

    def train(self, mode: bool = True) -> FeatureNetwork:
        """Stays in evaluation mode: it is frozen."""
        return super().train(False)

    def _apply(self, fn: Any, recurse: bool = True) -> FeatureNetwork:
        self._chains.clear()
        return super()._apply(fn, recurse)

    def _chain(self, dtype: torch.dtype, device: torch.device) -> Chain:
        """The layers with weights of their own in ``dtype``; made anew where the weights change."""
        versions = [p._version for p in self.parameters()]
        if versions != self._versions:
            self._chains.clear()
            self._versions = versions
        if (dtype, device) not in self._chains:
            self._chains[dtype, device] = _make_chain(self, dtype, device)
        return self._chains[dtype, device]

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Input standardised by the ImageNet mean and deviation, then one tensor for each tap.

        Args:
            x: (B, 3, H, W) in [-1, 1].
        """
        return self.compare(x, x[:0])[0]

    def compare(
        self, image: torch.Tensor, target: torch.Tensor
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Features of both, computed in one batch; the target's get no gradient, at no cost.

        Under autocast in its type, from weights that were cast once; otherwise in the image's.

        Args:
            image: (B, 3, H, W) in [-1, 1].
            target: (C, 3, H, W) in [-1, 1].

        Raises:
            TypeError, ValueError: an argument of another kind or shape, by name.
        """
        check_tensor("image", image, "(B, 3, H, W)", narrow=True)
        check_tensor("target", target, "(B, 3, H, W)", narrow=True)
        if image.shape[2:] != target.shape[2:]:
            raise ValueError(
                f"target must have the size of image, {tuple(image.shape[2:])}, got "
                f"{tuple(target.shape[2:])}"
            )
        kind = image.device.type
        narrow = torch.is_autocast_enabled(kind)
        dtype = torch.get_autocast_dtype(kind) if narrow else image.dtype
        with torch.no_grad():
            chain = self._chain(dtype, image.device)
        features, targets = run(
            chain.layers, chain.taps, with_ones(image, dtype), with_ones(target.detach(), dtype)
        )
        # The differences of pictures are small beside them: never narrower than float32.
        wide = torch.promote_types(image.dtype, torch.float32)
        scale, offset = chain.scale.to(wide), chain.offset.to(wide)
        standard, of_target = (
            torch.addcmul(offset, x.to(wide), scale) for x in (image, target.detach())
        )
        return [standard, *features], [of_target, *targets]


@dataclass(frozen=True)
class Chain:
    """What computes the features in one type on one device.

    Attributes:
        layers: of which the first takes pictures with a fourth channel of ones.
        taps: the numbers of the layers whose outputs are features.
        scale, offset: (1, 3, 1, 1) float64; pictures in [-1, 1] times scale plus offset are
            standardised.
    """

    layers: list[Layer]
    taps: list[int]
    scale: torch.Tensor
    offset: torch.Tensor


def with_ones(images: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """(B, 4, H, W) in channels-last ``dtype`` of pictures (B, 3, H, W): a fourth channel of 1."""
    images = images.to(dtype, memory_format=torch.channels_last)
    return nn.functional.pad(images, (0, 0, 0, 0, 0, 1), value=1.0)


def _make_chain(network: FeatureNetwork, dtype: torch.dtype, device: torch.device) -> Chain:
    mean, std = (t.to(device, torch.float64) for t in (network.mean, network.std))
    scale, offset = 0.5 / std, (0.5 - mean) / std
    layers: list[Layer] = []
    taps: list[int] = []
    for index, layer in enumerate(network.features):
        if isinstance(layer, nn.Conv2d):
            if index == 0:
                layer = _standardising(layer, scale, offset)
            layers.append(Convolution(layer, dtype, device))
        elif isinstance(layer, Fire):
            expand = (layer.expand1x1, layer.expand3x3)
            layers += [
                Convolution(layer.squeeze, dtype, device),
                Rectifier(inplace=True),
                SideBySide(*(Convolution(conv, dtype, device) for conv in expand)),
                Rectifier(inplace=True),
            ]
        elif isinstance(layer, nn.MaxPool2d):
            layers.append(MaxPool(layer))
        elif isinstance(layer, nn.ReLU):
            layers.append(Rectifier(inplace=index - 1 not in network.taps))
        if index in network.taps:
            taps.append(len(layers) - 1)
    return Chain(layers, taps, scale, offset)


def _standardising(conv: nn.Conv2d, scale: torch.Tensor, offset: torch.Tensor) -> nn.Conv2d:
    """``conv`` of standardised pictures, as one of pictures with a fourth channel of ones.

    The offset cannot go into the bias: at the border, where ``conv`` finds the zeros around a
    standardised picture, it does not count. Zeros around the ones say the same.
    """
    wide = conv.weight.to(scale)
    ones = (wide * offset).sum(dim=1, keepdim=True)
    folded = copy.copy(conv)
    folded._parameters = dict(conv._parameters)
    folded.weight = nn.Parameter(torch.cat((wide * scale, ones), dim=1), requires_grad=False)
    return folded


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a local ``.safetensors`` or ``.pth`` file; UserError where it cannot be read."""
    if not path.is_file():
        raise UserError(f"{path}: no such weights file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(f"{path}: cannot be read as weights ({reason})") from None
    tensors = isinstance(weights, dict) and weights.values()
    if not tensors or not all(isinstance(value, torch.Tensor) for value in tensors):
        raise UserError(f"{path}: cannot be read as weights (expected tensors by name)")
    return weights
