"""Detectors at work: `load` a model, then `.predict(image)` or `.video(path)`.

Imports numpy, PyAV, Pillow and, when a model is opened, its runtime; torch only when a training
run is opened.
"""

from fastpose.inference.detector import Detector, load

__all__ = ["Detector", "load"]
