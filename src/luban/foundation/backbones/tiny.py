"""Tiny backbones with random weights, for tests and trials: real networks that know nothing."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from luban.foundation.backbone import Backbone, Card, Prepares, assemble
from luban.foundation.backbones import ATTENTION_WAYS, PICTURE_WAYS, SOUND_WAYS, TASKS, TEXT_TASKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WORDS = "Random weights; for tests."
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def text(texts: Iterable[str] = (), *, seed: int = 0, width: int = 32, layers: int = 2, length: int = 64) -> Backbone:
    """Return a small BERT with random weights and a WordPiece tokenizer learnt from `texts`.

    Parameters
    ----------
    texts : iterable of str
        What the vocabulary is learnt from; all letters of ASCII are in it anyhow.
    seed : int
        Of the weights.
    """
    return assemble(
        _card("tiny_text", "text", TEXT_TASKS, ATTENTION_WAYS),
        architecture="text_encoder",
        configuration={"transformers": _bert(vocabulary := wordpiece(texts), width, layers, length), "pooling": "mean"},
        prepares=Prepares(
            name="text_tokens",
            settings={"max_length": length, "types": True, "pad": 0},
            files={"tokenizer.json": vocabulary.encode()},
        ),
        seed=seed,
    )


def image(*, seed: int = 0, width: int = 32, layers: int = 2, size: int = 32) -> Backbone:
    """Return a small vision transformer with random weights for pictures of `size` by `size` pixels."""
    configuration = {
        "model_type": "vit",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 2 * width,
        "image_size": size,
        "patch_size": 8,
    }
    return assemble(
        _card("tiny_image", "image", TASKS, PICTURE_WAYS),
        architecture="image_encoder",
        configuration={"transformers": configuration, "pooling": "first"},
        prepares=Prepares(name="image_pixels", settings={"size": [size, size]}),
        seed=seed,
    )


def audio(*, seed: int = 0, width: int = 32, layers: int = 2, mels: int = 16, seconds: float = 2.0) -> Backbone:
    """Return a small Whisper encoder with random weights for sounds of at most `seconds`."""
    configuration = {
        "model_type": "whisper",
        "d_model": width,
        "encoder_layers": layers,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 2 * width,
        "num_mel_bins": mels,
        "max_source_positions": int(seconds * 50),
    }
    return assemble(
        _card("tiny_audio", "audio", TASKS, SOUND_WAYS),
        architecture="whisper_encoder",
        configuration={"transformers": configuration},
        prepares=Prepares(name="audio_mel", settings={"mels": mels, "seconds": seconds}),
        seed=seed,
    )


def wordpiece(texts: Iterable[str], *, size: int = 2000) -> str:
    """Return the JSON of a WordPiece tokenizer as BERT has it: all letters seen, and the most frequent words whole."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(
        word for text in texts for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text or ""))
    )
    letters = sorted({letter for word in counts for letter in word} | {chr(code) for code in range(33, 127)})
    words = sorted(counts, key=lambda word: (-counts[word], word))[:size]
    pieces = dict.fromkeys([*_SPECIAL, *letters, *(f"##{letter}" for letter in letters), *words])
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token=_SPECIAL[1]))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(_SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(one, _SPECIAL.index(one)) for one in ("[CLS]", "[SEP]")],
    )
    written: str = tokenizer.to_str()
    return written


def _bert(vocabulary: str, width: int, layers: int, length: int) -> dict[str, object]:
    return {
        "model_type": "bert",
        "vocab_size": len(json.loads(vocabulary)["model"]["vocab"]),
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 2 * width,
        "max_position_embeddings": max(length, 8),
        "type_vocab_size": 2,
        "pad_token_id": 0,
    }


def _card(name: str, kind: str, tasks: tuple[str, ...], ways: Mapping[str, tuple[str, ...]]) -> Card:
    return Card(
        name=name,
        kind=kind,
        tasks=tasks,
        ways=ways,
        parameters=0,
        bytes=0,
        licence="Apache-2.0",
        source="made on the spot",
        words=_WORDS,
    )
