"""Sounds as the mel spectrograms that a network takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.core.errors import InputError
from luban.core.preparation import Tensor
from luban.modalities import settings
from luban.modalities.audio import augment, depict
from luban.modalities.audio.mel import SCALES, filters, power
from luban.modalities.audio.sound import Sound, blanked, long_enough, silence, sounds
from luban.modalities.program import program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.preparation import Program
    from luban.core.report import Finding
    from luban.core.space import Space

COMPRESSIONS = ("log", "whisper")
_FLOOR = {"log": 1e-6, "whisper": 1e-10}


@dataclass(frozen=True, kw_only=True)
class AudioMel:
    """Logarithms of mel spectrograms of one column of sounds.

    ``input_features``, float32, shape (n, mels, frames), and ``attention_mask``, int64, shape (n, frames), 1 where a
    frame is of the sound. A frame is `hop` samples. Where `fixed`, there are always as many frames as `seconds` hold,
    the rest silence; otherwise as many as the longest sound of the batch has, the rest 0, and a row alone has the
    values that it has among others. A missing sound is a tenth of a second of silence, and no sound is shorter.

    Parameters
    ----------
    columns : tuple of str
        One.
    rate : int
        Samples a second.
    window, hop : int
        Samples of a frame of the Fourier transform, and from one frame to the next.
    mels : int
        Bands.
    low, high : float
        Lowest and highest frequency in Hz; `high` 0 is half the rate.
    scale : str
        ``slaney`` or ``htk``.
    compression : str
        ``log``: (ln(power + 1e-6) - mean) / deviation; ``whisper``: that of A. Radford et al., "Robust Speech
        Recognition via Large-Scale Weak Supervision" (2022): log10, cut 8 below the loudest, (v + 4) / 4.
    mean, deviation : float
        For ``log``.
    seconds : float
        Of a longer sound only the first are taken.
    fixed : bool
        Whether every sound is made `seconds` long.
    """

    name: ClassVar[str] = "audio_mel"

    columns: tuple[str, ...]
    rate: int = 16_000
    window: int = 400
    hop: int = 160
    mels: int = 64
    low: float = 0.0
    high: float = 0.0
    scale: str = "slaney"
    compression: str = "log"
    mean: float = -6.0
    deviation: float = 5.0
    seconds: float = 10.0
    fixed: bool = False

    def __post_init__(self) -> None:
        top = self.high or self.rate / 2
        sound = (
            len(self.columns) == 1
            and 1_000 <= self.rate <= 192_000
            and 1 <= self.hop <= self.window <= 16_384
            and 1 <= self.mels <= 512
            and 0 <= self.low < top <= self.rate / 2
            and self.scale in SCALES
            and self.compression in COMPRESSIONS
            and self.deviation > 0
            and 0.1 <= self.seconds <= 3600
        )
        if not sound:
            raise InputError(
                "sounds cannot be prepared like this",
                seen=", ".join(f"{name} {value}" for name, value in vars(self).items()),
                remedy="One column; a rate of 1,000 to 192,000; hop at most window; low below high, high at most half "
                f"the rate; scale {' or '.join(SCALES)}; compression {' or '.join(COMPRESSIONS)}; 0.1 to 3,600 "
                "seconds.",
            )

    @classmethod
    def whisper(cls, columns: Sequence[str], *, mels: int = 80, seconds: float = 30.0, fixed: bool = True) -> AudioMel:
        """Return the preparation that the Whisper models were trained with (large-v3: 128 mels)."""
        return cls(columns=tuple(columns), mels=mels, compression="whisper", seconds=seconds, fixed=fixed)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """What it makes, by name."""
        frames = self._most // self.hop if self.fixed else None
        return {
            "input_features": Tensor(dtype="float32", shape=(self.mels, frames)),
            "attention_mask": Tensor(dtype="int64", shape=(frames,)),
        }

    def __call__(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return the tensors of these rows."""
        return self.finished(self.taken(table))

    def taken(self, table: pa.Table) -> list[Sound | None]:
        """Return the sounds."""
        return sounds(table, self.columns[0], self.rate, self.seconds)

    @property
    def augmentations(self) -> Space:
        """Noise, shift, speed and SpecAugment; see `luban.modalities.audio.augment`."""
        return augment.MEL_SPACE

    def varied(
        self, taken: Sequence[Sound | None], parameters: Mapping[str, Any], random: np.random.Generator
    ) -> list[Sound | None]:
        """Return the sounds varied at random."""
        return [None if one is None else augment.varied(one, parameters, random) for one in taken]

    def finished(self, taken: Sequence[Sound | None]) -> dict[str, np.ndarray]:
        """Return the tensors of these sounds."""
        rows = [self._row(one) for one in taken]
        longest = max([values.shape[1] for values, _ in rows], default=self._most // self.hop if self.fixed else 1)
        features: np.ndarray = np.zeros((len(rows), self.mels, longest), dtype=np.float32)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for place, (values, real) in enumerate(rows):
            features[place, :, : values.shape[1]] = values
            mask[place, :real] = 1
        return {"input_features": features, "attention_mask": mask}

    def picture(self, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the spectrogram of one row, uint8 of shape (mels, frames, 3), low bands at the bottom."""
        return depict.drawn(tensors["input_features"][0][:, : self._real(tensors)])

    def covered(self, tensors: Mapping[str, np.ndarray], kept: np.ndarray) -> dict[str, np.ndarray]:
        """Return the spectrogram with cells of a grid as quiet as when nothing happens."""
        bands = depict.covered_bands(tensors["input_features"][0], self._real(tensors), kept)
        return {"input_features": bands, "attention_mask": np.repeat(tensors["attention_mask"], len(kept), axis=0)}

    def axes(self, tensors: Mapping[str, np.ndarray]) -> tuple[str, str]:
        """Return the seconds across and the frequencies upwards."""
        seconds = self._real(tensors) * self.hop / self.rate
        return f"0 to {seconds:.2f} s", f"{self.low:,.0f} to {self.high or self.rate / 2:,.0f} Hz (mel scale)"

    def inspect(self, table: pa.Table, *, seconds: float = math.inf) -> Sequence[Finding]:
        """Find sounds that are missing, cut off, or of mixed or lower rates."""
        from luban.modalities.audio.inspect import inspect

        return inspect(table, self.columns[0], rate=self.rate, seconds=self.seconds, within=seconds)

    def glance(self, table: pa.Table) -> Sequence[Finding]:
        """Find sounds that are cut off, or of mixed or lower rates, by the heads of some."""
        from luban.modalities.audio.inspect import glance

        return glance(table, self.columns[0], rate=self.rate, seconds=self.seconds)

    def save(self) -> Mapping[str, bytes]:
        """Return the settings."""
        return {settings.NAME: settings.written(self)}

    @classmethod
    def load(cls, payloads: Mapping[str, bytes]) -> AudioMel:
        """Return what `save` wrote, or raise `Tampered` where it is damaged."""
        return settings.construct(cls, settings.read(cls, payloads))

    def program(self) -> Program:
        """Return the program that makes the same tensors without Luban."""
        return program("audio", "scipy", "soundfile")

    def _real(self, tensors: Mapping[str, np.ndarray]) -> int:
        return max(1, int(tensors["attention_mask"][0].sum()))

    @property
    def _most(self) -> int:
        return round(self.seconds * self.rate)

    def _row(self, sound: Sound | None) -> tuple[np.ndarray, int]:
        """Return the spectrogram of a sound and how many of its frames are real."""
        sound = Sound(silence(self.rate)) if sound is None else sound
        samples = long_enough(sound.samples, self.rate)[: self._most]
        real = max(1, min(-(-len(samples) // self.hop), self._most // self.hop))
        if self.fixed:
            samples = np.pad(samples, (0, self._most - len(samples)))
        weights = filters(self.rate, self.window, self.mels, self.low, self.high or self.rate / 2, self.scale)
        # The last frame, half of it mirrored, is left out, as Whisper does.
        bands = power(samples, self.window, self.hop, weights)[:, :-1]
        values = self._compressed(bands)
        real = min(real, values.shape[1])
        empty = float(values.min()) if values.size else 0.0
        values = blanked(values, sound.moments, 1, empty)
        return blanked(values, sound.bands, 0, empty), real

    def _compressed(self, bands: np.ndarray) -> np.ndarray:
        if self.compression == "whisper":
            logs = np.log10(np.maximum(bands, np.float32(_FLOOR["whisper"])))
            logs = np.maximum(logs, logs.max() - 8)
            whisper: np.ndarray = ((logs + 4) / 4).astype(np.float32)
            return whisper
        logs = np.log(bands + np.float32(_FLOOR["log"]))
        values: np.ndarray = ((logs - self.mean) / self.deviation).astype(np.float32)
        return values
