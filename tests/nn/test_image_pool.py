"""The pool of earlier pictures."""

from __future__ import annotations

import torch

from fastpose.nn.image_pool import ImagePool


def test_pictures_pass_through_while_it_fills() -> None:
    pool = ImagePool(4, 1, 2)
    batch = torch.randn(3, 1, 2, 2)
    assert torch.equal(pool.exchange(batch), batch)
    assert torch.equal(pool.pictures[:3], batch)
    assert int(pool.stored) == 3


def test_afterwards_about_half_are_exchanged_for_stored_ones() -> None:
    torch.manual_seed(0)
    pool = ImagePool(50, 1, 1)
    pool.exchange(torch.zeros(50, 1, 1, 1))
    batch = torch.arange(1.0, 201.0).view(200, 1, 1, 1)
    out = pool.exchange(batch)
    exchanged = int((out != batch).sum())
    assert 70 < exchanged < 130
    assert set(out[out != batch].tolist()) <= {0.0, *batch.flatten().tolist()}
    assert int(pool.stored) == 50


def test_nothing_is_lost_or_doubled_by_an_exchange() -> None:
    torch.manual_seed(1)
    pool = ImagePool(5, 1, 1)
    pool.exchange(torch.arange(5.0).view(5, 1, 1, 1))
    out = pool.exchange(torch.arange(5.0, 15.0).view(10, 1, 1, 1))
    left = sorted([*out.flatten().tolist(), *pool.pictures.flatten().tolist()])
    assert left == [float(i) for i in range(15)]


def test_the_state_dict_continues_it_exactly() -> None:
    first, second = ImagePool(3, 1, 2), ImagePool(3, 1, 2)
    first.exchange(torch.randn(5, 1, 2, 2))
    second.load_state_dict(first.state_dict())
    batch = torch.randn(4, 1, 2, 2)
    torch.manual_seed(7)
    one = first.exchange(batch)
    torch.manual_seed(7)
    assert torch.equal(one, second.exchange(batch))


def test_a_picture_can_come_out_in_the_batch_that_brought_it() -> None:
    """Within a batch, too, one exchange follows the other."""
    pool = ImagePool(1, 1, 1)
    pool.exchange(torch.full((1, 1, 1, 1), -1.0))
    torch.manual_seed(3)
    swapped = (torch.rand(8) < 0.5).tolist()
    torch.manual_seed(3)
    out = pool.exchange(torch.arange(8.0).view(8, 1, 1, 1)).flatten().tolist()
    held = -1.0
    for i, (value, swap) in enumerate(zip(out, swapped, strict=True)):
        assert value == (held if swap else i)
        held = float(i) if swap else held
    assert sum(swapped) > 2 and pool.pictures.item() == held


def test_choices_can_be_made_beforehand() -> None:
    torch.manual_seed(5)
    first, second = ImagePool(6, 1, 2), ImagePool(6, 1, 2)
    for _ in range(4):
        batch = torch.randn(4, 1, 2, 2)
        seed = int(torch.randint(1 << 30, ()))
        torch.manual_seed(seed)
        now = first.exchange(batch)
        torch.manual_seed(seed)
        chosen = second.choose(4)
        assert torch.equal(now, second.exchange(batch, chosen))
        assert torch.equal(first.pictures, second.pictures)


def test_an_empty_pool_hands_on_and_detaches() -> None:
    batch = torch.randn(2, 1, 2, 2, requires_grad=True)
    out = ImagePool(0, 1, 2).exchange(batch)
    assert torch.equal(out, batch) and not out.requires_grad
