"""Models and runs that the tests of the verbs share with those of the packages behind them."""

from tests.export.conftest import clips, run
from tests.inference.conftest import blob_model, blob_path, info, paint, skeleton

__all__ = ["blob_model", "blob_path", "clips", "info", "paint", "run", "skeleton"]
