"""Streaming drift detectors, through river: each takes one value at a time and says whether drift is found."""
