"""Everything that only a GPU can show, in one call of under ten minutes.

    python -m benchmarks.gpu --out DIR [--minutes 9.5] [--rehearse]

Builds the libraries for the GPU that is there, runs the tests marked `gpu`, compute-sanitizer where
it works, measures the device's ceilings and times every operator against its peers. Every stage
writes its part of DIR/gpu.json when it ends, so that a run that is cut off keeps what it has; a
short table comes last. `--rehearse` does the same on the CPU at tiny sizes, without graphs: it
shows that the program runs, and its figures mean nothing.
"""
