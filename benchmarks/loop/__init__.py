"""Benchmark of the loop: a stream of real data through the real servers."""
