"""Every module imports without the extras, and the small entrances stay small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fastpose"
BLOCKED = (
    "onnx",
    "onnxscript",
    "onnxruntime",
    "tensorrt",
    "tensorrt_rtx",
    "tensorboard",
    "kornia",
    "matplotlib",
    "scipy",
    "h5py",
    "cdflib",
    "cv2",
    "torchvision",
    "triton",
    "pytest",
    "hypothesis",
)
# A None in sys.modules is how Python itself says "not installed", to import and to find_spec alike.
BLOCKER = f"import sys\nsys.modules.update(dict.fromkeys({BLOCKED!r}))\n"


def python(code: str) -> str:
    """The output of `code` in a fresh interpreter; fails with its traceback."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def modules() -> list[str]:
    """Dotted names of all modules; __main__ runs the program, and triton*.py are Triton's own."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    names = (".".join(p.parts).removesuffix(".__init__") for p in paths)
    left_out = {"__main__", "triton", "triton_kernels"}
    return [name for name in names if left_out.isdisjoint(name.split("."))]


def test_every_module_imports_without_the_extras() -> None:
    code = BLOCKER + (
        "import importlib\nfailed = []\n"
        f"for name in {modules()!r}:\n"
        "    try:\n        importlib.import_module(name)\n"
        "    except Exception as error:\n"
        "        failed.append(f'{name}: {type(error).__name__}: {error}')\n"
        "print('\\n'.join(failed))\n"
    )
    assert python(code).strip() == ""


def test_the_blocker_blocks() -> None:
    code = BLOCKER + "try:\n    import pytest\nexcept ModuleNotFoundError as e:\n    print(e.name)"
    assert python(code).strip() == "pytest"


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import fastpose", ("torch", "numpy", "av", "PIL", "onnxruntime", "tyro")),
        ("import fastpose; fastpose.load", ("torch", "onnxruntime", "tyro")),
        ("import fastpose.inference", ("torch", "onnxruntime")),
        ("import fastpose.cli", ("torch", "numpy", "tyro")),
        ("import fastpose.ops", ("torch._dynamo", "triton", "av", "PIL", "onnx")),
    ],
)
def test_import_pulls_nothing_heavy(statement: str, absent: tuple[str, ...]) -> None:
    out = python(f"{statement}\nimport sys\nprint(*(n for n in {absent!r} if n in sys.modules))")
    assert out.split() == []


def test_public_names() -> None:
    import fastpose

    assert set(fastpose.__all__) <= set(dir(fastpose))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fastpose.nothing
