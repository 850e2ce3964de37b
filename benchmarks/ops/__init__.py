"""One file per operator, each a command (`python -m benchmarks.ops.bench_<op>`) and a set of
pytest-benchmark tests (`pytest benchmarks/ops/bench_<op>.py`)."""
