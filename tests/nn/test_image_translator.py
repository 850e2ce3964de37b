"""The translator with and without ways around its lowest resolution."""

from __future__ import annotations

import pytest
import torch

from fastpose.nn.image_translator import ImageTranslator


@pytest.mark.parametrize("skips", [False, True])
def test_only_skips_pass_around_the_lowest_resolution(skips: bool) -> None:
    torch.manual_seed(0)
    network = ImageTranslator(5, width=4, skips=skips).eval()
    lowest = network.layers[6][0]  # the convolution to an eighth of the side
    torch.nn.init.zeros_(lowest.weight)
    images = torch.rand(2, 5, 32, 32)
    with torch.no_grad():
        found = network(images)
    assert found.shape == (2, 3, 32, 32)
    assert torch.equal(found[0], found[1]) is not skips


def test_skips_need_no_weights_of_their_own() -> None:
    plain, with_skips = (ImageTranslator(5, width=4, skips=skips) for skips in (False, True))
    with_skips.load_state_dict(plain.state_dict())
