"""A training step as one CUDA graph. Not yet run on a GPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Run = Callable[[], Tensor]
Replay = Callable[[], Tensor]


class Graphs:
    """Makes graphs of what runs on the current CUDA device."""

    def warm_up(self, run: Run) -> Tensor:
        """Run, on a stream of its own as a capture does, what is to be captured later."""
        here, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            values = run()
        here.wait_stream(side)
        return values

    def capture(self, run: Run) -> Replay:
        """What does again, with one launch, all that ``run`` launches.

        ``run`` is recorded and not executed. Its result, and every tensor that it reads or writes,
        keeps its place.

        Raises:
            RuntimeError: ``run`` waits for the device, or does something else no graph can hold.
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            values = run()

        def replay() -> Tensor:
            graph.replay()
            return values

        return replay


ON_GPU = Graphs()
