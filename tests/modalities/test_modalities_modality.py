"""The tabular modality recognises the kinds of columns and describes them."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from luban.core import plugins
from luban.testing.modality import check_modality


def test_tabular_modality_keeps_the_protocol():
    columns = {
        "size": pa.chunked_array([[1.5, None, 3.25, 3.25] * 10]),
        "count": pa.chunked_array([[1, 5, 2, 1] * 10]),
        "city": pa.chunked_array([["北京", "上海", None, "北京"] * 10]),
        "open": pa.chunked_array([[True, False, None, True] * 10]),
        "said": pa.chunked_array([[f"this is comment {i} about it" for i in range(40)]]),
        "since": pa.chunked_array([[datetime(2024, 1, 1), None, datetime(2024, 2, 1), datetime(2023, 1, 1)] * 10]),
        "parts": pa.chunked_array([[[1, 2], [3]] * 20]),
    }
    kinds = {
        "size": "number",
        "count": "number",
        "city": "category",
        "open": "boolean",
        "said": None,
        "since": "date",
        "parts": None,
    }
    modality = plugins.create("modalities", "tabular")
    check_modality(modality, columns, kinds)
    assert modality.profile("city", columns["city"])["missing"] == 10
