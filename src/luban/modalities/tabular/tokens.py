"""What a token of text is.

Text is read in lower case (of ASCII letters only: what every runtime does alike). By words, a token is a run of
letters and digits, or one Chinese character, kana or the like, since such scripts put no space between words. By
characters, it is one such letter, digit or character, or a space; all else is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luban.core.errors import InputError
from luban.modalities.tabular.arithmetic import ONNX_TYPES

if TYPE_CHECKING:
    from luban.core.protocols import Graph

# Ideographs, kana and bopomofo, then what makes up words in other scripts, as ranges of Unicode.
_SINGLE = r"\x{2E80}-\x{2FDF}\x{3005}-\x{3007}\x{3040}-\x{312F}\x{31A0}-\x{31BF}\x{31F0}-\x{31FF}\x{3400}-\x{4DBF}"
_SINGLE += r"\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{3FFFF}"
_JOINED = r"0-9A-Za-z_\x{AA}\x{B5}\x{BA}\x{C0}-\x{1FFF}\x{2C00}-\x{2DFF}\x{A000}-\x{D7FF}"
_TOKEN = {"words": f"[{_JOINED}]+|[{_SINGLE}]", "characters": f"[{_JOINED}{_SINGLE} ]"}
UNITS = tuple(_TOKEN)


@dataclass(frozen=True)
class Tokens:
    """The tokens of many texts.

    Parameters
    ----------
    levels : list of str
        The distinct tokens.
    indices : numpy.ndarray
        Index in `levels` of each token, of one text after another; int64, shape (tokens,).
    offsets : numpy.ndarray
        Where the tokens of each text begin, and where the last ends; int64, shape (texts + 1,).
    """

    levels: list[str]
    indices: np.ndarray
    offsets: np.ndarray


def tokenise(values: pa.ChunkedArray, unit: str) -> Tokens:
    """Return the tokens of texts; a missing text has none.

    Parameters
    ----------
    unit : {"words", "characters"}
    """
    texts = pc.ascii_lower(_texts(values))
    if unit == "words":
        texts = pc.replace_substring_regex(texts, f"[^{_JOINED}{_SINGLE}]+", " ")
        texts = pc.replace_substring_regex(texts, f"([{_SINGLE}])", r" \1 ")
        parts = pc.split_pattern(texts, " ")
    else:
        texts = pc.replace_substring_regex(texts, f"[^{_JOINED}{_SINGLE} ]+", "")
        parts = pc.split_pattern(pc.replace_substring_regex(texts, "(.)", "\\1\n"), "\n")
    flat = parts.flatten().dictionary_encode()
    levels = flat.dictionary.to_pylist()
    indices = flat.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    kept = np.array([level != "" for level in levels], dtype=bool)[indices]
    bounds = parts.offsets.to_numpy().astype(np.int64)
    before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    return Tokens(levels, indices[kept], before[bounds - bounds[0]])


def count_characters(values: pa.ChunkedArray) -> np.ndarray:
    """Return how many Unicode characters each text has, shape (n,)."""
    counts: np.ndarray = pc.utf8_length(_texts(values)).to_numpy(zero_copy_only=False)
    return counts


def _texts(values: pa.ChunkedArray) -> pa.Array:
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise InputError("a text column must hold strings", seen=str(values.type))
    whole = pa.chunked_array([chunk.cast(pa.large_string()) for chunk in values.chunks], pa.large_string())
    return pc.fill_null(pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], pa.large_string()), "")


@dataclass(frozen=True)
class GraphTokens:
    """Tensors of the tokens of a text column.

    Parameters
    ----------
    tokens : str
        Shape (n, longest), string; "" where a text has no more.
    characters, count : str
        How many characters, and tokens, each text has; shape (n, 1), float32.
    """

    tokens: str
    characters: str
    count: str


def tokens_to_graph(graph: Graph, column: str, unit: str) -> GraphTokens:
    """Add the tokenisation of a text column to a graph.

    It uses the operator ``com.microsoft.Tokenizer``, which is part of ONNX Runtime; standard ONNX has none that
    takes a regular expression.
    """
    flat = graph.node("Reshape", graph.column(column), graph.constant(np.array([-1], dtype=np.int64)))
    lower = graph.node("StringNormalizer", flat, case_change_action="LOWER", locale="C")

    def split(texts: str, expression: str) -> str:
        tensor: str = graph.node(
            "Tokenizer", texts, domain="com.microsoft", mark=0, pad_value="", tokenexp=expression, mincharnum=1
        )
        return tensor

    def count(tokens: str) -> str:
        none = graph.node("Equal", tokens, graph.constant(np.array("", dtype=object)))
        ones = graph.node("Cast", graph.node("Not", none), to=ONNX_TYPES["float32"])
        total: str = graph.node("ReduceSum", ones, graph.constant(np.array([1], dtype=np.int64)), keepdims=1)
        return total

    tokens = split(lower, _TOKEN[unit])
    return GraphTokens(tokens, count(split(flat, "(?s).")), count(tokens))
