"""Pictures and unpaired poses share no frame: otherwise the poses would be labels in disguise."""

from __future__ import annotations

from fastpose.data.clips import ClipStore
from fastpose.data.datasets import DATASETS
from fastpose.data.pose_points import PointBank
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError


def require_disjoint(store: ClipStore, prior: PosePrior) -> None:
    """UserError where a pose of the prior is of a frame that a clip shows.

    Both say where they come from if ``prepare`` made them of a data set. Motion capture and label
    files of other origin belong to no frame of the clips, as far as anybody can tell.
    """
    bank = prior.bank
    origin = bank.origin if isinstance(bank, PointBank) else None
    shown = store.info.get("dataset")
    if origin is None or not shown or _family(shown["dataset"]) != _family(origin.dataset):
        return
    frames: dict[str, set[int]] = {}
    for clip in store.clips:
        frames.setdefault(str(clip.source), set()).update(clip.source_frames or ())
    shared = [
        i
        for i, (source, frame) in enumerate(zip(origin.source, origin.frame, strict=True))
        if int(frame) in frames.get(str(source), ())
    ]
    if shared:
        first = shared[0]
        raise UserError(
            f"{store.path}: shows {len(shared)} of the frames that the prior's "
            f"{len(origin.source)} poses are labels of (such as frame {int(origin.frame[first])} "
            f"of {origin.source[first]}); prepare the poses from the other --half or --split"
        )


def _family(dataset: str) -> str:
    """Variants of a data set, such as those of Simplified Human3.6M, show the same frames."""
    return DATASETS.get(dataset, dataset).partition(":")[0]
