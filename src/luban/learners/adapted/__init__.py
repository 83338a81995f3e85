"""Learners that stand on pre-trained backbones, whatever kind of column these read."""
