"""Texts as the tokens of a pre-trained network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.core.errors import InputError, Tampered
from luban.core.preparation import Place, Tensor
from luban.modalities import settings
from luban.modalities.program import program
from luban.modalities.text import augment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from tokenizers import Encoding, Tokenizer

    from luban.core.preparation import Program
    from luban.core.report import Finding
    from luban.core.space import Space

TOKENIZER = "tokenizer.json"
STRATEGIES = ("longest_first", "only_first", "only_second")
_ROW = (None,)

Texts = tuple[str, ...]
"""The texts of one row, one a column."""


@dataclass(frozen=True, kw_only=True)
class TextTokens:
    """Token numbers of one text column, or of two as a pair.

    Tensors, all int64 of shape (n, L), L being the tokens of the longest text of the batch: ``input_ids``;
    ``attention_mask``, 1 where a token is real; ``token_type_ids`` where `types`, 1 in the second text of a pair;
    ``word_ids`` where `words`, the index of the word that a token belongs to, -1 where it belongs to none.
    A missing text is an empty one; a row without any token has one padding token that counts as real, so that no mean
    over it divides by zero.

    Parameters
    ----------
    columns : tuple of str
        One or two.
    tokenizer : bytes
        Content of a ``tokenizer.json`` (https://huggingface.co/docs/tokenizers).
    max_length : int
        Most tokens of a row, the special ones included; the rest of the text is cut off.
    truncation : str
        Which text of a pair is cut: ``longest_first``, ``only_first``, ``only_second``.
    types : bool
        Whether the network takes ``token_type_ids``.
    words : bool
        Split texts at white space and say which word each token belongs to (one column only).
    prefix : str
        Put before every text, as some encoders were trained with (``"query: "``).
    pad : int
        Number of the padding token.
    left : bool
        Pad at the left, as generators want it.
    """

    name: ClassVar[str] = "text_tokens"

    columns: tuple[str, ...]
    tokenizer: bytes
    max_length: int = 256
    truncation: str = "longest_first"
    types: bool = False
    words: bool = False
    prefix: str = ""
    pad: int = 0
    left: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.columns) <= 2 or (self.words and len(self.columns) > 1):
            raise InputError(
                "tokens are made of one text column, or of two as a pair",
                seen=f"columns {', '.join(self.columns) or 'none'}" + (", word by word" if self.words else ""),
                remedy="Name one column, or two.",
            )
        if self.max_length < 1 or self.truncation not in STRATEGIES:
            raise InputError(
                "texts cannot be cut like this",
                seen=f"max_length {self.max_length}, truncation {self.truncation!r}",
                remedy=f"Give at least 1 token, and one of {', '.join(STRATEGIES)}.",
            )

    @classmethod
    def of(cls, columns: Sequence[str], tokenizer: bytes, **options: Any) -> TextTokens:
        """Return the preparation with what the vocabulary tells: its padding token, and whether pairs are marked."""
        loaded = _tokenizer(tokenizer)
        pair = loaded.encode("a", "b").type_ids
        names = ("[PAD]", "<pad>", "<|endoftext|>", "<|padding|>")
        found = next((number for one in names if (number := loaded.token_to_id(one)) is not None), 0)
        options = {"types": 1 in pair, "pad": found, **options}
        return cls(columns=tuple(columns), tokenizer=tokenizer, **options)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """What it makes, by name."""
        names = ["input_ids", "attention_mask"] + ["token_type_ids"] * self.types + ["word_ids"] * self.words
        return {name: Tensor(dtype="int64", shape=_ROW) for name in names}

    def __call__(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return the tensors of these rows."""
        return self.finished(self.taken(table))

    def taken(self, table: pa.Table) -> list[Texts]:
        """Return the texts of each row, one a column; a missing one is empty."""
        texts = [[one or "" for one in table.column(name).to_pylist()] for name in self.columns]
        return list(zip(*texts, strict=True))

    @property
    def augmentations(self) -> Space:
        """Word dropout and swaps; see `luban.modalities.text.augment`."""
        return augment.SPACE

    def varied(
        self, taken: Sequence[Texts], parameters: Mapping[str, Any], random: np.random.Generator
    ) -> Sequence[Texts]:
        """Return the texts with words left out and swapped; with `words` they stay, as labels belong to words."""
        if self.words:
            return taken
        return [tuple(augment.varied(one, parameters, random) for one in row) for row in taken]

    def finished(self, taken: Sequence[Texts]) -> dict[str, np.ndarray]:
        """Return the tensors of these texts."""
        found = self._encode(self._cutting, taken)
        return self._padded(found)

    def lengths(self, table: pa.Table) -> np.ndarray:
        """Return how many tokens each row has before anything is cut off, shape (n,), int64."""
        found = self._encode(self._whole, self.taken(table))
        return np.array([len(one) for one in found], dtype=np.int64)

    def unknown(self, table: pa.Table) -> np.ndarray:
        """Return the share of tokens of each row that the vocabulary does not hold, shape (n,)."""
        number = self._unknown_number
        if number is None:
            return np.zeros(table.num_rows)
        found = self._encode(self._whole, self.taken(table))
        plain = [
            [one for one, special in zip(row.ids, row.special_tokens_mask, strict=True) if one == number or not special]
            for row in found
        ]
        return np.array([row.count(number) / max(1, len(row)) for row in plain])

    def places(self, table: pa.Table) -> list[list[Place]]:
        """Return which characters of its texts each token of a row stands for."""
        from luban.modalities.text.places import places, places_of_words

        found = []
        for texts in self.taken(table):
            if self.words:
                encoded = self._cutting.encode(self.prefix.split() + texts[0].split(), is_pretokenized=True)
                found.append(places_of_words(encoded, texts[0], len(self.prefix.split())))
                continue
            given: list[Any] = [self.prefix + one for one in texts]
            try:
                encoded = self._cutting.encode(given[0], *given[1:])
            except Exception:  # noqa: BLE001 - as in `_encode_one`, which cuts both then
                encoded = self._cutting_both.encode(given[0], *given[1:])
            found.append(places(encoded, texts, self.prefix))
        return [one or [Place(-1)] for one in found]

    def inspect(self, table: pa.Table, *, seconds: float = math.inf) -> Sequence[Finding]:
        """Find texts that are cut, empty, or of a script that the tokenizer does not know."""
        from luban.modalities.text.inspect import inspect

        return inspect(self, table, seconds=seconds)

    def save(self) -> Mapping[str, bytes]:
        """Return the settings and the tokenizer."""
        return {settings.NAME: settings.written(self, without=("tokenizer",)), TOKENIZER: self.tokenizer}

    @classmethod
    def load(cls, payloads: Mapping[str, bytes]) -> TextTokens:
        """Return what `save` wrote.

        Raises
        ------
        Tampered
            If a payload is missing or damaged.
        """
        if TOKENIZER not in payloads:
            raise Tampered("a saved preparation of texts is incomplete", seen=f"no {TOKENIZER}")
        made = settings.construct(cls, {"tokenizer": bytes(payloads[TOKENIZER]), **settings.read(cls, payloads)})
        _ = made._whole  # a damaged tokenizer is found now, not at the first prediction
        return made

    def program(self) -> Program:
        """Return the program that makes the same tensors without Luban."""
        return program("text", "tokenizers")

    @cached_property
    def _whole(self) -> Tokenizer:
        return _tokenizer(self.tokenizer)

    @cached_property
    def _cutting(self) -> Tokenizer:
        return self._cut(self.truncation if len(self.columns) == 2 else STRATEGIES[0])

    @cached_property
    def _cutting_both(self) -> Tokenizer:
        return self._cut(STRATEGIES[0])

    def _cut(self, strategy: str) -> Tokenizer:
        special = self._whole.num_special_tokens_to_add(len(self.columns) == 2)
        if special >= self.max_length:
            raise InputError(
                "no room is left for the text",
                seen=f"max_length {self.max_length}, special tokens {special}",
                remedy="Allow more tokens.",
            )
        return _tokenizer(self.tokenizer, self.max_length, strategy)

    @cached_property
    def _unknown_number(self) -> int | None:
        import json

        model = json.loads(self.tokenizer).get("model", {})
        if isinstance(model.get("unk_id"), int):
            return int(model["unk_id"])
        token = model.get("unk_token")
        number: int | None = self._whole.token_to_id(token) if isinstance(token, str) else None
        return number

    def _encode(self, tokenizer: Tokenizer, taken: Sequence[Texts]) -> list[Encoding]:
        inputs: list[Any]
        if self.words:
            inputs = [(self.prefix.split() + one.split()) for (one,) in taken]
        elif len(self.columns) == 1:
            inputs = [self.prefix + one for (one,) in taken]
        else:
            inputs = [(self.prefix + one, self.prefix + other) for one, other in taken]
        if self.words:  # the quick way does not say which word a token is of
            return list(tokenizer.encode_batch(inputs, is_pretokenized=True))
        try:
            return list(tokenizer.encode_batch_fast(inputs))
        except Exception:  # noqa: BLE001 - the library raises a bare Exception
            return [self._encode_one(tokenizer, one) for one in inputs]

    def _encode_one(self, tokenizer: Tokenizer, row: Any) -> Encoding:
        """Return the tokens of a row; where one text of a pair leaves no room for the other, both are cut."""
        try:
            return tokenizer.encode_batch_fast([row])[0]
        except Exception:
            if tokenizer is not self._cutting or tokenizer is self._cutting_both:
                raise
            return self._cutting_both.encode_batch_fast([row])[0]

    def _padded(self, found: Sequence[Encoding]) -> dict[str, np.ndarray]:
        longest = max([1, *map(len, found)])
        shape = (len(found), longest)
        tensors = {name: np.zeros(shape, dtype=np.int64) for name in self.tensors}
        tensors["input_ids"][:] = self.pad
        if self.words:
            tensors["word_ids"][:] = -1
        skipped = len(self.prefix.split()) if self.words else 0
        for row, one in enumerate(found):
            start = longest - max(1, len(one)) if self.left else 0
            place = slice(start, start + len(one))
            tensors["attention_mask"][row, start : start + max(1, len(one))] = 1
            tensors["input_ids"][row, place] = one.ids
            if self.types:
                tensors["token_type_ids"][row, place] = one.type_ids
            if self.words:
                numbers = [-1 if word is None or word < skipped else word - skipped for word in one.word_ids]
                tensors["word_ids"][row, place] = numbers
        return tensors


# Reading a large vocabulary takes a second, and every copy of a backbone has the same one.
@lru_cache(maxsize=4)
def _tokenizer(content: bytes, longest: int | None = None, strategy: str = STRATEGIES[0]) -> Tokenizer:
    """Return the tokenizer of these bytes, which nobody may change; with `longest` it cuts what is longer."""
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_str(content.decode())
    except Exception as error:
        raise Tampered(
            "the tokenizer cannot be read",
            seen=str(error)[:160],
            remedy="Give a tokenizer.json that the package tokenizers wrote.",
        ) from error
    loaded.no_padding()
    if longest is None:
        loaded.no_truncation()
    else:
        loaded.enable_truncation(longest, strategy=strategy)
    return loaded
