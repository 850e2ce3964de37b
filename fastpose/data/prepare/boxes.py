"""Boxes from a file, for those who have a detector or drew them by hand.

CSV with a header line, or a JSON list of objects; either way these columns:

    source   name of the video, frame folder or strip (with or without its ending)
    frame    number of the frame, counted from 0
    x0, y0, x1, y1   left, top, right, bottom in pixels of the source
    person   optional: a name or number, where there are several people
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastpose.errors import UserError
from fastpose.media.person import Track

Box = tuple[float, float, float, float]
_COLUMNS = ("source", "frame", "x0", "y0", "x1", "y1")


class BoxFile:
    """Boxes by source; see the module for the format.

    Raises:
        UserError: Missing, empty, not in the format; names the line (CSV) or the entry (JSON).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._tracks: dict[str, dict[str, dict[int, Box]]] = {}
        if not self.path.is_file():
            raise UserError(f"{self.path}: no such file of boxes; check the path")
        rows = _json_rows if self.path.suffix.lower() == ".json" else _csv_rows
        for place, row in rows(self.path):
            source, person, frame, box = _parse(f"{self.path}, {place}", row)
            people = self._tracks.setdefault(source, {})
            if people.setdefault(person, {}).setdefault(frame, box) != box:
                raise UserError(
                    f"{self.path}, {place}: frame {frame} of '{source}' has a box already; "
                    "tell people apart by a column 'person'"
                )
        if not self._tracks:
            raise UserError(f"{self.path}: holds no boxes; expected columns {', '.join(_COLUMNS)}")

    def tracks(self, source: Path) -> list[Track]:
        """The people of a source, found by its file's or folder's name or stem."""
        people = self._tracks.get(source.name) or self._tracks.get(source.stem) or {}
        tracks = []
        for person in sorted(people):
            frames = sorted(people[person])
            boxes = [people[person][f] for f in frames]
            start = 0
            for i in range(1, len(frames) + 1):  # a gap of frames is the person's absence
                if i == len(frames) or frames[i] - frames[i - 1] > 1:
                    part = boxes[start:i]
                    areas = [round((b[2] - b[0]) * (b[3] - b[1])) for b in part]
                    tracks.append(Track(frames[start:i], part, areas))
                    start = i
        return tracks


def _csv_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [c for c in _COLUMNS if c not in (reader.fieldnames or [])]
            if missing:
                raise UserError(
                    f"{path}, line 1: lacks the column {missing[0]}; expected a header with "
                    f"{', '.join(_COLUMNS)} and optionally person"
                )
            for row in reader:
                yield f"line {reader.line_num}", row
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: is not a CSV file ({error}); expected text") from None


def _json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: is not JSON ({error.msg})") from None
    except (UnicodeDecodeError, RecursionError):
        raise UserError(f"{path}: is not JSON; expected a list of objects") from None
    if not isinstance(content, list):
        raise UserError(f"{path}: expected a list of objects, found a {type(content).__name__}")
    for i, row in enumerate(content):
        if not isinstance(row, dict):
            raise UserError(f"{path}, entry {i}: expected an object, found {row!r:.40}")
        yield f"entry {i}", row


def _parse(place: str, row: Mapping[str, Any]) -> tuple[str, str, int, Box]:
    for column in _COLUMNS:
        if row.get(column) in (None, ""):
            raise UserError(f"{place}: lacks {column}; expected {', '.join(_COLUMNS)}")
    try:
        frame = int(row["frame"])
        x0, y0, x1, y1 = (float(row[c]) for c in _COLUMNS[2:])
    except (TypeError, ValueError):
        values = ", ".join(str(row[c])[:20] for c in _COLUMNS[1:])
        raise UserError(f"{place}: frame, x0, y0, x1, y1 must be numbers, not {values}") from None
    box = (x0, y0, x1, y1)
    if frame < 0 or not all(map(math.isfinite, box)) or x1 <= x0 or y1 <= y0:
        raise UserError(
            f"{place}: expected frame >= 0, x1 > x0 and y1 > y0, "
            f"not frame {frame} with {x0}, {y0}, {x1}, {y1}"
        )
    return str(row["source"]), str(row.get("person") or ""), frame, box
