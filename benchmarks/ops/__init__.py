"""The operators next to what else computes the same; `fastpose benchmark` runs these.

One file bench_<op>.py declares an operator's cases, peers and goals; <op>_peers.py holds the peers.
Each is also a set of pytest-benchmark tests: ``pytest benchmarks/ops/bench_<op>.py``.
"""
