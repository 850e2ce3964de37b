"""Several processes that train one model, on one machine or many; started by torchrun.

Each draws its part of every batch from the same seeded stream and computes the losses of that
part. After the backward pass of a phase the gradients are averaged in flat buckets, and all
processes take the same optimizer step: the semantics of DistributedDataParallel. Its wrapper is
not used. Phases train changing subsets of one model's parameters, through a method with the
phase's name and not through ``forward``, and each wrapper would count on the same parameters
taking part every time; its overlap of communication with the backward pass is worth little where
the gradients of a phase are a few megabytes.

GPUs speak NCCL, and gloo for what lies on the CPU.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from fastpose.errors import UserError
from fastpose.training.watchdog import Watchdog
from fastpose.training.world import World

# How long a process waits for the others, who may be writing a checkpoint. One that ends is
# noticed at once.
LIMIT = 600.0
AFTER_SIGNAL = 10.0  # seconds, on GPUs, where a wait cannot be interrupted
BUCKET = 32 << 20  # bytes that are averaged together, so that the copies stay small


class OthersLost(UserError):
    """Another process ended, or did not come in time."""


class Processes(World):
    """This process among those that torchrun started.

    Args:
        rank, processes: which one, of how many.
        device: where this one trains.
        limit: seconds to wait for the others.

    Raises:
        OthersLost: they did not come in time.
    """

    def __init__(
        self, rank: int, processes: int, device: torch.device, *, limit: float = LIMIT
    ) -> None:
        self.rank, self.processes, self.device = rank, processes, device
        on_gpu = device.type == "cuda"
        if on_gpu:
            torch.cuda.set_device(device)
        with self._with_others():
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
                timeout=timedelta(seconds=limit),
                device_id=device if on_gpu else None,
            )
        self._watchdog = Watchdog(AFTER_SIGNAL) if on_gpu else None

    @contextmanager
    def _with_others(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # gloo's, NCCL's and the store's
            reason = str(error).splitlines()[0][:200]
            raise OthersLost(
                f"process {self.rank} of {self.processes} lost the others: one of them has ended, "
                f"and says why, or none has answered in time ({reason})"
            ) from error

    def _sum_(self, values: Tensor, op: dist.ReduceOp.RedOpType = dist.ReduceOp.SUM) -> Tensor:
        with self._with_others():
            dist.all_reduce(values, op=op)
        return values

    def mean(self, values: Tensor) -> Tensor:
        return _Mean.apply(values, self)  # type: ignore[no-any-return]

    def mean_(self, values: Tensor) -> Tensor:
        """Replace contiguous ``values`` by their mean over the processes."""
        # Not ReduceOp.AVG, which gloo lacks.
        return self._sum_(values).div_(self.processes)

    @torch.no_grad()
    def gather(self, rows: Tensor) -> Tensor:
        whole = rows.new_empty((self.processes * len(rows), *rows.shape[1:]))
        with self._with_others():
            dist.all_gather(list(whole.chunk(self.processes)), rows.contiguous())
        return whole

    @torch.no_grad()
    def average_(self, tensors: Sequence[Tensor]) -> None:
        for bucket in buckets(tensors, BUCKET):
            flat = bucket[0].new_empty(sum(t.numel() for t in bucket))
            views, start = [], 0
            for tensor in bucket:
                # With the tensor's own strides: copied in one sweep whatever its memory format.
                views.append(flat.as_strided(tensor.shape, tensor.stride(), start))
                start += tensor.numel()
            torch._foreach_copy_(views, bucket)
            self.mean_(flat)
            torch._foreach_copy_(bucket, views)

    def agree(self, number: int = 0) -> int:
        greatest = int(self._sum_(torch.tensor([number]), dist.ReduceOp.MAX))
        if self._watchdog is not None:
            self._watchdog.alive()
        return greatest

    def tell(self, data: Any = None) -> Any:
        text = json.dumps(data).encode()
        size = torch.tensor([len(text)])
        with self._with_others():
            dist.broadcast(size, 0)
            content = torch.zeros(int(size), dtype=torch.uint8)
            if self.leads:
                content = torch.frombuffer(bytearray(text), dtype=torch.uint8)
            dist.broadcast(content, 0)
        return json.loads(content.numpy().tobytes())

    def require_same(self, tensors: Mapping[str, Tensor]) -> None:
        sums = torch.tensor([checksum(t) for t in tensors.values()], dtype=torch.int64)
        everywhere = self.gather(sums[None])
        for name, column in zip(tensors, everywhere.T.tolist(), strict=True):
            if len(set(column)) > 1:
                raise UserError(
                    f"'{name}' is not the same in all {self.processes} processes; what depends on "
                    "the whole batch must be computed across them (see fastpose.nn.across), and "
                    "their machines must compute alike"
                )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watchdog is not None:
            self._watchdog.close()
        # NCCL could wait for the others here, who may be waiting for us.
        if kind is None or self.device.type == "cpu":
            dist.destroy_process_group()


class _Mean(torch.autograd.Function):
    """The mean over processes, whose gradient is the mean of the gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, world: Processes) -> Tensor:
        ctx.world = world
        return world.mean_(values.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Mean.apply(grad, ctx.world), None  # type: ignore[return-value]


def buckets(tensors: Sequence[Tensor], limit: int) -> Iterator[list[Tensor]]:
    """``tensors`` in order, in runs of one dtype of at most ``limit`` bytes, or one tensor."""
    run: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if run and (tensor.dtype != run[0].dtype or size + tensor.nbytes > limit):
            yield run
            run, size = [], 0
        run.append(tensor)
        size += tensor.nbytes
    if run:
        yield run


def checksum(tensor: Tensor) -> int:
    """CRC-32 of the bytes of ``tensor``, in the order of its elements."""
    plain = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
    return zlib.crc32(plain.numpy().tobytes())
