"""Static arguments: what they are packed into, and that they are checked and moved only once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from fastpose.ops.render_skeleton import plan as plan_module
from fastpose.ops.render_skeleton.plan import MOST_LIMBS, plan_for

CPU = torch.device("cpu")
LIMBS = ((0, 1), ((2, 4), 3), (5, (1, 0, 2)))


def unpack(plan):
    """What a kernel reads: for each channel its limbs, each limb two lists of joints."""
    numbers = plan.packed.tolist()
    first, rest = numbers[: plan.channels + 1], numbers[plan.channels + 1 :]
    offset, index = rest[: 2 * plan.limbs + 1], rest[2 * plan.limbs + 1 :]
    ends = [index[a:b] for a, b in itertools.pairwise(offset)]
    limbs = list(zip(ends[::2], ends[1::2], strict=True))
    return [limbs[a:b] for a, b in itertools.pairwise(first)]


def test_one_channel():
    plan = plan_for(LIMBS, None, None, CPU)
    assert unpack(plan) == [[([0], [1]), ([2, 4], [3]), ([5], [1, 0, 2])]]
    assert (plan.limbs, plan.channels, plan.joints) == (3, 1, 6)
    assert plan.packed.dtype == torch.int32 and plan.widths is None


def test_limbs_are_sorted_by_channel_and_keep_their_order_there():
    plan = plan_for(LIMBS, (2, 0, 2), (0.1, 0.2, 0.3), CPU)
    assert unpack(plan) == [[([2, 4], [3])], [], [([0], [1]), ([5], [1, 0, 2])]]
    assert plan.widths.tolist() == pytest.approx([0.2, 0.1, 0.3])
    assert plan.widths.dtype == torch.float32
    assert plan.channels == 3


def test_the_same_arguments_give_the_same_plan():
    plan = plan_for(LIMBS, (0, 1, 0), (0.0, 0.5, 1.0), CPU)
    assert plan_for(LIMBS, (0, 1, 0), (0.0, 0.5, 1.0), CPU) is plan
    lists = [[0, 1], [[2, 4], 3], [5, [1, 0, 2]]]
    assert plan_for(lists, [0, 1, 0], [0, 0.5, 1], CPU) is plan
    assert plan_for(lists, torch.tensor([0, 1, 0]), torch.tensor([0, 0.5, 1]), CPU) is plan
    assert plan_for(LIMBS, (0, 1, 0), None, CPU) is not plan
    assert plan_for(LIMBS, (0, 0, 1), (0.0, 0.5, 1.0), CPU) is not plan


def test_a_list_may_change_between_calls():
    limbs = [[0, 1], [1, 2]]
    before = plan_for(limbs, None, None, CPU)
    limbs[1][1] = 4
    assert plan_for(limbs, None, None, CPU).joints == 5
    assert before.joints == 3


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_limbs_as_a_tensor(dtype):
    assert plan_for(torch.tensor([[0, 1], [1, 2]], dtype=dtype), None, None, CPU) is plan_for(
        ((0, 1), (1, 2)), None, None, CPU
    )


def test_numbers_of_numpy():
    limbs = [(np.int64(0), np.int32(1)), (1, (np.uint8(2), 3))]
    plan = plan_for(limbs, list(np.array([1, 0])), list(np.float32([0.5, 0.25])), CPU)
    assert plan is plan_for(((0, 1), (1, (2, 3))), (1, 0), (0.5, 0.25), CPU)


def test_one_plan_for_each_device():
    here, there = (plan_for(LIMBS, None, None, torch.device(d)) for d in ("cpu", "meta"))
    assert here.packed.device.type == "cpu" and there.packed.device.type == "meta"


def test_the_most_limbs():
    plan = plan_for(((0, 1),) * MOST_LIMBS, tuple(range(MOST_LIMBS)), None, CPU)
    assert (plan.limbs, plan.channels) == (512, 512)


def test_a_failed_check_leaves_nothing_behind():
    for _ in range(2):
        with pytest.raises(ValueError, match="from 0 on, got -1"):
            plan_for(((0, -1),), None, None, CPU)


def test_plans_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(plan_module, "_plans", {})
    monkeypatch.setattr(plan_module, "_MOST_PLANS", 3)
    for i in range(10):
        plan_for(((0, 1),), None, (i / 10,), CPU)
        assert len(plan_module._plans) <= 3
