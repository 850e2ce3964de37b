"""What the benchmark of an operator declares: calls of it, its peers, and the ratios wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fastpose import ops
from fastpose.ops.samples import Sample

FORWARD, BOTH = "forward", "forward and backward"
PAPER, EAGER, LIBRARY, COMPILED = "paper", "eager", "library", "compiled"
OURS, AGAIN, INTO = "fastpose", "fastpose again", "fastpose, out="
MEMSET, MEMSET_NEW, READ, COPY = "memset", "memset of new memory", "read", "copy"
DEFAULT, AUTOTUNE, GRAPHS = "default", "max-autotune", "reduce-overhead"  # of torch.compile

Drawer = Callable[..., Tensor]  # called with the tensors that get gradients


@dataclass(frozen=True)
class Case:
    """Sizes of one comparison.

    Attributes:
        kind: which of the operator's functions, in words; "" where it has one.
        batch, size: images, and the side of each in pixels.
        count, counted: how many limbs or maps, and the letter for them.
        dtype: of the result, by its name in torch.
        channels_last: memory format of the maps.
    """

    batch: int = 8
    size: int = 128
    count: int = 16
    counted: str = "K"
    kind: str = ""
    dtype: str = "float32"
    channels_last: bool = False

    def __str__(self) -> str:
        parts = [self.kind] if self.kind else []
        parts.append(f"B={self.batch} {self.size}x{self.size} {self.counted}={self.count}")
        if self.dtype != "float32":
            parts.append(self.dtype)
        if self.channels_last:
            parts.append("channels-last")
        return ", ".join(parts)

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    @property
    def format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def random(self, *shape: int, seed: int) -> Tensor:
        """Normally distributed float32 numbers."""
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Peer:
    """Another way to compute the same.

    Attributes:
        draw: the computation.
        group: PAPER (as a paper's authors wrote it), EAGER (by an expert) or LIBRARY.
        modes: of torch.compile, in which it is timed too, under a name of its own.
        differs: in what it is another function; "" where it is the same.
    """

    draw: Drawer
    group: str
    modes: tuple[str, ...] = ()
    differs: str = ""


@dataclass(frozen=True)
class Problem:
    """One case with its numbers.

    Attributes:
        sample: the call of the public operator, everything in float32.
        wanted: which of the call's positional arguments, tensors or lists of them, get gradients.
        peers: by name; each called with those tensors.
        image: whether the result is an image, which can be written into `out` and be of any dtype.
        rereads: whether the backward has to read those arguments once more.
    """

    sample: Sample
    wanted: tuple[int, ...]
    peers: dict[str, Peer]
    image: bool = True
    rereads: bool = True

    def leaves(self, *, gradients: bool, dtype: torch.dtype | None = None) -> list[Tensor]:
        """The tensors that get gradients, as new leaves."""
        found = [t.detach().clone() for i in self.wanted for t in _tensors(self.sample.args[i])]
        return [leaf.to(dtype or leaf.dtype).requires_grad_(gradients) for leaf in found]

    def inputs(self) -> list[Tensor]:
        """All tensors that are read."""
        more = [t for value in self.sample.kwargs.values() for t in _tensors(value)]
        return [*self.sample.tensors(), *more]

    def drawer(self, operator: str) -> Drawer:
        """The public operator as a function of the tensors that get gradients, and of keywords."""
        function, arguments = getattr(ops, operator), list(self.sample.args)

        def ours(*leaves: Tensor, **more: Any) -> Tensor:
            given = iter(leaves)
            for i in self.wanted:
                is_list = isinstance(arguments[i], list)
                arguments[i] = [next(given) for _ in arguments[i]] if is_list else next(given)
            result = function(*arguments, **self.sample.kwargs, **more)
            return result[0] if isinstance(result, tuple) else result

        return ours

    def differs(self, contender: str) -> str:
        """In what a contender, compiled or not, is another function; "" where it is the same."""
        for name, peer in self.peers.items():
            if contender == name or contender.startswith(f"{name}, compiled"):
                return peer.differs
        return ""

    def exact(self, operator: str) -> Drawer:
        """The reference in float64."""
        exact = self.sample.with_tensors(Tensor.double)
        keywords = {k: v for k, v in exact.kwargs.items() if k != "dtype"}
        sample = Sample("", exact.args, keywords | dict(backend="reference"))
        return Problem(sample, self.wanted, {}).drawer(operator)


def _tensors(value: Any) -> list[Tensor]:
    each = value if isinstance(value, list) else [value]
    return [t for t in each if isinstance(t, Tensor)]


@dataclass(frozen=True)
class Goal:
    """A ratio of times to be reached in one case.

    Attributes:
        row: what it is called in the table of goals.
        against: a group of peers, of which the fastest that is right counts, or a contender's name.
        must, stretch: how many times slower `against` has to be, and should be if possible.
        ours: whose time it is compared with.
        at_most: `against` may be at most so many times slower, instead of at least.
    """

    row: str
    case: Case
    what: str
    against: str
    must: float
    stretch: float | None = None
    ours: str = OURS
    at_most: bool = False


def next_to_memset(row: str, case: Case) -> Goal:
    """That drawing into a tensor takes at most twice as long as filling it with zeros."""
    return Goal(row, case, FORWARD, INTO, 2.0, 1.4, ours=MEMSET, at_most=True)


def next_to_avx512(row: str, case: Case) -> Goal:
    """That processors without AVX-512 take at most 2.2 times as long."""
    return Goal(row, case, BOTH, f"{OURS}, avx2", 2.2, at_most=True)


@dataclass(frozen=True)
class Benchmark:
    """All about one operator.

    Attributes:
        operator: its public name.
        problem: makes the numbers of a case, from a seed and, if not the CPU, for a device.
        cases: the headline's.
        goals: on those cases.
        grid: further cases, timed more briefly.
        compiled: those of the grid in which torch.compile takes part.
    """

    operator: str
    problem: Callable[..., Problem]
    cases: tuple[Case, ...]
    goals: tuple[Goal, ...]
    grid: tuple[Case, ...] = ()
    compiled: frozenset[Case] = field(default_factory=frozenset)
