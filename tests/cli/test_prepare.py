from __future__ import annotations

from pathlib import Path

import pytest

from fastpose.cli import main
from fastpose.data.clips import ClipStore
from tests.data.datasets import trees
from tests.media import scenes


def test_from_a_video_to_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    assert main(["prepare", str(film), "--out", str(tmp_path / "out"), "--size", "32"]) == 0
    shown = capsys.readouterr()
    assert "wave" in shown.out and "sheet.png" in shown.out.replace("\n", "")
    assert ClipStore.open(tmp_path / "out").frames_total == 30
    assert main(["prepare", str(film), "--out", str(tmp_path / "out")]) == 2
    assert "fastpose: error:" in capsys.readouterr().err


def test_keep_going_writes_what_is_good_and_still_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    (tmp_path / "bad.mp4").write_text("no video")
    command = ["prepare", str(film), str(tmp_path / "bad.mp4"), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert not (tmp_path / "out").exists()
    assert "bad.mp4: is not a readable video" in capsys.readouterr().err
    assert main([*command, "--keep-going"]) == 2
    shown = capsys.readouterr()
    assert (
        "fastpose: error:" in shown.err and "bad.mp4" in shown.err and "not readable" in shown.out
    )
    assert ClipStore.open(tmp_path / "out").frames_total == 30


def test_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    assert main(["prepare", str(film), "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_without_a_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--out", str(tmp_path / "out")]) == 2
    assert "nothing to prepare" in capsys.readouterr().err


def test_a_data_set_is_read_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = tmp_path / "penn", tmp_path / "out"
    trees.penn_action(root, {"0001": 6, "0002": 4})
    assert main(["prepare", "penn-action", str(root), "--out", str(out)]) == 2
    assert "holds 2 sequences of the split train" in capsys.readouterr().err
    trees.complete(monkeypatch, "penn-action", {"train": 2})
    command = ["prepare", "penn-action", str(root), "--size", "32", "--half", "first"]
    assert main([*command, "--out", str(out)]) == 0
    assert "sheet.png" in capsys.readouterr().out.replace("\n", "")
    store = ClipStore.open(out)
    assert store.size == 32 and store.frames_total == 5
    assert main([*command, "--out", str(tmp_path / "p.npz"), "--poses-only"]) == 0
    assert "poses:" in capsys.readouterr().out and (tmp_path / "p.npz").is_file()


def test_flags_of_the_other_kind_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    out = str(tmp_path / "out")
    assert main(["prepare", str(film), "--out", out, "--split", "train"]) == 2
    assert "are for data sets; name one of chictopia-plus" in capsys.readouterr().err
    assert main(["prepare", "lsp", str(tmp_path), "--out", out, "--crop", "full"]) == 2
    assert "are for recordings of your own; lsp says these itself" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["penn-acton", "Penn-Action", "PENN-ACTION", "penn_action"])
def test_a_data_set_written_otherwise(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "penn").mkdir()
    assert main(["prepare", name, str(tmp_path / "penn"), "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert f"{name}: no such file or folder, and no data set is called so; did you mean" in shown
    assert "did you mean 'penn-action'? (data sets: chictopia-plus, " in shown


def test_a_missing_file_is_no_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = scenes.write(tmp_path / "wave.mp4", scenes.wave(30))
    for missing in ("lsp.mp4", str(tmp_path / "coco")):
        assert main(["prepare", missing, str(film), "--out", str(tmp_path / "out")]) == 2
        assert (
            f"error: {missing}: no such file or folder; check the path" in capsys.readouterr().err
        )


def test_every_reason_is_a_line_where_nothing_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [tmp_path / f"{letter}.mp4" for letter in "abc"]
    for path in bad:
        path.write_text("no video")
    arguments = ["prepare", *map(str, bad), "--out", str(tmp_path / "out"), "--keep-going"]
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert [line.split(": ")[2] for line in lines] == [str(path) for path in bad]
    assert all(line.startswith("fastpose: error: ") for line in lines)
