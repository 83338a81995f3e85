"""Luban for scikit-learn: ``from luban.sklearn import AutoClassifier, AutoRegressor``."""

from luban.surfaces.sklearn import AutoClassifier, AutoRegressor

__all__ = ["AutoClassifier", "AutoRegressor"]
