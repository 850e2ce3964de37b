"""The README's timings are those of the committed results."""

from __future__ import annotations

import pytest

from benchmarks import readme

REPORT = {
    "operator": "render_skeleton",
    "instruction_set": "avx512",
    "command": "fastpose benchmark ops",
    "results": [{"threads": 1}, {"threads": 2}],
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


def test_the_readme_is_up_to_date():
    text = (readme.ROOT / "README.md").read_text()
    assert readme.filled(text, readme.committed()) == text


def test_table():
    lines = readme.table([REPORT]).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells == ["`render_skeleton`, B=8", "0.25", "200 / 250", "", "", "8 / 10"]
    assert "`fastpose benchmark ops`" in lines[-1] and "AVX512" in lines[-1]


def test_what_stands_around_the_table_stays():
    text = f"above\n{readme.BEGIN}\nold\n{readme.END}\nbelow\n"
    found = readme.filled(text, [REPORT])
    assert found.startswith("above\n") and found.endswith("\nbelow\n") and "old" not in found
    assert readme.filled(found, [REPORT]) == found


@pytest.mark.parametrize("text", ["", readme.BEGIN, f"{readme.END}{readme.BEGIN}",
                                  f"{readme.BEGIN}{readme.END}{readme.END}"])  # fmt: skip
def test_marks_must_be_there(text):
    with pytest.raises(ValueError, match="once each"):
        readme.filled(text, [REPORT])
