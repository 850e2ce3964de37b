"""The CUDA kernels as the GPU will see them: machine code, and what follows from it."""
