"""Predictions beside their labels, cut to the joints and frames that a protocol scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fastpose.errors import UserError
from fastpose.evaluation.metrics.correct_points import box_sizes, head_sizes, torso_sizes
from fastpose.evaluation.metrics.distances import check_pair
from fastpose.evaluation.metrics.sides import forgive_sides
from fastpose.evaluation.protocols.declare import Protocol
from fastpose.skeletons import Skeleton

Picture = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Cases:
    """N predictions of K joints, or N predicted pictures.

    Args:
        predicted: (N,K,2) pixels, (N,K,3) metres, or (N,H,W,3) uint8.
        truth: the same of the labels.
        visible: (N,K) bool, which labels count; (N,1) for pictures.
        skeleton: names the K joints; None for pictures.
        activity: (N,) names, empty where unknown.
        names: (N,) what the frames are called.
        sizes: (N,) by kind of size, see ``protocols.Measure``.
        notes: what keeps the numbers from being those of the protocol.
        picture: the picture behind the joints of a frame, uint8 (H,W,3); None: there is none.
    """

    predicted: np.ndarray
    truth: np.ndarray
    visible: np.ndarray
    skeleton: Skeleton | None
    activity: np.ndarray
    names: np.ndarray
    sizes: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()
    picture: Picture | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True)
class Given:
    """What a file or a run of a detector gives, before a protocol chooses from it.

    Args:
        predicted: (N,K1,D).
        predicted_joints: names of the K1 joints.
        truth: (N,K2,D).
        truth_joints: names of the K2 joints.
        visible: (N,K2) bool.
        activity: (N,) names, empty where unknown.
        actor: (N,) names, empty where unknown.
        split: (N,) of the data set, such as "train", empty where unknown.
        names: (N,) what the frames are called.
        side: (N,) side of the pictures in pixels; None: unknown.
        head: (N,) sizes or (N,4) boxes of heads; None: unknown.
        box: (N,4) boxes of people; None: unknown.
        source_scale: (N,) pixels of the video in a pixel of the picture; None: unknown.
        label: where all this is from, for messages.
        notes: what to say of how the predictions were made.
        picture: see ``Cases``.
    """

    predicted: np.ndarray
    predicted_joints: Sequence[str]
    truth: np.ndarray
    truth_joints: Sequence[str]
    visible: np.ndarray
    activity: np.ndarray
    actor: np.ndarray
    split: np.ndarray
    names: np.ndarray
    side: np.ndarray | None
    head: np.ndarray | None
    box: np.ndarray | None
    source_scale: np.ndarray | None
    label: str
    notes: tuple[str, ...] = ()
    picture: Picture | None = None


def choose(given: Given, protocol: Protocol, wanted: Sequence[str] | None = None) -> Cases:
    """The protocol's joints and frames of ``given``.

    Args:
        given: predictions and labels.
        protocol: of joints.
        wanted: names of the joints to score; None: all of the protocol that both have.

    Raises:
        UserError: no such joint or frame, or a size that the protocol needs and nobody gave.
    """
    assert protocol.skeleton is not None
    joints, notes = _joints(given, protocol, wanted)
    frames, activity, more = _frames(given, protocol)
    skeleton = restrict(protocol.skeleton, joints)
    predicted = given.predicted[frames][:, [list(given.predicted_joints).index(j) for j in joints]]
    at = [list(given.truth_joints).index(j) for j in joints]
    truth = given.truth[frames][:, at]
    visible = given.visible[frames][:, at] & np.isfinite(truth).all(axis=-1)
    if not visible.any():
        raise UserError(f"{given.label}: no frame has a visible joint among those scored")
    _check_finite(given, predicted, frames, joints)
    try:
        predicted, truth, visible = check_pair(predicted, truth, visible)
    except ValueError as error:
        raise UserError(f"{given.label}: {error}") from None
    if protocol.inputs == "points3d":
        _check_space(protocol, skeleton, truth, visible, given.label)
    picture = given.picture
    return Cases(
        predicted,
        truth,
        visible,
        skeleton,
        activity,
        given.names[frames],
        _sizes(given, protocol, frames, truth, visible, skeleton),
        given.notes + notes + more + _of_the_joints(given, protocol),
        None if picture is None else lambda i: picture(int(frames[i])),
    )


def paired_joints(skeleton: Skeleton, known: Collection[str]) -> list[str]:
    """The joints of ``skeleton`` that are known on both sides: one alone cannot be exchanged."""
    opposite = [skeleton.joints[m] for m in skeleton.mirror]
    both = zip(skeleton.joints, opposite, strict=True)
    return [joint for joint, other in both if joint in known and other in known]


def restrict(skeleton: Skeleton, joints: Sequence[str]) -> Skeleton:
    """Only ``joints``, both sides of each, with the limbs that have all their joints."""
    kept = [skeleton.index(joint) for joint in joints]
    place = {old: new for new, old in enumerate(kept)}
    limbs, groups = [], []
    for limb, group in zip(skeleton.limbs, skeleton.limb_groups, strict=True):
        ends = [(end,) if isinstance(end, int) else end for end in limb]
        if all(i in place for end in ends for i in end):
            first, second = (tuple(place[i] for i in end) for end in ends)
            limbs.append(
                (first[0] if len(first) == 1 else first, second[0] if len(second) == 1 else second)
            )
            groups.append(group)
    mirror = tuple(place[skeleton.mirror[old]] for old in kept)
    return Skeleton(skeleton.name, tuple(joints), tuple(limbs), mirror, tuple(groups))


def with_sides_forgiven(cases: Cases) -> Cases:
    """The labels' sides exchanged in frames in which the prediction is then nearer."""
    assert cases.skeleton is not None
    truth, visible, _ = forgive_sides(
        cases.predicted, cases.truth, cases.visible, cases.skeleton.mirror
    )
    return replace(cases, truth=truth, visible=visible)


def with_mean_label(cases: Cases, root: str | None) -> Cases:
    """The mean of the labels predicted for every frame: what a constant guess reaches at best.

    Joints in pictures are averaged in shares of the side where it is known, joints in space with
    the ``root`` at the origin, pictures pixel by pixel.
    """
    if cases.skeleton is None:
        mean = np.rint(cases.truth.mean(axis=0)).astype(np.uint8)
        return replace(cases, predicted=np.broadcast_to(mean, cases.truth.shape))
    truth, scale = cases.truth, np.ones((len(cases), 1, 1))
    if root is not None:
        at = cases.skeleton.index(root)
        truth = truth - truth[:, at : at + 1]
    elif "side" in cases.sizes:
        scale = cases.sizes["side"][:, None, None]
    counted = cases.visible[..., None]
    number = np.maximum(counted.sum(axis=0), 1)
    mean = np.where(counted, truth / scale, 0.0).sum(axis=0) / number
    return replace(cases, predicted=mean * scale)


def _joints(
    given: Given, protocol: Protocol, wanted: Sequence[str] | None
) -> tuple[list[str], tuple[str, ...]]:
    skeleton = protocol.skeleton
    assert skeleton is not None
    for joint in wanted or ():
        skeleton.index(joint)
    both = set(given.predicted_joints) & set(given.truth_joints)
    if wanted is not None:
        for joint in wanted:
            if joint not in both:
                side = "labels" if joint in given.predicted_joints else "predictions"
                raise UserError(f"{given.label}: the {side} lack the joint '{joint}'")
        both &= set(wanted)
    joints = paired_joints(skeleton, both)
    alone = [joint for joint in wanted or () if joint not in joints]
    if alone:
        raise UserError(f"joints: {', '.join(alone)} must be scored together with the other side")
    if not joints:
        raise UserError(
            f"{given.label}: labels of {', '.join(given.truth_joints)} and predictions of "
            f"{', '.join(given.predicted_joints)} share no joint of {protocol.name} "
            f"({', '.join(skeleton.joints)})"
        )
    lost = [j for j in skeleton.joints if j not in joints]
    if not lost:
        return joints, ()
    named = ", ".join(lost[:6]) + (", ..." if len(lost) > 6 else "")
    return joints, (
        f"{len(joints)} of the protocol's {len(skeleton.joints)} joints count, without {named}",
    )


def _frames(given: Given, protocol: Protocol) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Indices of the frames that count, the activity of each, and notes."""
    kept = np.ones(len(given.truth), bool)
    notes = []
    if protocol.held_out:
        training = np.char.startswith(given.split.astype(str), "train")
        if training.all():
            raise UserError(
                f"{given.label}: all frames are of the training split; {protocol.name} tests on "
                f"{protocol.test}"
            )
        if training.any():
            notes.append(f"{int(training.sum())} frames of the training split are left out")
        kept &= ~training
    actors = np.array([_subject(actor) for actor in given.actor])
    if protocol.test_actors:
        known = actors != ""
        other = kept & known & ~np.isin(actors, protocol.test_actors)
        if (other == kept).all():
            raise UserError(
                f"{given.label}: all frames are of {', '.join(sorted(set(actors[kept])))}; "
                f"{protocol.name} tests on {', '.join(protocol.test_actors)}"
            )
        if other.any():
            notes.append(
                f"{int(other.sum())} frames of {', '.join(sorted(set(actors[other])))} are left "
                f"out: the test split is {', '.join(protocol.test_actors)}"
            )
        if (kept & ~known).any():
            notes.append(
                f"of {int((kept & ~known).sum())} frames nobody says who is seen: they count, "
                f"whether or not they are of {', '.join(protocol.test_actors)}"
            )
        kept &= ~other
    activity = given.activity.astype(str)
    if protocol.activities:
        by_word = {word: a.name for a in protocol.activities for word in (a.name, *a.also)}
        activity = np.array([by_word.get(a, by_word.get(_word(a), "")) for a in activity])
        present = [a.name for a in protocol.activities if (kept & (activity == a.name)).any()]
        if not present:
            found = ", ".join(sorted(set(given.activity.astype(str)) - {""})) or "none"
            raise UserError(
                f"{given.label}: no frame is of {protocol.name}'s activities "
                f"({', '.join(a.name for a in protocol.activities)}); found: {found}"
            )
        left_out = int((kept & (activity == "")).sum())
        if left_out:
            notes.append(f"{left_out} frames of other activities are left out")
        lost = [a.name for a in protocol.activities if a.name not in present]
        if lost:
            notes.append(f"no frame of {', '.join(lost)}: the mean is over the other activities")
        kept &= activity != ""
    frames = np.flatnonzero(kept)
    return frames, activity[frames], tuple(notes)


def _check_finite(
    given: Given, predicted: np.ndarray, frames: np.ndarray, joints: Sequence[str]
) -> None:
    """UserError naming the first predicted joint that is nowhere."""
    odd = ~np.isfinite(predicted).all(axis=-1)
    if not odd.any():
        return
    at, joint = (int(i) for i in np.argwhere(odd)[0])
    frame, name = int(frames[at]), str(given.names[frames[at]])
    called = "" if name == str(frame) else f" ({name})"
    place = ", ".join(f"{value:g}" for value in predicted[at, joint])
    raise UserError(
        f"{given.label}: predicted must be finite, but joint '{joints[joint]}' of frame "
        f"{frame}{called} is at ({place}), one of {int(odd.sum())} such joints; every scored joint "
        "needs a position, so give the likeliest where the detector found none"
    )


def _word(activity: str) -> str:
    """The first word of a clip's activity: letters before a blank or a dot, in lower case."""
    first = re.split(r"[\s.]", activity.strip().lower(), maxsplit=1)[0]
    return re.sub(r"[^a-z]", "", first)


def _subject(actor: str) -> str:
    """``s_11``, ``S11`` and ``s011`` are S11; other names stay as they are."""
    match = re.fullmatch(r"[sS]_?0*(\d+)", str(actor).strip())
    return f"S{match[1]}" if match else str(actor).strip()


def _check_space(
    protocol: Protocol, skeleton: Skeleton, truth: np.ndarray, visible: np.ndarray, label: str
) -> None:
    """UserError unless every frame has the root that alignments need, and metres."""
    assert protocol.root is not None
    if protocol.root not in skeleton.joints:
        raise UserError(f"{label}: {protocol.name} needs the joint '{protocol.root}' in both")
    rooted = visible[:, skeleton.index(protocol.root)]
    if not rooted.all():
        raise UserError(
            f"{label}: the joint '{protocol.root}' is not visible in {int((~rooted).sum())} "
            "frames; leave these frames out"
        )
    places = np.where(visible[..., None], truth, np.nan)
    extent = float(np.median(np.nanmax(places, axis=1) - np.nanmin(places, axis=1), axis=0).max())
    if extent > 20:
        raise UserError(
            f"{label}: people are {extent:.0f} large; joints in space must be in metres, so divide "
            "millimetres by 1000"
        )


def _kinds(protocol: Protocol) -> set[str]:
    """The kinds of sizes that the protocol divides by."""
    measures = [c.measure for c in protocol.columns] + list(protocol.further)
    return {m.size for m in measures} | ({protocol.curve.size} if protocol.curve else set())


def _of_the_joints(given: Given, protocol: Protocol) -> tuple[str, ...]:
    """A note where the joints' box stands in for that of the person."""
    kinds = sorted(_kinds(protocol) & {"box", "diagonal"})
    if given.box is not None or not kinds:
        return ()
    return (
        f"'{kinds[0]}' is that of the box about the visible joints, not of the data set's box of "
        "the person: a larger box makes more joints correct, so do not compare with papers that "
        "divide by it; clips carry no boxes, an npz of predictions may ('box')",
    )


def _sizes(
    given: Given,
    protocol: Protocol,
    frames: np.ndarray,
    truth: np.ndarray,
    visible: np.ndarray,
    skeleton: Skeleton,
) -> dict[str, np.ndarray]:
    kinds = _kinds(protocol)
    found: dict[str, np.ndarray] = {"one": np.ones(len(frames))}
    unknown = np.full(len(frames), np.nan)
    boxes = None if given.box is None else given.box[frames]
    if given.side is not None:
        found["side"] = given.side[frames]
    elif "side" in kinds:
        raise UserError(
            f"{given.label}: needs 'side', the side of the pictures in pixels, one number or one "
            f"for each frame; {protocol.name} divides by it"
        )
    if "source" in kinds:
        scale = given.source_scale
        found["source"] = unknown if scale is None else 1.0 / scale[frames]
    if "torso" in kinds:
        has = all(joint in skeleton.joints for joint in ("l_shoulder", "r_hip"))
        found["torso"] = torso_sizes(truth, skeleton, visible) if has else unknown
    if "box" in kinds:
        sides = None if boxes is None else boxes[:, 2:] - boxes[:, :2]
        found["box"] = box_sizes(truth, visible) if sides is None else sides.max(axis=1)
    if "diagonal" in kinds:
        found["diagonal"] = (
            box_sizes(truth, visible, measure="diagonal")
            if boxes is None
            else np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=1)
        )
    if "head" in kinds:
        if given.head is None:
            raise UserError(
                f"{given.label}: needs 'head', the heads' boxes (N,4) or PCKh's sizes (N,)"
            )
        head = given.head[frames]
        found["head"] = head_sizes(head) if head.ndim == 2 else head
    if "eyes" in kinds:
        eyes = [skeleton.index("l_eye"), skeleton.index("r_eye")]
        apart = np.linalg.norm(truth[:, eyes[0]] - truth[:, eyes[1]], axis=-1)
        seen = visible[:, eyes[0]] & visible[:, eyes[1]] & (apart > 0)
        found["eyes"] = np.where(seen, apart, np.nan)
    return found
