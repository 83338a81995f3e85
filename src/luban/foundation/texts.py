"""Rows with texts in them: which column holds them, and which backbone reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from luban.core.errors import InputError, NotFound
from luban.data.media.endings import KINDS as MEDIA
from luban.foundation import zoo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from luban.foundation.backbone import Backbone


def reader(name: str | None, sample: Iterable[str | None]) -> Backbone:
    """Return the backbone of this name, or the one that suits some texts, with its weights."""
    return (zoo.default("text", sample) if name is None else zoo.find(name)).load()


def column_of(rows: pa.Table, named: str | None) -> str:
    """Return the column of texts.

    Raises
    ------
    NotFound
        If the one that is named is not there.
    InputError
        If none is named, and there is none or there are several.
    """
    if named is not None:
        if named not in rows.column_names:
            raise NotFound.named("column", named, rows.column_names)
        return named
    from luban.data.infer import infer_schema

    strings: list[str] = [
        one.name for one in rows.schema if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)
    ]
    told = {one.name: one.kind for one in infer_schema(rows).columns}
    texts = [name for name in strings if told.get(name) == "text"]
    media = sorted({str(told.get(name)) for name in strings} & set(MEDIA))
    if media and not texts:
        raise InputError(
            "labels that are only named are chosen for texts, and there is no column of texts",
            seen=f"columns of kind {', '.join(media)}",
            remedy="Fit a model to some examples of each label: luban fit.",
        )
    texts = texts or strings
    if len(texts) != 1:
        raise InputError(
            "it cannot be told which column holds the texts",
            seen=", ".join(texts or rows.column_names),
            remedy="Name it: --text COLUMN.",
        )
    return texts[0]
