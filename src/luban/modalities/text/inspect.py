"""What a tokenizer would lose of some texts, said before training."""

from __future__ import annotations

import math
import re
import time
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luban.core.report import Finding
from luban.modalities.text.scripts import scripts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luban.modalities.text.text_tokens import TextTokens

MOST_ROWS = 2_000
MANY_UNKNOWN = 0.1
ALMOST_ALL = 0.5
# Unicode names a letter by its script and then by what it is in it.
_SCRIPT = re.compile(r" (?:LETTER|SIGN|SYLLABLE|CHARACTER|SYLLABICS|CAPITAL|SMALL|VOWEL)\b")
_SHOWN = 5
_AT_ONCE = 50


def inspect(preparation: TextTokens, table: pa.Table, *, seconds: float = math.inf) -> Sequence[Finding]:
    """Return findings on at most 2,000 rows, spread evenly: what is cut, what is empty, what is not known."""
    begun, rows = time.monotonic(), table.num_rows
    if rows > MOST_ROWS:
        table = table.take(pa.array(np.linspace(0, rows - 1, MOST_ROWS).astype(np.int64)))
    if not rows:
        return []
    empty = _empty(preparation, table)
    # Each part is spread evenly over all rows, so that those there is time for are.
    stride = math.ceil(table.num_rows / _AT_ONCE)
    looked, lengths, shares = 0, np.full(table.num_rows, -1, dtype=np.int64), np.zeros(table.num_rows)
    while looked < stride and (not looked or time.monotonic() - begun < seconds):
        places = np.arange(looked, table.num_rows, stride)
        lengths[places] = preparation.lengths(table.take(places))
        shares[places] = preparation.unknown(table.take(places))
        looked += 1
    read = np.flatnonzero(lengths >= 0)
    table, lengths, shares = table.take(read), lengths[read], shares[read]
    told = [*_cut(preparation, lengths), *empty, *_unknown(preparation, table, shares)]
    return told if looked == stride else [*told, _looked_at(len(read), rows)]


def _looked_at(looked: int, rows: int) -> Finding:
    """Say how many texts were read, where there was no time for as many as the look would take in of shorter ones."""
    return Finding(
        what=f"what the tokenizer makes of the texts was seen by {looked:,} of {rows:,} rows",
        value=looked,
        remedy="Long texts take long to read, and what is beyond the length of the network is not: shorten them.",
    )


def _cut(preparation: TextTokens, lengths: np.ndarray) -> list[Finding]:
    limit = preparation.max_length
    over = lengths > limit
    if not over.any():
        return []
    share = float(over.mean())
    lost = float((lengths[over] - limit).sum() / lengths.sum())
    enough = int(np.quantile(lengths, 0.95))
    return [
        Finding(
            what=f"{share:.0%} of the texts are longer than {limit} tokens; what is beyond is cut off, "
            f"{lost:.0%} of all tokens (the longest has {lengths.max():,})",
            verdict="warn" if share > 0.05 else "info",
            value=round(share, 4),
            threshold=0.05,
            remedy=f"A max_length of {enough} would keep 95% of the texts whole, where the backbone takes as many; "
            "or put what matters first.",
        )
    ]


def _empty(preparation: TextTokens, table: pa.Table) -> list[Finding]:
    empty = np.ones(table.num_rows, dtype=bool)
    for name in preparation.columns:
        empty &= np.array([not (one or "").strip() for one in table.column(name).to_pylist()], dtype=bool)
    if not empty.any():
        return []
    share = float(empty.mean())
    return [
        Finding(
            what=f"{share:.0%} of the rows have no text"
            if share >= 0.01
            else f"{int(empty.sum()):,} rows have no text",
            verdict="block" if share == 1 else "warn" if share > 0.05 else "info",
            value=round(share, 4),
            threshold=0.05,
            remedy="They teach nothing but the share of each class among them; leave them out if they are mistakes.",
        )
    ]


def _unknown(preparation: TextTokens, table: pa.Table, shares: np.ndarray) -> list[Finding]:
    share = float(shares.mean())
    if share <= MANY_UNKNOWN:
        return []
    strange = [
        text
        for name in preparation.columns
        for text, bad in zip(table.column(name).to_pylist(), shares > ALMOST_ALL, strict=True)
        if bad
    ]
    names = ", ".join(_named(strange or table.column(preparation.columns[0]).to_pylist())) or "signs"
    return [
        Finding(
            what=f"The tokenizer does not know {share:.0%} of the tokens: a script ({names}) that the backbone has "
            "not learnt",
            verdict="block" if share > ALMOST_ALL else "warn",
            value=round(share, 4),
            threshold=MANY_UNKNOWN,
            remedy="Take a multilingual backbone: luban zoo list tells the languages of each.",
        )
    ]


def _named(texts: Sequence[str | None]) -> list[str]:
    """Return the scripts of texts, by the names of letters where the list of scripts does not have them."""
    found = list(scripts(texts))
    if "other" not in found:
        return found
    letters = dict.fromkeys(letter for text in texts for letter in text or "" if letter.isalpha())
    own = dict.fromkeys(_SCRIPT.split(unicodedata.name(letter, ""))[0].title() for letter in letters)
    return [*(one for one in found if one != "other"), *(one for one in own if one and one not in found)][:_SHOWN]
