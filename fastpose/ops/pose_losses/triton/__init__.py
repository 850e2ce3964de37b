"""The pose losses in Triton, one module for each: for GPUs where the CUDA library is missing. Not
yet run on a GPU."""
