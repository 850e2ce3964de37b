"""Pictures and unpaired poses share no frame: otherwise the poses would be labels in disguise.

What can be told depends on what clips and poses say of themselves:

* Poses that ``prepare --poses-only`` wrote and clips that ``prepare`` made of the same data set
  name their frames: a shared one is an error.
* Data sets of the same films that number their frames in ways of their own, see :data:`FILMS`:
  poses of a film that the clips show are counted in a note.
* Poses of unknown origin are compared with the labels that the clips carry: an equal one is an
  error, and the rest is counted in a note.
* Clips of ``synthesize --motion`` name the recordings they move by: a note says which of them the
  prior has too. Recordings called as the package's own activities cannot be told from these.
"""

from __future__ import annotations

import re

import numpy as np

from fastpose.data.clips import ClipStore
from fastpose.data.datasets import DATASETS
from fastpose.data.datasets.human36m import activity_of
from fastpose.data.pose_points import Origin, PointBank
from fastpose.data.pose_prior import PosePrior
from fastpose.errors import UserError

# Modules of readers of one and the same films. Variants in one module number frames alike.
FILMS: dict[str, str] = {
    "human36m": "Human3.6M",
    "human36m_frames": "Human3.6M",
    "simplified_human36m": "Human3.6M",
}
_FEWEST_JOINTS = 4  # whose equality means something


def require_disjoint(store: ClipStore, prior: PosePrior) -> list[str]:
    """What could not be checked, a sentence each.

    Raises:
        UserError: a pose of the prior is the label of a frame that a clip shows.
    """
    bank = prior.bank
    if not isinstance(bank, PointBank):
        return _same_motion(store, prior.actions)
    poses = len(bank.points)
    origin = bank.origin or Origin.unknown(poses)
    known = origin.known
    _require_other_labels(store, bank, np.flatnonzero(~known))
    datasets = [str(name) for name in np.unique(origin.dataset[known])]
    notes = []
    unknown = int((~known).sum())
    if unknown:
        notes.append(
            f"{unknown} of the prior's {poses} poses do not say which frames they are of, so "
            "whether the clips show these could not be checked by name"
        )
    shown = (store.info.get("dataset") or {}).get("dataset")
    if not shown:
        if unknown < poses and store.info.get("made_by") != "fastpose synthesize":
            notes.append(
                f"{store.path} does not say which data set it shows, so whether it shows frames "
                f"of {', '.join(datasets)}, which the prior's "
                "poses are of, could not be checked"
            )
        return notes
    for dataset in datasets:
        rows = np.flatnonzero(origin.dataset == dataset)
        if _module(dataset) == _module(shown):
            _require_other_frames(store, origin.take(rows), poses)
        elif FILMS.get(_module(dataset), dataset) == FILMS.get(_module(shown), shown):
            notes += _same_films(store, shown, dataset, origin.source[rows])
    return notes


def _module(dataset: str) -> str:
    return DATASETS.get(dataset, dataset).partition(":")[0]


def _require_other_frames(store: ClipStore, origin: Origin, poses: int) -> None:
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
            f"{store.path}: shows {len(shared)} of the frames that the prior's {poses} poses are "
            f"labels of (such as frame {int(origin.frame[first])} of {origin.source[first]}); "
            "prepare the poses from the other --half or --split"
        )


def _same_films(store: ClipStore, shown: str, dataset: str, sources: np.ndarray) -> list[str]:
    """A note where poses are of a subject, activity and camera that the clips show too."""
    films = {_film(str(clip.source)) for clip in store.clips}
    names, counts = np.unique(sources, return_counts=True)
    of = [_film(str(name)) for name in names]
    count = sum(int(poses) for film, poses in zip(of, counts, strict=True) if film in films)
    if not count:
        return []
    film = next(film for film in of if film in films)
    return [
        f"{count} poses of {dataset} are of films that the clips of {shown} show too (such as "
        f"{film}); the two count frames differently, so whether frames are shared could not be "
        "checked: prepare both from one of them, or from other --split"
    ]


def _film(source: str) -> str:
    """``S1 directions 54138969`` of the path of a video or of a folder of pictures of Human3.6M."""
    parts = source.split("/")
    camera = re.search(r"\d{8}", source)
    of_frames = len(parts) > 1 and "imageSequence" in parts
    sequence = parts[1] if of_frames else re.sub(r"\.(mp4|\d{8}).*", "", parts[-1])
    return f"{parts[0]} {activity_of(sequence).lower()} {camera[0] if camera else ''}".strip()


def _require_other_labels(store: ClipStore, bank: PointBank, rows: np.ndarray) -> None:
    """UserError where poses ``rows`` are labels of the clips, moved and scaled perhaps."""
    known = store.skeleton
    joints = [] if known is None else [j for j in bank.skeleton.joints if j in known.joints]
    if known is None or len(joints) < _FEWEST_JOINTS or not len(rows):
        return
    at = [known.index(joint) for joint in joints]
    labels = [np.asarray(c.keypoints)[:, at] for c in store.clips if c.keypoints is not None]
    if not labels:
        return
    poses = bank.points[rows][:, [bank.skeleton.index(joint) for joint in joints]]
    equal = int(np.isin(_rounded(poses), _rounded(np.concatenate(labels))).sum())
    if equal:
        raise UserError(
            f"{store.path}: carries {equal} of the prior's {len(bank.points)} poses as labels of "
            "frames it shows; give poses of other frames"
        )


def _rounded(points: np.ndarray) -> np.ndarray:
    """(M,) of those of (N,K,2) that are finite: a key each, to a thousandth of their boxes."""
    points = points[np.isfinite(points).all(axis=(1, 2))].astype(np.float64)
    low, high = points.min(axis=1, keepdims=True), points.max(axis=1, keepdims=True)
    side = (high - low).max(axis=-1, keepdims=True)
    points, low = points[side[:, 0, 0] > 0], low[side[:, 0, 0] > 0]
    grid = np.rint(1000.0 * (points - low) / side[side[:, 0, 0] > 0]).astype(np.int16)
    flat = np.ascontiguousarray(grid.reshape(len(grid), -1))
    return flat.view(f"V{flat.shape[1] * flat.itemsize}")[:, 0]


def _same_motion(store: ClipStore, actions: frozenset[str]) -> list[str]:
    """A note where clips of recorded motion and recordings of the prior have the same names."""
    from fastpose.data.synthetic.motion import KNOWN

    if store.info.get("made_by") != "fastpose synthesize":
        return []
    recorded = {str(clip.activity) for clip in store.clips} - set(KNOWN)
    shared = sorted(recorded & actions)
    if not shared:
        return []
    return [
        f"the people of {store.path} move by recordings that are called as some of the prior's "
        f"are ({', '.join(shared[:6])}): if they are the same, the poses are labels of the clips; "
        "give the prior other recordings"
    ]
