"""Speed of the parts of fastpose next to what a user would use instead. Not part of the package."""

import os

# PyTorch's profiler, which counts memory here, writes lines about itself to the terminal otherwise;
# read when torch is imported.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")
