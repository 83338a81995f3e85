"""Texts in TensorFlow: lower case, tokens by a regular expression, and counts of runs of tokens.

Both runtimes read expressions with RE2. Source: https://onnx.ai/onnx/operators/ (StringNormalizer, TfIdfVectorizer);
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md (Tokenizer).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from luban.core.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping

_CUT, _AS_CUT = "\x01", "\x02"
_MOST = 2**63 - 1  # a run of tokens is told by one number of 64 bits


def lowered(tf: Any, attributes: Mapping[str, Any], texts: Any) -> Any:
    """Return texts in lower case, of ASCII letters only."""
    if attributes.get("case_change_action", b"NONE") != b"LOWER" or attributes.get("stopwords"):
        raise Unsupported("StringNormalizer with anything but lower case has no form in TensorFlow here")
    return tf.strings.lower(texts)


def tokens(tf: Any, attributes: Mapping[str, Any], texts: Any) -> Any:
    """Return what an expression finds in each text, shape (texts, most), filled up with empty texts."""
    told = ("tokenexp", "mark", "pad_value", "mincharnum")
    if set(attributes) != set(told) or [attributes[name] for name in told[1:]] != [0, b"", 1]:
        raise Unsupported("Tokenizer without an expression, or with marks, has no form in TensorFlow here")
    expression = attributes["tokenexp"].decode()
    # What is found stands between two marks, so every second part is a token; a mark in the text is no token's part.
    marked = tf.strings.regex_replace(texts, _CUT, _AS_CUT)
    marked = tf.strings.regex_replace(marked, f"({expression})", rf"{_CUT}\1{_CUT}")
    return tf.strings.split(marked, sep=_CUT)[:, 1::2].to_tensor(default_value="")


def weighed_counts(tf: Any, attributes: Mapping[str, Any], words: Any) -> Any:
    """Return how often each text has each run of tokens, times the run's weight; shape (texts, runs), float32."""
    if attributes["mode"] != b"TFIDF" or attributes["max_skip_count"] or "pool_strings" not in attributes:
        raise Unsupported("TfIdfVectorizer of numbers, or that skips tokens, has no form in TensorFlow here")
    runs = _runs(attributes)
    known = {word: number for number, word in enumerate(sorted({word for run, _ in runs for word in run}))}
    if len(known) ** max(len(run) for run, _ in runs) > _MOST:
        raise Unsupported("TfIdfVectorizer of so long runs of so many tokens has no form in TensorFlow here")
    vocabulary = _table(tf, np.array(list(known), dtype=np.object_), np.arange(len(known)))
    numbers = vocabulary.lookup(words)
    shape = tf.shape(words, out_type=tf.int64)
    total = tf.zeros(tf.stack([shape[0], np.int64(len(runs))]), tf.float32)
    for length in sorted({len(run) for run, _ in runs}):
        of_length = {
            _key([known[word] for word in run], len(known)): place for run, place in runs if len(run) == length
        }
        table = _table(tf, np.array(list(of_length), dtype=np.int64), np.array(list(of_length.values())))
        padded = tf.pad(numbers, [[0, 0], [0, length - 1]], constant_values=np.int64(-1))
        parts = [padded[:, start : start + shape[1]] for start in range(length)]
        whole = tf.reduce_all(tf.stack(parts) >= 0, axis=0)
        places = table.lookup(tf.where(whole, _key(parts, len(known)), -tf.ones_like(numbers)))
        found = tf.where(places >= 0)
        each = tf.stack([found[:, 0], tf.gather_nd(places, found)], axis=1)
        total += tf.scatter_nd(each, tf.ones(tf.shape(each)[:1], tf.float32), tf.shape(total, out_type=tf.int64))
    return total * np.array(attributes["weights"], dtype=np.float32)


def _runs(attributes: Mapping[str, Any]) -> list[tuple[tuple[bytes, ...], int]]:
    """Return each run of tokens with its place among the outputs."""
    pool, starts = attributes["pool_strings"], [*attributes["ngram_counts"], len(attributes["pool_strings"])]
    found: list[tuple[bytes, ...]] = []
    for length, (start, end) in enumerate(pairwise(starts), 1):
        found += [tuple(pool[one : one + length]) for one in range(start, end, length)]
    return list(zip(found, attributes["ngram_indexes"], strict=True))


def _key(numbers: Any, base: int) -> Any:
    """Return one number for a run of numbers below `base`."""
    key = numbers[0]
    for one in numbers[1:]:
        key = key * base + one
    return key


def _table(tf: Any, keys: np.ndarray, values: np.ndarray) -> Any:
    """Return a table that knows these keys; of others it says -1."""
    entries = tf.lookup.KeyValueTensorInitializer(tf.constant(keys), tf.constant(values, tf.int64))
    return tf.lookup.StaticHashTable(entries, -1)
