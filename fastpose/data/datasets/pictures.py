"""Pictures of a data set, in the order of their numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from fastpose.data.prepare.sources import natural_key
from fastpose.errors import UserError
from fastpose.files import listed
from fastpose.media.images import IMAGE_SUFFIXES, Image, read_image


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder, ``frame9`` before ``frame10``; UserError if there are none."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; unpack the archive again")
    found = [p for p in listed(folder) if p.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise UserError(f"{folder}: holds no pictures; unpack the archive again")
    return sorted(found, key=natural_key)


class Numbered(Mapping[int, Path]):
    """The files of a folder by the number that their names end in.

    Args:
        folder: Where they are; files with another ending may be there too.
        name: What they are called, such as ``syn_{:05d}.png``. In front of the number anything
            may stand.

    Raises:
        UserError: No such folder, a file without a number, or two of one number.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self._name = folder, name
        self._files: dict[int, Path] = {}
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; unpack the archive again")
        for path in listed(folder):
            if path.suffix.lower() != Path(name).suffix:
                continue
            number = re.search(r"[0-9]+$", path.stem)
            if number is None:
                raise UserError(
                    f"{path}: its name has no number, expected one such as {name.format(1)}; move "
                    "it to another folder"
                )
            other = self._files.setdefault(int(number[0]), path)
            if other is not path:
                raise UserError(
                    f"{path}: has the number of {other.name}; move the one that does not belong "
                    "to another folder"
                )

    def __getitem__(self, number: int) -> Path:
        return self._files[number]

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._files))

    def __len__(self) -> int:
        return len(self._files)

    def path(self, number: int) -> Path:
        """Where the file of a number is, or should be."""
        return self._files.get(number, self.folder / self._name.format(number))

    def require(self, numbers: Collection[int], labels: Path) -> list[Path]:
        """The files of ``numbers``, in this order; UserError unless there are these and no others.

        ``labels`` is the file that numbers them, for the message.
        """
        if not self:
            raise UserError(f"{self.folder}: holds no pictures; unpack the archive again")
        odd = sorted(set(numbers) ^ set(self))
        if odd:
            has = "labels no such picture" if odd[0] in self else "labels it, and it is missing"
            raise UserError(
                f"{self.path(odd[0])}: {labels.name} {has} ({len(self)} pictures, {len(numbers)} "
                "labels); unpack the archive again"
            )
        return [self[number] for number in numbers]


def same_numbers(*kinds: Numbered) -> list[int]:
    """The ascending numbers of files of several kinds; UserError where one kind lacks one."""
    numbers = sorted({number for kind in kinds for number in kind})
    if not numbers:
        raise UserError(f"{kinds[0].folder}: holds no frames; unpack the archive again")
    lost = [n for n in numbers if any(n not in kind for kind in kinds)]
    if lost:
        kind = next(kind for kind in kinds if lost[0] not in kind)
        other = next(kind for kind in kinds if lost[0] in kind)
        raise UserError(
            f"{kind.path(lost[0])}: is missing, where {other[lost[0]]} is there ({len(lost)} of "
            f"{len(numbers)} frames lack something); unpack the archive again"
        )
    return numbers


def read_pictures(files: Sequence[Path]) -> Iterator[Image]:
    """Decodes one after the other; UserError where one cannot be, or differs in size."""
    size = None
    for file in files:
        image = read_image(file)
        size = size or image.shape
        if image.shape != size:
            raise UserError(
                f"{file}: is {image.shape[1]} x {image.shape[0]} pixels, those before it are "
                f"{size[1]} x {size[0]}; copy it again"
            )
        yield image


def read_masks(files: Sequence[Path]) -> Iterator[Image]:
    """Like :func:`read_pictures`, but one channel, uint8 (H,W), of which any colour counts.

    A mask of 0 and 1 becomes one of 0 and 255.
    """
    for image in read_pictures(files):
        mask = np.ascontiguousarray(image.max(axis=-1))
        yield mask * 255 if mask.max() <= 1 else mask
