from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastpose.data.prepare.boxes import BoxFile
from fastpose.errors import UserError

HEADER = "source,frame,x0,y0,x1,y1\n"


def csv(path: Path, text: str) -> BoxFile:
    (path / "boxes.csv").write_text(text)
    return BoxFile(path / "boxes.csv")


def test_csv_by_name_or_stem(tmp_path: Path) -> None:
    boxes = csv(tmp_path, HEADER + "a.mp4,0,10,20,30,60\na.mp4,1,11,20,31,60\nb,0,1,2,3,4\n")
    (track,) = boxes.tracks(Path("/x/a.mp4"))
    assert track.frames == [0, 1] and track.boxes[1] == (11, 20, 31, 60)
    assert track.areas == [800, 800]
    assert len(boxes.tracks(Path("b.avi"))) == 1
    assert boxes.tracks(Path("c.mp4")) == []


def test_rows_in_any_order_people_apart_and_gaps_split(tmp_path: Path) -> None:
    rows = ["v,5,0,0,9,9,ann", "v,4,0,0,9,9,ann", "v,9,0,0,9,9,ann", "v,4,50,0,59,9,bob"]
    boxes = csv(
        tmp_path,
        "person,source,frame,x0,y0,x1,y1\n"
        + "\n".join(",".join([r.split(",")[-1], *r.split(",")[:-1]]) for r in rows),
    )
    assert [t.frames for t in boxes.tracks(Path("v"))] == [[4, 5], [9], [4]]


def test_json_is_the_same(tmp_path: Path) -> None:
    rows = [{"source": "v.mp4", "frame": i, "x0": 1.5, "y0": 2, "x1": 3, "y1": 4} for i in (0, 1)]
    (tmp_path / "b.json").write_text(json.dumps(rows))
    (track,) = BoxFile(tmp_path / "b.json").tracks(Path("v.mp4"))
    assert track.frames == [0, 1] and track.boxes[0] == (1.5, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: lacks the column source"),
        ("source,frame,x0,y0,x1\n", "line 1: lacks the column y1"),
        (HEADER, "holds no boxes"),
        (HEADER + "v,0,1,2,3,4\nv,1,1,2,,4\n", "line 3: lacks x1"),
        (HEADER + "v,0,1,2,3,4\nv,one,1,2,3,4\n", "line 3: frame, x0, y0, x1, y1 must be numbers"),
        (HEADER + "v,0,1,2,3\n", "line 2: lacks y1"),
        (HEADER + "v,-1,1,2,3,4\n", "line 2: expected frame >= 0"),
        (HEADER + "v,0,5,2,3,4\n", "line 2: expected frame >= 0, x1 > x0"),
        (HEADER + "v,0,nan,2,3,4\n", "line 2: expected"),
        (HEADER + "v,0,1,2,3,4\nv,0,1,2,9,9\n", "line 3: frame 0 of 'v' has a box already"),
    ],
)
def test_wrong_csv_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        csv(tmp_path, text)
    assert message in str(caught.value) and "boxes.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "line 1: is not JSON"),
        ("{}", "expected a list of objects, found a dict"),
        ("[3]", "entry 0: expected an object"),
        ('[{"source": "v", "frame": 0}]', "entry 0: lacks x0"),
        ('[{"source": "v", "frame": 0, "x0": [], "y0": 0, "x1": 1, "y1": 1}]', "entry 0: frame"),
        ("[]", "holds no boxes"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_wrong_json_names_the_entry(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(UserError) as caught:
        BoxFile(tmp_path / "b.json")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file of boxes"):
        BoxFile(tmp_path / "b.csv")
    for name in ("b.csv", "b.json"):
        (tmp_path / name).write_bytes(bytes(range(256)))
        with pytest.raises(UserError, match="is not"):
            BoxFile(tmp_path / name)
