"""Columns of numbers, categories, booleans, dates and short text."""

from luban.modalities.tabular.encoding import Encoding
from luban.modalities.tabular.fit import fit_encoding
from luban.modalities.tabular.options import LINEAR, NETS, PLAIN_TREES, TREES, EncodingOptions

__all__ = ["LINEAR", "NETS", "PLAIN_TREES", "TREES", "Encoding", "EncodingOptions", "fit_encoding"]
