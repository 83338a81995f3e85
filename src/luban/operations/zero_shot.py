"""Predictions for labels that are only named: what ``predict --zero-shot`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.errors import InputError, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from luban.store import Workspace


def named(labels: str) -> tuple[str, ...]:
    """Return the labels in a text with commas between them (ASCII or Chinese ones)."""
    return tuple(one.strip() for one in labels.replace("，", ",").replace("、", ",").split(",") if one.strip())


def answers(
    workspace: Workspace, rows: pa.Table, labels: tuple[str, ...], *, text: str | None, backbone: str | None
) -> tuple[pa.Table, str, tuple[str, ...]]:
    """Return (columns ``prediction`` and ``probability_<label>``, name of the backbone, notes).

    Parameters
    ----------
    text : str, optional
        The column to read; by default the only one of texts.
    backbone : str, optional
        Its name in the zoo; by default the one that suits the texts.
    """
    import numpy as np
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.execution.resources import resources
    from luban.foundation import zero_shot, zoo

    column = text_column(rows, text)
    values = rows.column(column).cast(pa.string())
    sample = [*values.slice(0, 200).to_pylist(), *labels]
    loaded = (zoo.find(backbone) if backbone else zoo.default("text", sample)).load()
    effort = Effort(threads=resources().cpus, cache=_cache(workspace))
    found = zero_shot.labels(loaded, labels, effort=effort)
    table = pa.table({column: values})
    shares, present = zero_shot.predict(loaded, found, table, column, effort=effort)
    best = np.array(found.names, dtype=object)[shares.argmax(axis=1)]
    prediction = pa.array([one if there else None for one, there in zip(best, present, strict=True)], pa.string())
    names = ["prediction", *(f"probability_{name}" for name in found.names)]
    made = pa.table([prediction, *(pa.array(shares[:, place]) for place in range(len(found.names)))], names=names)
    notes = [f"No model was trained: the texts of {column!r} are compared with the labels by {loaded.card.name}."]
    if not present.all():
        notes.append(f"{int((~present).sum()):,} rows have no text: they have no prediction.")
    return made, loaded.card.name, tuple(notes)


def text_column(rows: pa.Table, text: str | None) -> str:
    """Return the column of texts, or raise where it is not there or there are several."""
    import pyarrow as pa

    if text is not None:
        if text not in rows.column_names:
            raise NotFound.named("column", text, rows.column_names)
        return text
    from luban.data.infer import infer_schema

    strings: list[str] = [
        one.name for one in rows.schema if pa.types.is_string(one.type) or pa.types.is_large_string(one.type)
    ]
    told = {one.name: one.kind for one in infer_schema(rows).columns}
    texts = [name for name in strings if told.get(name) == "text"] or strings
    if len(texts) != 1:
        raise InputError(
            "it cannot be told which column holds the texts",
            seen=", ".join(texts or rows.column_names),
            remedy="Name it: --text COLUMN.",
        )
    return texts[0]


def _cache(workspace: Workspace) -> str | None:
    root: Path = workspace.root
    # A prediction makes no workspace where there is none.
    return str(root / "cache") if root.is_dir() else None
