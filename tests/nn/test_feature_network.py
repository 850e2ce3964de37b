"""Frozen feature networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fastpose.errors import UserError
from fastpose.nn.feature_network import FeatureNetwork, read_weights


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


def test_copies_share_the_frozen_network(random_network: FeatureNetwork) -> None:
    import copy

    assert copy.deepcopy(random_network) is random_network
