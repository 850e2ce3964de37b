"""The moving average: its arithmetic, its warm-up, which buffers it averages or copies."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fastpose.training.ema import Ema


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("pool", torch.zeros(3))


def test_parameters_follow_with_the_decay_after_its_warm_up() -> None:
    model = Model()
    average = Ema(model, 0.9)
    expected = model.layer.weight.detach().clone()
    for step in (0, 1, 50, 1000):
        with torch.no_grad():
            model.layer.weight.add_(1.0)
        average.update(torch.tensor(average.weight(step)))
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.layer.weight
        torch.testing.assert_close(average.module().layer.weight.detach(), expected.detach())


def test_without_decay_the_average_is_the_model_bit_for_bit() -> None:
    model = Model()
    average = Ema(model, 0.0)
    for _ in range(5):
        with torch.no_grad():
            for p in model.parameters():
                p.normal_()
        average.update(torch.tensor(average.weight(7)))
        both = zip(average.module().parameters(), model.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in both)


def test_running_statistics_are_averaged_and_other_buffers_copied() -> None:
    model = Model()
    average = Ema(model, 0.5)
    model.norm.running_mean.fill_(8.0)
    model.norm.num_batches_tracked.fill_(5)
    model.pool.fill_(3.0)
    average.update(torch.tensor(average.weight(1000)))
    module = average.module()
    assert module.norm.running_mean.tolist() == pytest.approx([4.0, 4.0])
    assert int(module.norm.num_batches_tracked) == 5
    assert module.pool.tolist() == [3.0] * 3


def test_the_average_is_in_evaluation_mode_and_apart_from_the_model() -> None:
    model = Model().train()
    average = Ema(model, 0.9)
    module = average.module()
    assert not module.training and model.training
    assert not any(p.requires_grad for p in module.parameters())
    with torch.no_grad():
        model.layer.weight.fill_(100.0)
    assert float(module.layer.weight.max()) < 100.0


def test_memory_formats_are_kept() -> None:
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    weight = Ema(model, 0.9).module().weight
    assert weight.stride() == model.weight.stride()


def test_only_statistics_of_normalisation_layers_are_averaged() -> None:
    class Loss(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("running_mean", torch.zeros(2))

    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), Loss())
    ema = Ema(model, 0.5)
    model[0].running_mean.fill_(1.0)
    model[1].running_mean.fill_(1.0)  # type: ignore[union-attr]
    ema.update(torch.tensor(ema.weight(100)))
    averaged = ema.module()
    assert averaged[0].running_mean.tolist() == [0.5, 0.5]  # type: ignore[index]
    assert averaged[1].running_mean.tolist() == [1.0, 1.0]  # type: ignore[index]
