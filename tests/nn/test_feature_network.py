"""Frozen feature networks."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fastpose.errors import UserError
from fastpose.nn.feature_network import FeatureNetwork, Fire, read_weights
from fastpose.nn.perceptual_loss import PerceptualLoss


@pytest.fixture(scope="module")
def random_network() -> FeatureNetwork:
    with pytest.warns(UserWarning, match="fixed random network"):
        return FeatureNetwork("random")


def weights_of(name: str) -> dict[str, torch.Tensor]:
    """Random weights with the shapes that the named network wants."""
    from fastpose.nn import feature_network

    layers, _ = {"vgg19": lambda: feature_network._vgg19(True)}.get(
        name, feature_network._squeezenet
    )()
    return {f"features.{k}": torch.randn_like(v) * 0.05 for k, v in layers.state_dict().items()}


def test_the_random_network_is_the_same_for_everyone(random_network: FeatureNetwork) -> None:
    torch.manual_seed(99)
    with pytest.warns(UserWarning):
        other = FeatureNetwork("random")
    for a, b in zip(random_network.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b) and not a.requires_grad


def test_squeezenet_taps_and_weights(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file(weights_of("squeezenet1_1"), file)
    features = FeatureNetwork("squeezenet1_1", file)(torch.zeros(1, 3, 64, 64))
    assert [f.shape[1] for f in features] == [3, 64, 128, 256, 384, 512]


def test_vgg_without_relu_has_negative_features(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(weights_of("vgg19"), file)
    image = torch.rand(1, 3, 32, 32)
    published = FeatureNetwork("vgg19", file, relu=False)(image)
    rectified = FeatureNetwork("vgg19", file)(image)
    assert [f.shape[1] for f in published] == [3, 64, 128, 256, 512, 512]
    torch.testing.assert_close(published[0], rectified[0])
    assert not torch.allclose(published[1], rectified[1])  # conv1_2 follows one ReLU or none


def test_real_squeezenet_weights_see_edges(shared_data: Path) -> None:
    network = FeatureNetwork(
        "squeezenet1_1", shared_data / "feature_nets" / "squeezenet1_1.safetensors"
    )
    flat = torch.zeros(1, 3, 64, 64)
    edge = flat.clone()
    edge[..., 32:] = 1.0
    assert network(edge)[1].std() > 1.5 * network(flat)[1].std(dim=(2, 3)).mean()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vgg16", None, "expected vgg19"),
        ("vgg19", None, "needs model.feature_weights"),
        ("squeezenet1_1", {"features.0.weight": torch.zeros(1)}, "not the weights of"),
        ("squeezenet1_1", "text", "cannot be read"),
        ("random", {"features.0.weight": torch.zeros(1)}, "has weights of its own"),
    ],
)
def test_wrong_weights_are_named(tmp_path: Path, name: str, content: object, message: str) -> None:
    file = None
    if content is not None:
        file = tmp_path / "weights.safetensors"
        if isinstance(content, dict):
            save_file(content, file)
        else:
            file.write_text(str(content))
    with pytest.raises(UserError, match=message):
        FeatureNetwork(name, file)


@pytest.mark.parametrize("content", [[1, 2], {"features.0.weight": 1}, {"state_dict": {}}, {}])
def test_a_file_without_tensors_by_name_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=r"weights\.pth: .*expected tensors by name"):
        FeatureNetwork("squeezenet1_1", tmp_path / "weights.pth")


@pytest.mark.parametrize("change", [lambda w: w.fill_(torch.nan), lambda w: w.to(torch.int32)])
def test_damaged_weights_are_refused(
    tmp_path: Path, change: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    file = tmp_path / "weights.safetensors"
    state = weights_of("squeezenet1_1")
    save_file(state, file)
    FeatureNetwork("squeezenet1_1", file)
    state["features.9.squeeze.bias"] = change(state["features.9.squeeze.bias"])
    save_file(state, file)
    with pytest.raises(UserError, match=r"damaged weights of squeezenet1_1: .*9\.squeeze\.bias"):
        FeatureNetwork("squeezenet1_1", file)


@pytest.mark.parametrize(
    ("image", "target", "message"),
    [
        ((2, 3, 8, 8), (2, 3, 8, 6), r"target must have the size of image, \(8, 8\), got \(8, 6\)"),
        ((2, 1, 8, 8), (2, 1, 8, 8), r"image must have shape \(B, 3, H, W\), got \(2, 1, 8, 8\)"),
        ((2, 3, 8, 8), (3, 8, 8), r"target must have shape \(B, 3, H, W\), got \(3, 8, 8\)"),
    ],
)
def test_pictures_of_other_shapes_are_named(
    random_network: FeatureNetwork, image: tuple, target: tuple, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        random_network.compare(torch.zeros(image), torch.zeros(target))


def test_missing_weights_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weights file"):
        read_weights(tmp_path / "none.pth")


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Gadget:
        def __reduce__(self) -> tuple:
            return (print, ("run",))

    file = tmp_path / "weights.pth"
    torch.save({"features.0.weight": Gadget()}, file)
    with pytest.raises(UserError, match="cannot be read"):
        read_weights(file)


def test_copies_share_the_frozen_network(random_network: FeatureNetwork) -> None:
    import copy

    assert copy.deepcopy(random_network) is random_network


NETWORKS = ("vgg19", "vgg19 without ReLU", "squeezenet1_1", "random")


@pytest.fixture(scope="module", params=NETWORKS)
def network(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> FeatureNetwork:
    name, *_ = request.param.split()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "random":
            return FeatureNetwork(name)
        file = tmp_path_factory.mktemp(name) / "weights.safetensors"
        torch.manual_seed(0)
        save_file(weights_of(name), file)
        return FeatureNetwork(name, file, relu=request.param == name)


def plain(network: FeatureNetwork, x: torch.Tensor) -> list[torch.Tensor]:
    """The features as one would write them down."""
    x = ((x + 1) / 2 - network.mean) / network.std
    found = [x]
    for index, layer in enumerate(network.features):
        if isinstance(layer, Fire):
            x = layer.squeeze(x).relu()
            x = torch.cat((layer.expand1x1(x), layer.expand3x3(x)), dim=1).relu()
        else:
            x = layer(x)
        if index in network.taps:
            found.append(x)
    return found


def pictures(count: int, dtype: torch.dtype, height: int = 17, width: int = 20) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.rand(count, 3, height, width, generator=generator, dtype=dtype) * 2 - 1


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_it_is_the_plain_network(
    network: FeatureNetwork, dtype: torch.dtype, rounding: float
) -> None:
    network.to(dtype)
    x, target = pictures(1, dtype).requires_grad_(), pictures(2, dtype)
    wanted, of_target = plain(network, x), plain(network, target)
    features, targets = network.compare(x, target)
    for found, expected in zip([*features, *targets], [*wanted, *of_target], strict=True):
        scale = float(expected.detach().abs().max())
        assert float((found - expected).detach().abs().max()) < rounding * scale
    weights = [torch.randn_like(f) for f in wanted]
    (expected,) = torch.autograd.grad(wanted, x, weights)
    (found,) = torch.autograd.grad(features, x, weights)
    assert float((found - expected).abs().max()) < rounding * float(expected.abs().max())
    for alone, together in zip(network(x), features, strict=True):
        scale = float(together.detach().abs().max())
        assert float((alone - together).detach().abs().max()) < rounding * scale


@pytest.mark.parametrize("tap", range(6))
def test_a_gradient_may_come_from_any_one_layer(random_network: FeatureNetwork, tap: int) -> None:
    x = pictures(2, torch.float32).requires_grad_()
    (expected,) = torch.autograd.grad(plain(random_network, x)[tap].square().sum(), x)
    (found,) = torch.autograd.grad(random_network(x)[tap].square().sum(), x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_targets_get_no_gradient(random_network: FeatureNetwork) -> None:
    x, target = pictures(1, torch.float32), pictures(2, torch.float32).requires_grad_()
    features, targets = random_network.compare(x.requires_grad_(), target)
    assert all(f.requires_grad for f in features)
    assert not any(t.requires_grad for t in targets)


def test_under_autocast_it_errs_as_the_plain_network_does(network: FeatureNetwork) -> None:
    network.float()
    x = pictures(2, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        narrow, casting = network(x), plain(network, x)
    exact = plain(network.double(), x.double())
    assert narrow[0].dtype == torch.float32
    for found, other, wanted in zip(narrow[1:], casting[1:], exact[1:], strict=True):
        assert found.dtype == torch.bfloat16
        allowed = 2 * float((other - wanted).square().mean().sqrt())
        assert float((found - wanted).square().mean().sqrt()) < allowed


def test_weights_are_cast_once_and_again_only_when_they_change() -> None:
    with pytest.warns(UserWarning):
        network = FeatureNetwork("random")
    x = pictures(1, torch.float32)

    def chain() -> object:
        with torch.autocast("cpu", torch.bfloat16):
            network(x)
        return network._chains[torch.bfloat16, x.device]

    first, before = chain(), network(x)[1]
    assert chain() is first and len(network._chains) == 2
    assert not any(key.startswith("_") for key in network.state_dict())
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    state = {k: v * 2 if "weight" in k else v for k, v in network.state_dict().items()}
    network.load_state_dict(state)
    assert chain() is not first
    torch.testing.assert_close(network(x)[1], 2 * before)
    second = chain()
    network.double()
    assert chain() is not second
    assert network(x.double())[1].dtype == torch.float64


def test_the_losses_keep_the_cast_weights() -> None:
    with pytest.warns(UserWarning):
        network = FeatureNetwork("random")
    loss, x = PerceptualLoss(network), pictures(1, torch.float32)
    chains = []
    for _ in range(2):
        loss(x, -x)
        chains.append(network._chains[torch.float32, x.device])
    assert chains[0] is chains[1]


def test_a_picture_may_be_narrow_and_its_target_not(random_network: FeatureNetwork) -> None:
    image, target = pictures(2, torch.float32).bfloat16(), pictures(2, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        features, targets = random_network.compare(image, target)
    kinds = [torch.float32, *[torch.bfloat16] * 5]
    assert [f.dtype for f in features] == [t.dtype for t in targets] == kinds


def test_nothing_after_the_last_feature_is_computed(network: FeatureNetwork) -> None:
    network.float()(pictures(1, torch.float32))
    (chain,) = network._chains.values()
    assert chain.taps[-1] == len(chain.layers) - 1


def test_the_gradient_has_none_of_its_own(random_network: FeatureNetwork) -> None:
    x = pictures(1, torch.float32).requires_grad_()
    value = random_network(x)[1].square().sum()
    (grad,) = torch.autograd.grad(value, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()
