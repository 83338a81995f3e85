"""Luban beside AutoGluon and FLAML: the same files, the same seconds, the same cores, the same scoring."""
