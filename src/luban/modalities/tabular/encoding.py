"""A fitted encoding: from a canonical table to the float32 matrix that a learner reads, and the same in ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from luban.core.errors import LubanError
from luban.modalities.tabular import payload
from luban.modalities.tabular.chain import Chain
from luban.modalities.tabular.codes import Codes
from luban.modalities.tabular.columns import Columns
from luban.modalities.tabular.components import Components
from luban.modalities.tabular.dates import Dates
from luban.modalities.tabular.frequency import Frequency
from luban.modalities.tabular.graph_columns import GraphColumns
from luban.modalities.tabular.group_ratios import GroupRatios
from luban.modalities.tabular.missing_count import MissingCount
from luban.modalities.tabular.numbers import Numbers
from luban.modalities.tabular.one_hot import OneHot
from luban.modalities.tabular.pairs import Pairs
from luban.modalities.tabular.quantiles import Quantiles
from luban.modalities.tabular.scaling import Imputed, Scaled
from luban.modalities.tabular.selection import Selected
from luban.modalities.tabular.target_encoding import TargetEncoding
from luban.modalities.tabular.text import Text
from luban.modalities.tabular.text_lengths import TextLengths
from luban.modalities.tabular.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luban.core.protocols import Graph
    from luban.modalities.tabular.feature import Feature

PROTOCOL = 1
TABULAR = ("number", "boolean", "category", "text", "date")
_EMPTY = {name: pa.string() for name in (*TABULAR, "image", "audio", "nested")} | {
    "number": pa.float64(),
    "date": pa.timestamp("us"),
}
_BLOCKS: dict[str, Any] = {
    one.kind: one
    for one in (
        Numbers,
        MissingCount,
        Dates,
        Pairs,
        GroupRatios,
        TextLengths,
        Text,
        Codes,
        OneHot,
        TargetEncoding,
        Frequency,
    )
}
_MAPS: dict[str, Any] = {one.kind: one for one in (Imputed, Scaled, Quantiles, Components, Selected)}


@dataclass(frozen=True)
class Encoding:
    """How a table becomes a matrix; made by `fit_encoding`.

    Parameters
    ----------
    inputs : tuple of str
        The input columns of the task, in order.
    kinds : tuple of str
        The kind of each, as in `luban.core.schema`.
    vocabularies : mapping of str to Vocabulary
        One for each category column that is used.
    root : Chain
        What is done.
    """

    inputs: tuple[str, ...]
    kinds: tuple[str, ...]
    vocabularies: Mapping[str, Vocabulary]
    root: Chain

    @property
    def features(self) -> tuple[Feature, ...]:
        """What each column of the matrix is."""
        return self.root.features

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """For each feature the indices in `inputs` of the columns behind it."""
        place = {name: i for i, name in enumerate(self.inputs)}
        return tuple(tuple(place[name] for name in feature.sources) for feature in self.features)

    @cached_property
    def categorical(self) -> tuple[int, ...]:
        """Indices of the features that are integer codes."""
        return tuple(i for i, feature in enumerate(self.features) if feature.cardinality)

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """For each categorical feature how many codes it has.

        The last but one is that of rare and of unseen levels, the last that of missing values.
        """
        return tuple(feature.cardinality for feature in self.features if feature.cardinality)

    def transform(self, table: pa.Table) -> np.ndarray:
        """Return the matrix of a canonical table, shape (n, features), float32, C order.

        Raises
        ------
        InputError
            If a column is missing or is of another type.
        """
        return np.ascontiguousarray(self.root.transform(Columns(table, self.vocabularies)))

    def to_graph(self, graph: Graph) -> str:
        """Add the encoding to a graph and return its tensor, shape (n, features), float32.

        Raises
        ------
        Unsupported
            Naming the column that cannot be encoded in a graph, and why.
        """
        booleans = frozenset(name for name, kind in zip(self.inputs, self.kinds, strict=True) if kind == "boolean")
        return self.root.to_graph(GraphColumns(graph, self.vocabularies, booleans))

    def save(self) -> dict[str, bytes]:
        """Return the payloads ``encoding.json`` and ``encoding.safetensors``."""
        writer = payload.Writer()
        tree = {
            "protocol": PROTOCOL,
            "inputs": list(self.inputs),
            "kinds": list(self.kinds),
            "vocabularies": [{"name": name, "levels": list(one.levels)} for name, one in self.vocabularies.items()],
            "root": [self.root.save(writer)],
        }
        return payload.write(tree, writer)

    @classmethod
    def load(cls, payloads: Mapping[str, bytes]) -> Encoding:
        """Return the encoding that `save` wrote.

        Raises
        ------
        Tampered
            If the payloads are damaged, or of a protocol that this version does not know.
        """
        reader = payload.read(payloads)
        if reader.whole("protocol") != PROTOCOL:
            raise reader.wrong(f"its protocol is not {PROTOCOL}")
        inputs, kinds = reader.texts("inputs"), reader.texts("kinds")
        if len(kinds) != len(inputs) or not set(kinds) <= set(_EMPTY):
            raise reader.wrong("'kinds' does not fit 'inputs'")
        vocabularies = {one.text("name"): _vocabulary(one) for one in reader.children("vocabularies")}
        root = reader.knowing({name: one.size for name, one in vocabularies.items()}).children("root")
        if len(root) != 1:
            raise reader.wrong("'root' must hold one chain")
        encoding = cls(inputs, kinds, vocabularies, _chain(root[0]))
        encoding._try(reader)
        return encoding

    def _try(self, reader: payload.Reader) -> None:
        """Encode a row of missing values, so that saved parts that do not fit together are found before use."""
        row = pa.table([pa.nulls(1, _EMPTY[kind]) for kind in self.kinds], names=list(self.inputs))
        try:
            width = self.transform(row).shape[1]
            sources = self.sources
        except (LubanError, ValueError, IndexError, KeyError, TypeError) as error:
            raise reader.wrong(f"its parts do not fit together ({error})") from error
        if width != len(sources):
            raise reader.wrong(f"it makes {width} features and names {len(sources)}")


def _vocabulary(reader: payload.Reader) -> Vocabulary:
    levels = reader.texts("levels")
    if len(set(levels)) != len(levels) or "" in levels:
        raise reader.wrong("its levels must differ and not be empty")
    return Vocabulary(levels)


def _chain(reader: payload.Reader) -> Chain:
    blocks = tuple(
        _chain(one) if one.text("kind", (*_BLOCKS, "chain")) == "chain" else _BLOCKS[one.text("kind")].load(one)
        for one in reader.children("blocks")
    )
    maps = tuple(_MAPS[one.text("kind", tuple(_MAPS))].load(one) for one in reader.children("maps"))
    return Chain(blocks, maps)
