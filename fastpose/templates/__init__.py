"""Shape templates: a body as a handful of Gaussians, with the points that hold them together.

Schmidtke et al., "Unsupervised Human Pose Estimation through Transforming Shape Templates", CVPR
2021. A template is drawn on a square canvas; every length is in its pixels, x before y, pixel
centres at integers. Parts and joints carry ``l_`` and ``r_`` for the person's own sides, a person
who faces the camera having the left side on the right of the canvas.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np

from fastpose.errors import UserError, nearest
from fastpose.files import explained, parse_object, replace_file
from fastpose.skeletons import Skeleton, make_skeleton
from fastpose.structures import from_dict

FORMAT, VERSION = "fastpose-template", 1
MOST_PARTS = 256
_LIMIT = 1 << 20  # bytes of a template file
_TOGETHER = 1.0  # pixels that the two anchors of a pair may lie apart in the template


@dataclass(frozen=True)
class Part:
    """One Gaussian of peak 1 and the points that move with it.

    Args:
        name: unique.
        center: of the Gaussian.
        sigma: its standard deviations along and across.
        angle: of its first axis, in radians, from x (right) towards y (down).
        anchors: points by name. They hold parts together and should stay on the image.
        landmarks: points by name that only joints use.
    """

    name: str
    center: tuple[float, float]
    sigma: tuple[float, float]
    angle: float = 0.0
    anchors: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    landmarks: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"part '{self.name}'"
        if not self.name or "." in self.name:
            raise UserError(f"{where}: a part's name must not be empty or hold a dot")
        if not np.isfinite([*self.center, *self.sigma, self.angle]).all():
            raise UserError(f"{where}: center, sigma and angle must be finite numbers")
        if not min(self.sigma) > 0.0:
            raise UserError(
                f"{where}: sigma must be two lengths above 0 (its covariance is singular), "
                f"got {list(self.sigma)}"
            )
        both = sorted(set(self.anchors) & set(self.landmarks))
        if both:
            raise UserError(f"{where}: '{both[0]}' is an anchor and a landmark; give it one role")


@dataclass(frozen=True)
class Template:
    """K parts, which of their anchors belong together, and which joints they tell.

    Args:
        name: what it is called.
        size: side of the canvas in pixels.
        parts: K parts.
        pairs: anchors that coincide, each as ``part.anchor``.
        joints: joint name to the points whose mean it is, each as ``part.anchor`` or
            ``part.landmark``.
        limbs: pairs of joints that are drawn as lines.
        groups: parts that two-step models first move as one (such as a whole arm), by name.

    Raises:
        UserError: naming the part, pair or joint that cannot be.
    """

    name: str
    size: int
    parts: tuple[Part, ...]
    pairs: tuple[tuple[str, str], ...]
    joints: Mapping[str, tuple[str, ...]]
    limbs: tuple[tuple[str, str], ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.size < 2:
            raise UserError(f"template '{self.name}': size must be 2 or more, got {self.size}")
        names = [part.name for part in self.parts]
        if not 1 <= len(names) <= MOST_PARTS:
            raise UserError(
                f"template '{self.name}': needs 1 to {MOST_PARTS} parts, has {len(names)}"
            )
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise UserError(f"template '{self.name}': two parts are called '{twice[0]}'")
        for part in self.parts:
            points = {"center": part.center, **part.anchors, **part.landmarks}
            for point, place in points.items():
                if not all(0.0 <= x <= self.size - 1 for x in place):
                    raise UserError(
                        f"template '{self.name}': '{part.name}.{point}' at {list(place)} lies "
                        f"outside the canvas of {self.size} x {self.size} pixels"
                    )
        self._check_pairs()
        self._check_joints()
        self._check_groups(names)

    def _check_pairs(self) -> None:
        for a, b in self.pairs:
            i, j = self._anchor(a), self._anchor(b)
            if i == j:
                raise UserError(f"template '{self.name}': pair {a} with itself")
            apart = float(np.hypot(*(self.anchors[i] - self.anchors[j])))
            if apart > _TOGETHER:
                raise UserError(
                    f"template '{self.name}': the anchors {a} and {b} belong together, but lie "
                    f"{apart:.1f} pixels apart in the template"
                )

    def _anchor(self, name: str) -> int:
        try:
            return self.anchor_names.index(name)
        except ValueError:
            hint = nearest(name, self.anchor_names)
            raise UserError(
                f"template '{self.name}': a pair names '{name}', which is no anchor{hint}"
            ) from None

    def _check_joints(self) -> None:
        if not self.joints:
            raise UserError(f"template '{self.name}': needs joints, that is what it detects")
        for joint, points in self.joints.items():
            if joint.split() != [joint] or set(joint) & set("+-"):  # see make_skeleton
                raise UserError(
                    f"template '{self.name}': joint '{joint}': a joint's name must not be empty or "
                    "hold a blank, + or -"
                )
            if not points:
                raise UserError(f"template '{self.name}': joint '{joint}' names no points")
            for point in points:
                if point not in self.point_names:
                    hint = nearest(point, self.point_names)
                    raise UserError(
                        f"template '{self.name}': joint '{joint}' names '{point}', which is no "
                        f"anchor or landmark{hint}"
                    )
        for limb in self.limbs:
            for end in limb:
                if end not in self.joints:
                    raise UserError(
                        f"template '{self.name}': a limb names '{end}', which is no joint"
                        f"{nearest(end, self.joints)}"
                    )
        for joint in self.joints:
            other = {"l_": "r_", "r_": "l_"}.get(joint[:2])
            if other is not None and other + joint[2:] not in self.joints:
                raise UserError(
                    f"template '{self.name}': joint '{joint}' has no '{other}{joint[2:]}' on the "
                    "other side"
                )

    def _check_groups(self, names: list[str]) -> None:
        grouped: list[str] = []
        for group, members in self.groups.items():
            for member in members:
                if member not in names:
                    raise UserError(
                        f"template '{self.name}': group '{group}' names '{member}', which is no "
                        f"part{nearest(member, names)}"
                    )
                if member in grouped:
                    raise UserError(
                        f"template '{self.name}': part '{member}' is in two groups, or twice in one"
                    )
                grouped.append(member)

    @cached_property
    def anchor_names(self) -> tuple[str, ...]:
        """``part.anchor`` of the M anchors, in the order of the file."""
        return tuple(f"{part.name}.{anchor}" for part in self.parts for anchor in part.anchors)

    @cached_property
    def anchors(self) -> np.ndarray:
        """(M, 2) canvas pixels."""
        places = [place for part in self.parts for place in part.anchors.values()]
        return np.array(places, dtype=np.float64).reshape(-1, 2)

    @cached_property
    def point_names(self) -> tuple[str, ...]:
        """``part.point`` of anchors, then landmarks."""
        marks = tuple(f"{part.name}.{mark}" for part in self.parts for mark in part.landmarks)
        return self.anchor_names + marks

    @cached_property
    def points(self) -> np.ndarray:
        """(M + L, 2) anchors, then landmarks, canvas pixels."""
        marks = [place for part in self.parts for place in part.landmarks.values()]
        return np.concatenate([self.anchors, np.array(marks, dtype=np.float64).reshape(-1, 2)])

    @cached_property
    def point_parts(self) -> np.ndarray:
        """(M + L,) index of the part that each point moves with."""
        place = {part.name: index for index, part in enumerate(self.parts)}
        return np.array([place[name.split(".")[0]] for name in self.point_names], dtype=np.int64)

    @cached_property
    def pair_indices(self) -> np.ndarray:
        """(P, 2) indices of the anchors that belong together."""
        indices = [(self._anchor(a), self._anchor(b)) for a, b in self.pairs]
        return np.array(indices, dtype=np.int64).reshape(-1, 2)

    @cached_property
    def joint_weights(self) -> np.ndarray:
        """(J, M + L): joints are ``joint_weights @ points``, the means of their points."""
        weights = np.zeros((len(self.joints), len(self.point_names)))
        for row, points in zip(weights, self.joints.values(), strict=True):
            for point in points:
                row[self.point_names.index(point)] += 1.0 / len(points)
        return weights

    @cached_property
    def centers(self) -> np.ndarray:
        """(K, 2) canvas pixels."""
        return np.array([part.center for part in self.parts], dtype=np.float64)

    @cached_property
    def covariances(self) -> np.ndarray:
        """(K, 2, 2) canvas pixels squared: R(angle) diag(sigma^2) R(angle)^T."""
        angles = np.array([part.angle for part in self.parts], dtype=np.float64)
        cos, sin = np.cos(angles), np.sin(angles)
        turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        squares = np.array([part.sigma for part in self.parts], dtype=np.float64) ** 2
        return np.einsum("kij,kj,klj->kil", turn, squares, turn)

    @cached_property
    def skeleton(self) -> Skeleton:
        """The joints, in the order of the file, and the limbs between them."""
        limbs = " ".join(f"{a}-{b}" for a, b in self.limbs)
        return make_skeleton(f"template-{self.name}", " ".join(self.joints), limbs)

    @classmethod
    def named(cls, name: str) -> Template:
        """See :func:`load_template`."""
        return load_template(name)


def names() -> list[str]:
    """The templates that come with fastpose."""
    folder = resources.files(__name__) / "files"
    return sorted(p.name.removesuffix(".json") for p in folder.iterdir() if p.name[-5:] == ".json")


def load_template(name: str | Path) -> Template:
    """A template that comes with fastpose, by name, or one of a JSON file.

    Raises:
        UserError: no such template, no such file, or what is wrong in it.
    """
    if str(name) in names():
        text = (resources.files(__name__) / "files" / f"{name}.json").read_text()
        return template_from_json(text, str(name))
    path = Path(name)
    if path.suffix != ".json":
        known = names()
        raise UserError(
            f"template '{name}': expected one of {', '.join(known)} or a .json file"
            f"{nearest(str(name), known)}"
        )
    if not path.is_file():
        raise UserError(f"{path}: no such template file")
    if path.stat().st_size > _LIMIT:
        raise UserError(f"{path}: is larger than {_LIMIT >> 20} MiB, that is no template")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error})") from None
    return template_from_json(text, str(path))


def template_from_json(text: str, where: str) -> Template:
    """Inverse of :func:`template_to_json`; ``where`` is what errors call it."""
    data = parse_object(where, text)
    if data.get("format") != FORMAT:
        raise UserError(
            f'{where}: is no template (it needs "format": "{FORMAT}"); files of the published code '
            "are converted by 'fastpose view template FILE ANCHORS --save NEW'"
        )
    if data.get("version") != VERSION:
        raise UserError(f"{where}: version {data.get('version')}, expected {VERSION}")
    fields = {k: v for k, v in data.items() if k not in ("format", "version")}
    try:
        return from_dict(Template, fields, where)
    except UserError as error:
        message = str(error)
        raise UserError(message if message.startswith(where) else f"{where}: {message}") from None


def save_template(template: Template, path: str | Path) -> None:
    """Write a template file, complete or not at all; UserError where that is not possible."""
    path = Path(path)
    if path.suffix != ".json":
        raise UserError(f"{path}: template files end in .json")
    with explained(path, "the template"):
        replace_file(path, template_to_json(template).encode())


def template_to_json(template: Template) -> str:
    """The text of a template file, one part, pair, joint or limb to a line."""
    data = dataclasses.asdict(template)
    data["parts"] = [{k: v for k, v in part.items() if v != {}} for part in data["parts"]]
    lines = [f'"format": "{FORMAT}"', f'"version": {VERSION}']
    for key, value in data.items():
        if isinstance(value, (list, tuple)):
            rows = ",\n".join(f"    {json.dumps(item)}" for item in value)
            lines.append(f'"{key}": [\n{rows}\n  ]' if rows else f'"{key}": []')
        elif isinstance(value, dict):
            rows = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f'"{key}": {{\n{rows}\n  }}' if rows else f'"{key}": {{}}')
        else:
            lines.append(f'"{key}": {json.dumps(value)}')
    return "{\n  " + ",\n  ".join(lines) + "\n}\n"
