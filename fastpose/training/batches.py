"""Batches, drawn in a background thread one step ahead of the one in use."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from fastpose.errors import UserError
from fastpose.nn.across import ALONE, Across
from fastpose.recipes.base import Augmentation
from fastpose.training.augment import augment
from fastpose.training.device import to_device
from fastpose.training.phases import Stage

RngStates = dict[str, dict[str, Any]]
# What a stage may need. The last three are 2D joints with their positions in space: of the prior's
# poses, of labelled clips, and of labelled clips with a detector's 2D joints.
BODIES = ("bodies", "labelled", "detected")
DRAWN = ("frames", "poses", *BODIES)  # each with a generator of its own
SOURCES = (*DRAWN, "keypoints")  # frames with their labels, drawn with the generator of frames
GENERATORS = (*DRAWN, "augmentation")
NO_AUGMENTATION = Augmentation()
_LOOK = 1.0  # seconds between looks at whether the thread that draws is still there


class FrameSource(Protocol):
    """Draws pairs of frames; see ``fastpose.data.frame_pairs``.

    Attributes:
        unusable: names of the clips that are never drawn.
    """

    unusable: tuple[str, ...]

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = ..., /
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Target and other (B,S,S,3) uint8 and the target's (B,2) clip and frame index.

        ``batch`` pairs are drawn; of those only the rows of ``share`` need be read, and are given.
        """
        ...


class KeypointSource(Protocol):
    """Draws frames with their labels; see ``fastpose.data.labelled_frames``."""

    mirror: tuple[int, ...]

    def sample(
        self, batch: int, rng: np.random.Generator, share: slice = ..., /
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Frames (B,S,S,3) uint8, points (B,K,2) float32, which are known (B,K), clip and frame.

        ``batch`` frames are drawn, as by a :class:`FrameSource`.
        """
        ...


class PoseSource(Protocol):
    """Draws unpaired poses; see ``fastpose.data.pose_prior``."""

    def sample(self, n: int, rng: np.random.Generator, /) -> np.ndarray:
        """Poses (n,K,2) float32, normalised."""
        ...


class BodySource(Protocol):
    """Draws 2D joints and what they are in space; see ``fastpose.data.bodies``."""

    def sample(self, n: int, rng: np.random.Generator, /) -> tuple[np.ndarray, np.ndarray]:
        """Points (n,K,2) float32, normalised, and positions (n,K,3) float32, metres."""
        ...


@dataclass(frozen=True)
class Sources:
    """Where batches come from; a source that no stage needs may be None."""

    frames: FrameSource | None = None
    poses: PoseSource | None = None
    bodies: BodySource | None = None
    labelled: BodySource | None = None
    detected: BodySource | None = None
    keypoints: KeypointSource | None = None
    augmentation: Augmentation = NO_AUGMENTATION


@dataclass(frozen=True)
class Prepared:
    """One batch as drawn, and the sources' generators' states after drawing it."""

    arrays: Mapping[str, np.ndarray]
    rng_states: RngStates


def stage_at(stages: Sequence[Stage], step: int) -> tuple[int, int]:
    """Index of the stage that executes ``step`` (from 0), and the step's place within it."""
    for index, stage in enumerate(stages):
        if step < stage.steps:
            return index, step
        step -= stage.steps
    raise IndexError(f"step lies {step} beyond the last stage")


def initial_rng_states(seed: int) -> RngStates:
    """States of independent generators, one for each of ``GENERATORS``."""
    seeds = np.random.SeedSequence(seed).spawn(len(GENERATORS))
    return {
        name: dict(np.random.default_rng(s).bit_generator.state)
        for name, s in zip(GENERATORS, seeds, strict=True)
    }


def make_generators(states: RngStates) -> dict[str, np.random.Generator]:
    """Generators that continue from ``states``; UserError where a state is not one of PCG64's."""
    generators = {}
    for name in GENERATORS:
        generator = np.random.default_rng(0)
        try:
            generator.bit_generator.state = states[name]
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise UserError(f"random generator '{name}': not a state ({error})") from None
        generators[name] = generator
    return generators


def draw(
    stage: Stage,
    sources: Sources,
    generators: Mapping[str, np.random.Generator],
    across: Across = ALONE,
) -> dict[str, np.ndarray]:
    """One batch of ``stage``, as it needs them: ``target``, ``other``, ``ids``, ``poses``,
    ``points``, ``known``, ``positions``.

    Every process draws the whole batch from the same generators, and takes its share.
    """
    arrays: dict[str, np.ndarray] = {}
    share = across.share(stage.batch_size)
    if "frames" in stage.needs:
        assert sources.frames is not None
        target, other, ids = sources.frames.sample(stage.batch_size, generators["frames"], share)
        arrays.update(target=target, other=other, ids=ids)
    if "keypoints" in stage.needs:
        assert sources.keypoints is not None
        drawn = sources.keypoints.sample(stage.batch_size, generators["frames"], share)
        arrays.update(zip(("target", "points", "known", "ids"), drawn, strict=True))
    if "poses" in stage.needs:
        assert sources.poses is not None
        arrays["poses"] = sources.poses.sample(stage.batch_size, generators["poses"])[share]
    for name in BODIES:
        if name in stage.needs:
            source: BodySource | None = getattr(sources, name)
            assert source is not None
            points, positions = source.sample(stage.batch_size, generators[name])
            arrays.update(points=points[share], positions=positions[share])
    return arrays


class BatchStream:
    """The batches of steps ``start`` to ``stop``, in order; use as a context manager.

    The thread works one batch ahead, so the generators inside are ahead of training. Whoever
    consumes a batch stores ``Prepared.rng_states``: a stream begun from those continues exactly.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        sources: Sources,
        rng_states: RngStates,
        *,
        start: int,
        stop: int,
        across: Across = ALONE,
    ) -> None:
        self._stages, self._sources, self._stop, self._across = stages, sources, stop, across
        self._generators = make_generators(rng_states)
        self._next = start
        self._worker: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(1, "fastpose-batches", self._note_worker)
        self._ahead: Future[Prepared] | None = None

    def _note_worker(self) -> None:
        self._worker = threading.current_thread()

    def _prepare(self, step: int) -> Prepared:
        stage = self._stages[stage_at(self._stages, step)[0]]
        try:
            arrays = draw(stage, self._sources, self._generators, self._across)
        except Exception:
            raise
        except BaseException as error:  # SystemExit would end the main thread as if all was well
            raise _worker_died(type(error).__name__) from error
        states = {name: dict(self._generators[name].bit_generator.state) for name in DRAWN}
        return Prepared(arrays, states)

    def _submit(self) -> Future[Prepared] | None:
        if self._next >= self._stop:
            return None
        step, self._next = self._next, self._next + 1
        return self._pool.submit(self._prepare, step)

    def next(self) -> Prepared:
        """The next batch; an error of a source is raised here, also that its thread died."""
        current = self._ahead or self._submit()
        if current is None:
            raise IndexError("no batch is left")
        while not wait([current], timeout=_LOOK).done:
            if self._worker is not None and not self._worker.is_alive():
                raise _worker_died("it is not there any more")
        prepared = current.result()
        self._ahead = self._submit()
        return prepared

    def __enter__(self) -> BatchStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _worker_died(reason: str) -> UserError:
    return UserError(f"the thread that draws batches died ({reason}); resume the run")


def images_to_float(images: np.ndarray, device: torch.device) -> Tensor:
    """uint8 (B,S,S,3) to float (B,3,S,S) in [-1, 1], channels-last in memory."""
    tensor = to_device(np.ascontiguousarray(images), device)
    return tensor.permute(0, 3, 1, 2).to(torch.float32).mul_(2.0 / 255.0).sub_(1.0)


def to_batch(
    arrays: Mapping[str, np.ndarray],
    device: torch.device,
    augmentation: Augmentation = NO_AUGMENTATION,
    rng: np.random.Generator | None = None,
    across: Across = ALONE,
    mirror: Sequence[int] = (),
) -> dict[str, Tensor]:
    """What a model is given: ``target`` and ``other`` (B,3,S,S) in [-1, 1], ``poses`` (B,K,2),
    ``points`` (B,K,2), ``known`` (B,K) and ``positions`` (B,K,3), as the stage needs them.

    Args:
        arrays: see :func:`draw`.
        device: where to.
        augmentation: of the pictures, drawn with ``rng``; none without ``rng``.
        rng: changed by drawing.
        across: the processes that share the batch.
        mirror: for each of labelled pictures' joints the one on the other side.
    """
    batch = {k: images_to_float(arrays[k], device) for k in ("target", "other") if k in arrays}
    for name in ("poses", "points", "known", "positions"):
        if name in arrays:
            values = np.ascontiguousarray(arrays[name], dtype=np.float32)
            batch[name] = to_device(values, device)
    if "target" in batch and rng is not None:
        augment(batch, augmentation, rng, across, mirror)
    return batch
