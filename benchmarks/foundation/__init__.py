"""Adapted foundation models beside well-made scripts: the same rows, the same seconds, the same cores."""
