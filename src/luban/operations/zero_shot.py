"""Predictions for labels that are only named: what ``predict --zero-shot`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luban.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from luban.foundation.backbone import Backbone
    from luban.store import Workspace


def named(labels: str) -> dict[str, str]:
    """Return each label with its description, empty where it has none, in the order given.

    Labels have commas (ASCII or Chinese ones) between them; what a label means may follow it after ``=``.

    Examples
    --------
    >>> named("refund=the customer wants money back, delivery")
    {'refund': 'the customer wants money back', 'delivery': ''}
    """
    found: dict[str, str] = {}
    for one in labels.replace("，", ",").replace("、", ",").split(","):
        name, _, description = (part.strip() for part in one.partition("="))
        if not name and not description:
            continue
        if not name or name in found:
            raise InputError(
                "a label comes twice" if name else "a description has no label before it",
                seen=repr(one.strip()),
                remedy='Write each label once: "billing,delivery,refund=the customer wants money back".',
            )
        found[name] = description
    return found


def answers(
    workspace: Workspace, rows: pa.Table, labels: Mapping[str, str], *, text: str | None, backbone: str | None
) -> tuple[pa.Table, str, tuple[str, ...]]:
    """Return (columns ``prediction`` and ``probability_<label>``, name of the backbone, notes).

    Parameters
    ----------
    labels : mapping of str to str
        Labels with their descriptions; of one without a description the name says what it means.
    text : str, optional
        The column to read; by default the only one of texts.
    backbone : str, optional
        Its name in the zoo; by default the one that suits the labels and the texts.
    """
    import numpy as np
    import pyarrow as pa

    from luban.core.budget import Effort
    from luban.execution.resources import resources
    from luban.foundation import zero_shot
    from luban.foundation.texts import column_of, reader
    from luban.foundation.zoo import mostly_latin

    column = column_of(rows, text)
    values = rows.column(column).cast(pa.string())
    words = [described or name for name, described in labels.items()]
    sample = [*values.slice(0, 200).to_pylist(), *words] if mostly_latin(words) else words
    loaded = reader(backbone, sample)
    effort = Effort(threads=resources().cpus, cache=_cache(workspace))
    found = zero_shot.labels(loaded, tuple(labels), descriptions=labels, effort=effort)
    table = pa.table({column: values})
    shares, present = zero_shot.predict(loaded, found, table, column, effort=effort)
    best = np.array(found.names, dtype=object)[shares.argmax(axis=1)]
    prediction = pa.array([one if there else None for one, there in zip(best, present, strict=True)], pa.string())
    names = ["prediction", *(f"probability_{name}" for name in found.names)]
    made = pa.table([prediction, *(pa.array(shares[:, place]) for place in range(len(found.names)))], names=names)
    notes = [f"No model was trained: the texts of {column!r} are compared with the labels by {loaded.card.name}."]
    if not present.all():
        notes.append(f"{int((~present).sum()):,} rows have no text: they have no prediction.")
    notes += _lost(loaded, values.filter(pa.array(present)))
    notes += [f"Of the labels: {one}" for one in _lost(loaded, pa.chunked_array([words]))]
    return made, loaded.card.name, tuple(notes)


def _lost(backbone: Backbone, texts: pa.ChunkedArray) -> list[str]:
    """Return in words what the backbone does not read of some texts."""
    import pyarrow as pa

    from luban.core.preparation import Inspecting

    preparation = backbone.preparation(("text",))
    if not isinstance(preparation, Inspecting):
        return []
    return [f"{one.what}. {one.remedy}".strip() for one in preparation.inspect(pa.table({"text": texts}))]


def _cache(workspace: Workspace) -> str | None:
    root: Path = workspace.root
    # A prediction makes no workspace where there is none.
    return str(root / "cache") if root.is_dir() else None
