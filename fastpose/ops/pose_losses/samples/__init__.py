"""Calls of the pose losses for the generic tests, one module for each; see `ops/samples.py`."""
