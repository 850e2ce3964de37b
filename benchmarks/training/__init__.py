"""Whole training steps, measured rung by rung: `python -m benchmarks.training.ladder`."""
