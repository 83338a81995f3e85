"""Backbones in a folder as transformers writes it: ``config.json``, ``*.safetensors``, a tokenizer or a processor."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luban.core.errors import InputError, MissingExtra, Unsupported
from luban.foundation.backbones import ATTENTION_WAYS, CONVOLUTION_WAYS, PICTURE_WAYS, SOUND_WAYS, TASKS, TEXT_TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from luban.foundation.backbone import Backbone, Card, Prepares

_BPE = "sentencepiece.bpe.model"
_PREPARED = "preprocessor_config.json"
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "vocab.json",
)
_LONGEST = 512
_MELS = "WhisperFeatureExtractor"
_WAVES = ("Wav2Vec2FeatureExtractor",)

_AGAIN = "It is damaged: get the folder again."


class Folder:
    """A backbone in a folder.

    Parameters
    ----------
    path : str or Path
    name : str
        What it is called; by default the path.
    source : str
        Where it comes from, in words.
    """

    def __init__(self, path: str | Path, *, name: str = "", source: str = "") -> None:
        self.path = Path(path)
        self.name = name or str(path)
        self.source = source or f"folder {self.path}"

    def card(self) -> Card:
        """Return what the folder tells without its weights being read."""
        from luban.foundation.backbone import Card

        configuration = _read(self.path / "config.json", self.name)
        kind = self._kind(configuration)
        size = sum(one.stat().st_size for one in self.path.glob("*.safetensors"))
        return Card(
            name=self.name,
            kind=kind,
            tasks=TEXT_TASKS if kind == "text" else TASKS,
            ways=_ways(kind, configuration),
            parameters=size // 4,
            bytes=size,
            licence="see its source",
            source=self.source,
            words=f"A {configuration.get('model_type', 'model')} of transformers.",
        )

    def load(self, **options: Any) -> Backbone:
        """Return it with its weights.

        Parameters
        ----------
        options
            Settings of its preparation to use instead of its own; ``pooling`` is the body's.

        Raises
        ------
        InputError
            If a file is missing or damaged, or weights, configuration and tokenizer do not fit each other.
        Unsupported
            If transformers does not know it, or its inputs cannot be prepared here.
        """
        from luban.foundation.backbone import assemble

        try:
            import transformers  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"{self.name} needs the package transformers", remedy="Run: pip install 'luban[text]'"
            ) from error
        configuration = _read(self.path / "config.json", self.name)
        kind = self._kind(configuration)
        pooling = options.pop("pooling", None)
        architecture, told, prepares = getattr(self, f"_{kind}")(configuration, options)
        if pooling is not None:
            told["pooling"] = pooling
        return assemble(
            self.card(),
            architecture=architecture,
            configuration={"transformers": configuration, **told},
            prepares=prepares,
            tensors=self._tensors(configuration),
        )

    def _kind(self, configuration: Mapping[str, Any]) -> str:
        prepared = self.path / _PREPARED
        if prepared.exists():
            told = _read(prepared, self.name)
            return "audio" if "feature_extractor_type" in told and "image_mean" not in told else "image"
        if any((self.path / one).exists() for one in _TOKENIZERS):
            return "text"
        raise InputError(
            f"it cannot be told what {self.name} reads",
            seen=f"a {configuration.get('model_type', 'model')} without a tokenizer and without {_PREPARED}",
            remedy="Put the files of its tokenizer (tokenizer.json) or its processor into the same folder.",
        )

    def _text(self, configuration: Mapping[str, Any], options: dict[str, Any]) -> tuple[str, dict[str, Any], Prepares]:
        from luban.foundation.backbone import Prepares

        content = self._tokenizer()
        settings = _read(self.path / "tokenizer_config.json", self.name, needed=False)
        sentences = _read(self.path / "sentence_bert_config.json", self.name, needed=False)
        # RoBERTa and its kin count positions from the padding token on.
        shift = (configuration.get("pad_token_id") or 0) + 1 if "roberta" in configuration["model_type"] else 0
        limits = [
            _LONGEST,
            int(configuration.get("max_position_embeddings") or _LONGEST) - shift,
            int(min(settings.get("model_max_length") or _LONGEST, _LONGEST)),
            int(sentences.get("max_seq_length") or _LONGEST),
        ]
        types, pad = self._pairs(content, configuration)
        prompts = _read(self.path / "config_sentence_transformers.json", self.name, needed=False)
        prefix = (prompts.get("prompts") or {}).get(prompts.get("default_prompt_name") or "", "")
        made = {"max_length": max(8, min(limits)), "types": types, "pad": pad, "prefix": prefix, **options}
        prepares = Prepares(name="text_tokens", settings=made, files={"tokenizer.json": content})
        return "text_encoder", {"pooling": self._pooling()}, prepares

    def _image(self, configuration: Mapping[str, Any], options: dict[str, Any]) -> tuple[str, dict[str, Any], Prepares]:
        from luban.core import plugins
        from luban.foundation.backbone import Prepares

        del configuration
        made = plugins.load("preparations", "image_pixels").like(("x",), _read(self.path / _PREPARED, self.name))
        names = ("size", "fit", "shortest", "interpolation", "scale", "mean", "deviation")
        settings = {name: getattr(made, name) for name in names}
        return "image_encoder", {}, Prepares(name="image_pixels", settings={**settings, **options})

    def _audio(self, configuration: Mapping[str, Any], options: dict[str, Any]) -> tuple[str, dict[str, Any], Prepares]:
        from luban.foundation.backbone import Prepares

        del configuration
        told = _read(self.path / _PREPARED, self.name)
        extractor, rate = told["feature_extractor_type"], int(told.get("sampling_rate", 16_000))
        if extractor == _MELS:
            settings = {"mels": int(told.get("feature_size", 80)), "compression": "whisper", "seconds": 30.0}
            return "whisper_encoder", {}, Prepares(name="audio_mel", settings={**settings, **options})
        if extractor in _WAVES:
            normal = bool(told.get("do_normalize", True))
            made = {"rate": rate, "seconds": 30.0, "normalise": normal, **options}
            return "waveform_encoder", {}, Prepares(name="audio_waveform", settings=made)
        raise Unsupported(
            f"sounds cannot be prepared as {self.name} wants them",
            seen=str(extractor),
            remedy=f"Choose a model with one of: {', '.join((_MELS, *_WAVES))}.",
        )

    def _tokenizer(self) -> bytes:
        path = self.path / "tokenizer.json"
        if path.exists():
            return path.read_bytes()
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.path, local_files_only=True, trust_remote_code=False)
            return str(tokenizer.backend_tokenizer.to_str()).encode()
        except (OSError, ValueError, ImportError, AttributeError) as error:
            raise InputError(
                f"the tokenizer of {self.name} cannot be read",
                seen=str(error).splitlines()[0][:200],
                remedy="Put its tokenizer.json into the folder.",
            ) from error

    def _pairs(self, content: bytes, configuration: Mapping[str, Any]) -> tuple[bool, int]:
        """Return whether the network tells the texts of a pair apart, and the number of the padding token."""
        from luban.core import plugins

        told = plugins.load("preparations", "text_tokens").of(("x",), content)
        pad = configuration.get("pad_token_id")
        return told.types and (configuration.get("type_vocab_size") or 0) > 1, told.pad if pad is None else int(pad)

    def _pooling(self) -> str:
        told = _read(self.path / "1_Pooling" / "config.json", self.name, needed=False)
        if told.get("pooling_mode_cls_token") or told.get("pooling_mode") == "cls":
            return "first"
        if told.get("pooling_mode_lasttoken") or told.get("pooling_mode") == "lasttoken":
            return "last"
        return "mean"

    def _tensors(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the weights by the names of the body; transformers renames those of older files."""
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModel

        if not any(self.path.glob("*.safetensors")):
            raise InputError(
                f"{self.name} has no weights as safetensors",
                seen=", ".join(sorted(one.name for one in self.path.iterdir()))[:200],
                remedy="Pickled weights (.bin, .pt) are not read: save the model again with transformers.",
            )
        try:
            with _quiet():
                model, told = AutoModel.from_pretrained(
                    self.path,
                    local_files_only=True,
                    trust_remote_code=False,
                    use_safetensors=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                )
        except (OSError, SafetensorError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(
                f"the weights of {self.name} cannot be read",
                seen=str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error),
                remedy="They are damaged, or of another model than config.json: get them again.",
            ) from error
        missing = sorted(one for one in told["missing_keys"] if not one.startswith("pooler."))
        wrong = sorted(str(one) for one in told["mismatched_keys"])
        if missing or wrong:
            raise InputError(
                f"the weights of {self.name} do not fit its configuration",
                seen=f"{len(missing)} missing, {len(wrong)} of another shape ({(missing + wrong)[0]})",
                remedy="Weights and config.json must come from the same model.",
            )
        network = model.get_encoder() if configuration.get("is_encoder_decoder") else model
        return {
            f"network.{name}": tensor for name, tensor in network.state_dict().items() if not name.startswith("pooler.")
        }


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' report on weights from the screen: what matters of it is checked and said in one line."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _ways(kind: str, configuration: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Return the ways that suit such a network as a rule; each looks at the network itself before it is taken."""
    if kind == "image" and "num_attention_heads" not in configuration:
        return CONVOLUTION_WAYS
    return {"audio": SOUND_WAYS, "image": PICTURE_WAYS}.get(kind, ATTENTION_WAYS)


def _read(path: Path, name: str, *, needed: bool = True) -> dict[str, Any]:
    """Return a JSON object from a file, or an empty one where the file may be missing."""
    if not path.exists() and not needed:
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{name} is no backbone: {path.name} is missing", remedy="Name a folder that transformers wrote."
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} of {name} cannot be read", seen=str(error)[:160], remedy=_AGAIN) from error
    if not isinstance(value, dict):
        raise InputError(f"{path.name} of {name} is no JSON object", remedy=_AGAIN)
    return value
