"""Frozen feature networks and the perceptual loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fastpose.errors import UserError
from fastpose.nn.feature_network import FeatureNetwork, read_weights
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


def test_each_layer_is_divided_by_its_running_mean(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network)
    torch.manual_seed(0)
    x, y = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    assert float(loss(x, y)) == pytest.approx(1.0, abs=1e-5)  # the first step's mean is itself
    first = loss.running_mean.clone()
    z = torch.zeros_like(x)
    raw = torch.stack([((a - b) ** 2).mean() for a, b in zip(random_network(x), random_network(z),
                                                              strict=True)])  # fmt: skip
    expected = 0.99 * first + 0.01 * raw
    value = loss(x, z)
    torch.testing.assert_close(loss.running_mean, expected)
    assert float(value) == pytest.approx(float((raw / expected).mean()), rel=1e-5)


def test_evaluation_does_not_move_the_running_means(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network).eval()
    before = loss.running_mean.clone()
    loss(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16))
    assert torch.equal(loss.running_mean, before)


def test_weights_are_not_in_checkpoints_but_running_means_are(
    random_network: FeatureNetwork,
) -> None:
    assert set(PerceptualLoss(random_network).state_dict()) == {"running_mean", "started"}


def test_pixel_weights_select_where_it_looks(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network)
    x = torch.zeros(1, 3, 16, 16)
    y = x.clone()
    y[..., :4] = 1.0
    left, right = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    left[..., :4], right[..., 12:] = 1.0, 1.0
    assert float(loss(x, y, left)) > 10 * float(loss(x, y, right))


def test_copies_share_the_frozen_network(random_network: FeatureNetwork) -> None:
    import copy

    assert copy.deepcopy(random_network) is random_network


def test_differences_are_not_rounded_under_autocast(random_network: FeatureNetwork) -> None:
    loss = PerceptualLoss(random_network).eval()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16))
    assert value.dtype == torch.float32
