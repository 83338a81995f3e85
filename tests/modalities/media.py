"""Pictures, sounds and a tokenizer, made on the spot."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from luban.data.media import data_uri


def picture(width=40, height=30, seed=0, mode="RGB", form="PNG", **options):
    """Return the content of a picture of random colours."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).convert(mode).save(stream, form, **options)
    return stream.getvalue()


def tone(seconds=0.5, rate=8000, pitch=440.0, channels=1, form="WAV", strength=0.5):
    """Return the content of a sound of one pitch."""
    values = strength * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)
    stream = io.BytesIO()
    soundfile.write(stream, np.tile(values[:, None], channels), rate, format=form)
    return stream.getvalue()


def uri(content):
    """Return content as a reference."""
    return data_uri(content)


def tokenizer(words=("good", "bad", "film", "the", "a", "##s", "好", "店")):
    """Return the tokenizer.json of a small vocabulary of word pieces."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]
    made = Tokenizer(models.WordPiece({token: place for place, token in enumerate(tokens)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return made.to_str().encode()
