"""The README's timings are those of the committed results."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import readme

REPORT: dict[str, Any] = {
    "operator": "render_skeleton",
    "instruction_set": "avx512",
    "command": "fastpose benchmark ops",
    "results": [{"case": "B=8", "threads": 1}, {"case": "B=8", "threads": 2}],
    "goals": [
        {"row": "eager", "verdict": "reached"},
        {"row": "kornia", "verdict": "not measured"},
        {"row": "compile", "verdict": "missed", "wall": 8.0, "cpu": 10.04, "must": 18,
         "at_most": False},
        {"row": "AVX2", "verdict": "missed", "wall": 3.0, "cpu": 1.0, "must": 2.2, "at_most": True},
    ],
    "machine": {
        "cpu": "a CPU", "cores": 2, "torch": "2", "commit": "abc", "date": "today", "load": 0.1
    },
    "summary": [
        {"case": "B=8", "what": "forward and backward", "contender": name, "group": group,
         "wall_ms": ms,
         "times_wall": ms / 0.25, "times_cpu": ms / 0.2, "right": right, "differs": differs}
        for name, group, ms, right, differs in [
            ("fastpose", "fastpose", 0.25, True, ""),
            ("KeypointGAN", "paper", 50.0, True, ""),
            ("AutoLink", "paper", 100.0, True, ""),
            ("split, compiled", "compiled", 1.0, False, ""),
            ("paper, compiled", "compiled", 2.0, True, ""),
            ("kornia", "library", 3.0, True, "samples"),
        ]
    ],
}  # fmt: skip


LADDER = {
    "recipe": "keypointgan",
    "batch": 16,
    "image_size": 128,
    "threads": 2,
    "command": "python -m benchmarks.training.ladder",
    "machine": REPORT["machine"],
    "losses": {"steps": 50, "largest_difference_at_a_tenth_of_the_rate": 1.26e-13},
    "rungs": [
        {"rung": name, "wall_ms": {"min": ms}, "images_per_s": 16e3 / ms, "rounds": 10,
         "times_faster": {"wall": {"of_minima": 400 / ms}, "cpu": {"of_minima": 390 / ms}}}
        for name, ms in (("plain PyTorch", 400.0), ("fastpose train", 160.0))
    ],
}  # fmt: skip


def test_the_readme_is_up_to_date():
    text = (readme.ROOT / "README.md").read_text()
    assert readme.up_to_date(text) == text, "run: python -m benchmarks.readme"


def test_reports_are_read_in_order(tmp_path):
    for operator in ("anchor_loss", "render_skeleton", "soft_argmax"):
        report = json.dumps(REPORT | dict(operator=operator))
        (tmp_path / f"{operator}_cpu.json").write_text(report)
    (tmp_path / "ladder_cpu.json").write_text(json.dumps(LADDER))
    found = [report["operator"] for report in readme.committed(tmp_path)]
    assert found == ["render_skeleton", "soft_argmax", "anchor_loss"]
    assert readme.committed_ladder(tmp_path) == LADDER
    assert readme.committed_ladder(tmp_path / "none") is None


def test_table():
    lines = readme.table([REPORT]).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells == ["`render_skeleton`, B=8", "0.25", "200 / 250", "", "", "8 / 10"]
    assert "`fastpose benchmark ops`" in lines[4] and "AVX512" in lines[4]
    assert lines[-5:] == [
        "1 of our 4 goals are reached; the others:",
        "",
        "- compile: 8 / 10, at least 18 wanted",
        "- AVX2: 3 / 1, at most 2.2 wanted",
        "- kornia: not measured",
    ]
    assert readme.table([]) == ""


def test_wrong_peers_are_shown_with_a_mark_where_there_is_no_other():
    summary = [row | dict(right=row["group"] != "compiled") for row in REPORT["summary"]]
    text = readme.table([REPORT | dict(summary=summary)])
    assert "| 4 / 5 † |" in text and "†: all of that kind fail" in text
    assert "†" not in readme.table([REPORT])


def test_reports_of_several_runs_say_which_is_which():
    other = REPORT | dict(operator="soft_argmax", command="fastpose benchmark soft_argmax")
    text = readme.table([REPORT, other])
    assert "`fastpose benchmark ops` (`render_skeleton`)" in text
    assert "`fastpose benchmark soft_argmax` (`soft_argmax`)" in text


def test_ladder_table():
    lines = readme.ladder_table(LADDER).splitlines()
    assert "`keypointgan`, 16 pictures of 128x128" in lines[2]
    assert lines[5] == "| fastpose train | 160 | 100.0 | 2.50 / 2.44 |"
    assert "1.3e-13" in lines[-1] and "`python -m benchmarks.training.ladder`" in lines[-1]
    assert readme.ladder_table(None) == ""


BEGIN, END = readme.begin("a table"), readme.end("a table")


def test_what_stands_around_the_table_stays():
    text = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    found = readme.filled(text, "a table", "new\n")
    assert found == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"
    assert readme.filled(found, "a table", "new\n") == found


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{END}"])
def test_marks_must_be_there(text):
    with pytest.raises(ValueError, match="once each"):
        readme.filled(text, "a table", "")
