"""Classes by their names alone: texts go to the label whose description lies nearest to them.

Text and labels are embedded by the same backbone, and the cosines of their vectors become probabilities (Yin et al.
2019, "Benchmarking Zero-shot Text Classification"; the template as in Radford et al. 2021). No row is learnt from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.budget import Effort
from luban.core.errors import InputError, Unsupported
from luban.foundation.features import Features, features, unit
from luban.foundation.matching import probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luban.foundation.backbone import Backbone

LATIN = "This is about {}."
HAN = "这句话的内容是{}。"
_PLACE = "{}"
_SHARE = 0.1
_COLDEST, _WARMEST = 0.01, 0.1
# Cosine from which two labels are one: vectors are of float32.
_ONE = 1.0 - 1e-6


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Labels as vectors.

    Attributes
    ----------
    names : tuple of str
    vectors : numpy.ndarray
        float32, shape (K, d), each of length 1.
    temperature : float
        What cosines are divided by.
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    temperature: float


def labels(
    backbone: Backbone,
    names: Sequence[str],
    *,
    descriptions: Mapping[str, str] | None = None,
    template: str | None = None,
    effort: Effort | None = None,
) -> Labels:
    """Return labels as vectors.

    Parameters
    ----------
    names : sequence of str
        At least two, all different.
    descriptions : mapping of str to str, optional
        What a label means, where its name does not say it; taken as it is, without the template.
    template : str, optional
        A sentence with ``{}`` where the name goes; by default an English one, a Chinese one where names are Chinese.

    Raises
    ------
    InputError
        If there are fewer than two labels, one comes twice or is empty, the template has no place for a name, or the
        backbone does not tell two of them apart.
    Unsupported
        If the backbone reads no texts.
    """
    if backbone.card.kind != "text":
        raise Unsupported(
            f"{backbone.card.name} cannot tell classes by their names",
            seen=f"it reads {backbone.card.kind}, and names are text",
            remedy="Choose a backbone for text, or train on a few examples of each class.",
        )
    clean = tuple(name.strip() for name in names)
    folded = [name.casefold() for name in clean]
    if len(clean) < 2 or not all(clean) or len(set(folded)) < len(folded):
        raise InputError(
            "zero-shot needs at least two labels, each once",
            seen=", ".join(repr(name) for name in names) or "none",
            remedy='Write them with commas: "billing,delivery,refund".',
        )
    if template is not None and _PLACE not in template:
        raise InputError("the template has no place for a label", seen=repr(template), remedy="Write {} where it goes.")
    told = descriptions or {}
    sentences = [told.get(name) or (template or _template(name)).replace(_PLACE, _words(name)) for name in clean]
    table = pa.table({"label": pa.array(sentences, pa.string())})
    vectors = unit(features(backbone, table, "label", effort=effort or Effort()).values)
    _check_apart(backbone, clean, vectors)
    return Labels(names=clean, vectors=vectors, temperature=_temperature(vectors))


def predict(
    backbone: Backbone, found: Labels, table: pa.Table, column: str, *, effort: Effort
) -> tuple[np.ndarray, np.ndarray]:
    """Return (probabilities, present): float64 of shape (n, K) with rows that sum to 1, and bool of shape (n,).

    A missing or empty text has the same probability for all labels.
    """
    rows: Features = features(backbone, table, column, effort=effort)
    return probabilities(unit(rows.values) @ found.vectors.T, found.temperature), rows.present


def _check_apart(backbone: Backbone, names: Sequence[str], vectors: np.ndarray) -> None:
    """Raise where two labels have one vector, as those have of whose letters the tokenizer knows none."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, 0.0)
    first, second = divmod(int(cosines.argmax()), len(names))
    if cosines[first, second] >= _ONE:
        raise InputError(
            f"{backbone.card.name} does not tell two of the labels apart",
            seen=f"{names[first]!r} and {names[second]!r}",
            remedy="Name a backbone that knows their script (--backbone; luban zoo list tells the languages of each), "
            'or say what they mean in other words: "name=what it means".',
        )


def _template(name: str) -> str:
    return HAN if any("一" <= letter <= "鿿" for letter in name) else LATIN


def _words(name: str) -> str:
    return name.replace("_", " ")


def _temperature(vectors: np.ndarray) -> float:
    """Return a temperature for cosines between labels that are as far apart as these.

    Backbones spread their vectors differently: cosines of MiniLM fill 0 to 1, those of E5 only 0.75 to 1. A tenth of
    the mean distance between two labels makes both about equally sure.
    """
    count = len(vectors)
    cosines = vectors @ vectors.T
    distance = 1.0 - float((cosines.sum() - np.trace(cosines)) / (count * (count - 1)))
    return float(np.clip(_SHARE * distance, _COLDEST, _WARMEST))
