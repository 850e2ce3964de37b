"""What two processes compute together is what one would compute of the whole batch."""

from __future__ import annotations

import copy
import os
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fastpose.errors import UserError
from fastpose.nn.across import ALONE, Across
from fastpose.nn.batch_norm import BatchNorm2d
from fastpose.nn.feature_network import FeatureNetwork
from fastpose.nn.image_pool import ImagePool
from fastpose.nn.perceptual_loss import PerceptualLoss
from fastpose.training import distributed
from fastpose.training.distributed import Processes, buckets, checksum
from fastpose.training.world import SINGLE, attach
from tests.training.ranks import ended, start_ranks

Answers = dict[str, torch.Tensor]


def inputs() -> Answers:
    """The same random numbers in every process."""
    generator = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "pictures": (draw(6, 4, 5, 3) * 2 + 50).contiguous(memory_format=torch.channels_last),
        "gradient": draw(6, 4, 5, 3),
        "rows": draw(6, 1, 4, 4),
        "a": draw(6, 3, 16, 16),
        "b": draw(6, 3, 16, 16),
        "weight": draw(6, 1, 16, 16).abs(),
    }


def batch_norm(
    across: Across, dtype: torch.dtype = torch.float64, *, compile: bool = False
) -> Answers:
    """Two steps of a normalisation with weights: results, gradients, running statistics."""
    given, layer = inputs(), BatchNorm2d(4).double()
    layer.across = across
    share = across.share(6)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.0, -2.0, 3.0]))
        layer.bias.copy_(torch.tensor([1.0, 0.0, -1.0, 2.0]))
    layer.to(torch.promote_types(dtype, torch.float32))
    if compile:
        layer.compile(backend="aot_eager")
    for _ in range(2):
        x = given["pictures"][share].to(dtype).requires_grad_()
        y = layer(x)
    layer.zero_grad()
    # A mean over the process' own rows, as losses are: its gradients are averaged afterwards.
    y.backward(given["gradient"][share].to(dtype) / len(x))
    assert x.grad is not None and y.dtype == dtype and x.grad.dtype == dtype
    return {
        "out": y.detach(),
        "grad_input": x.grad / across.processes,
        "mean_of_grad_weight": layer.weight.grad,
        "mean_of_grad_bias": layer.bias.grad,
        "running_mean": layer.running_mean,
        "running_var": layer.running_var,
        "num_batches_tracked": layer.num_batches_tracked,
    }  # type: ignore[dict-item]


def pool(across: Across) -> Answers:
    """What four exchanges with a pool of five pictures give, and leave in it."""
    torch.manual_seed(3)
    images, out = ImagePool(5, 1, 4).double(), []
    images.across = across
    for step in range(4):
        out.append(images.exchange(inputs()["rows"][across.share(6)] + step))
    return {"out": torch.cat(out), "pictures": images.pictures, "stored": images.stored}


def perceptual(across: Across) -> Answers:
    """A weighted loss, twice, so that the running means move."""
    given, share = inputs(), across.share(6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = PerceptualLoss(FeatureNetwork("random").double()).double()
    loss.across = across
    a = given["a"][share].requires_grad_()
    value = torch.zeros(())
    for scale in (1.0, 0.5):
        a.grad = None
        value = loss(a * scale, given["b"][share], given["weight"][share])
        value.backward()
    assert a.grad is not None
    return {
        "mean_of_loss": value.detach(),
        "grad_input": a.grad / across.processes,
        "running_mean": loss.running_mean,
    }


def averages(across: Processes) -> Answers:
    """Tensors of several kinds, in buckets smaller than some of them."""
    mine = float(across.rank + 1)
    tensors = [
        torch.full((2, 3, 4, 5), mine).contiguous(memory_format=torch.channels_last),
        torch.arange(6.0).reshape(2, 3).T * mine,
        torch.tensor(mine, dtype=torch.float64),
        torch.empty(0),
        torch.full((7,), mine),
    ]
    tensors[0][1, 2, 3, 4] = 10.0 * mine
    distributed.BUCKET = 64
    across.average_(tensors)
    return {str(i): t for i, t in enumerate(tensors)}


def alike(across: Processes) -> Answers:
    """What is refused as not the same, and the JSON-able and integer agreements."""
    same = {"a": torch.ones(3), "b": torch.zeros((), dtype=torch.bool), "c": torch.empty(0)}
    across.require_same(same)
    try:
        across.require_same({**same, "d.weight": torch.tensor([across.rank])})
    except UserError as error:
        assert "'d.weight' is not the same in all 2 processes" in str(error)
    else:
        raise AssertionError("a difference was not seen")
    told = across.tell({"name": ["ü", 1.5, None]} if across.leads else None)
    assert told == {"name": ["ü", 1.5, None]} and across.tell() is None
    model = nn.Sequential(BatchNorm2d(2), nn.BatchNorm2d(2), ImagePool(1, 1, 2))
    assert len(attach(model, across, batch_norm="synchronised")) == 2
    assert model[0].across is across and model[2].across is across
    assert len(attach(model, across, batch_norm="local")) == 4
    assert model[0].across is SINGLE and model[2].across is across
    assert copy.deepcopy(model)[2].across is across
    return {"agreed": torch.tensor(across.agree(3 - across.rank))}


def ask(folder: Path) -> None:
    """Answer everything in this process and write it down."""
    rank = int(os.environ["RANK"])
    with Processes(rank, 2, torch.device("cpu"), limit=60.0) as across:
        answers = {
            "norm": batch_norm(across),
            "norm16": batch_norm(across, torch.bfloat16),
            "compiled": batch_norm(across, compile=True),
            "pool": pool(across),
            "loss": perceptual(across),
            "average": averages(across),
            "alike": alike(across),
        }
    flat = {f"{k}.{n}": t.contiguous() for k, a in answers.items() for n, t in a.items()}
    save_file(flat, folder / f"{rank}.safetensors")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Answers]:
    """What each of two processes answered."""
    folder = tmp_path_factory.mktemp("two")
    assert ended(start_ranks(ask, folder)) == [0, 0]
    return [load_file(folder / f"{rank}.safetensors") for rank in range(2)]


@pytest.mark.parametrize(
    ("name", "function", "tolerance"),
    [
        ("norm", batch_norm, 1e-10),
        ("norm16", lambda across: batch_norm(across, torch.bfloat16), 2e-2),
        ("compiled", batch_norm, 1e-10),
        ("pool", pool, 0.0),
        ("loss", perceptual, 1e-6),
    ],
)
def test_two_processes_are_one(two: list[Answers], name: str, function, tolerance: float) -> None:
    for key, whole in function(ALONE).items():
        parts = [answers[f"{name}.{key}"] for answers in two]
        if key in ("out", "grad_input"):
            steps = len(whole) // 6  # the pool's rows come step by step
            split = [part.unflatten(0, (steps, 3)) for part in parts]
            found = torch.cat(split, dim=1).flatten(0, 1)
        elif key.startswith("mean_of"):
            found = (parts[0] + parts[1]) / 2
        else:
            assert torch.equal(parts[0], parts[1]), key
            found = parts[0]
        torch.testing.assert_close(
            found, whole, rtol=tolerance, atol=tolerance, msg=lambda m, k=key: f"{k}: {m}"
        )


def test_averages_are_means_whatever_the_dtype_and_memory_format(two: list[Answers]) -> None:
    for answers in two:
        expected = torch.full((2, 3, 4, 5), 1.5)
        expected[1, 2, 3, 4] = 15.0
        assert torch.equal(answers["average.0"], expected)
        assert torch.equal(answers["average.1"], torch.arange(6.0).reshape(2, 3).T * 1.5)
        assert torch.equal(answers["average.2"], torch.tensor(1.5, dtype=torch.float64))
        assert answers["average.3"].numel() == 0
        assert torch.equal(answers["average.4"], torch.full((7,), 1.5))


def test_the_greatest_number_is_agreed_on(two: list[Answers]) -> None:
    assert [int(answers["alike.agreed"]) for answers in two] == [3, 3]


def test_buckets_hold_one_dtype_and_are_bounded() -> None:
    sizes = [3, 3, 3, 20, 1, 1]
    tensors = [torch.zeros(n) for n in sizes]
    tensors[5] = tensors[5].double()
    runs = [[t.numel() for t in run] for run in buckets(tensors, 6 * 4)]
    assert runs == [[3, 3], [3], [20], [1], [1]]
    assert list(buckets([], 10)) == []


def test_a_checksum_tells_the_order_of_elements_and_not_of_memory() -> None:
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert checksum(x) == checksum(x.contiguous(memory_format=torch.channels_last))
    assert checksum(x) != checksum(x.flip(3))
    assert checksum(torch.tensor(True)) != checksum(torch.tensor(False))
