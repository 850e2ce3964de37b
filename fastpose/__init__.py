"""fastpose learns to detect human pose without labelled images, and runs the detector in real time.

    import fastpose
    model = fastpose.load("model.onnx")
    poses = model.predict(image)

Nothing heavy is imported until it is used: ``fastpose.load`` needs numpy and ONNX Runtime, never
torch; ``fastpose.ops`` and the training side need torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastpose.inference import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    if name == "load":
        from fastpose.inference import load

        return load
    raise AttributeError(f"module 'fastpose' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
