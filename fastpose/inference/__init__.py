"""Detectors at work: `load` a model, then `.predict(image)` or `.video(path)`.

Imports numpy, PyAV, Pillow and, when a model is opened, its runtime. Never torch, unless a training run
is opened. Nothing here is imported by training.
"""

from fastpose.inference.detector import Detector, load

__all__ = ["Detector", "load"]
