"""Sounds as the samples that a network takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from luban.core.errors import InputError
from luban.core.preparation import Tensor
from luban.modalities import settings
from luban.modalities.audio import augment, depict
from luban.modalities.audio.sound import Sound, blanked, long_enough, silence, sounds
from luban.modalities.program import program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from luban.core.preparation import Program
    from luban.core.report import Finding
    from luban.core.space import Space


@dataclass(frozen=True, kw_only=True)
class AudioWaveform:
    """Samples of one column of sounds.

    ``input_values``, float32, shape (n, samples of the longest of the batch), and ``attention_mask``, int64, 1 where
    a sample is real. A missing sound is a tenth of a second of silence, and no sound is shorter.

    Parameters
    ----------
    columns : tuple of str
        One.
    rate : int
        Samples a second.
    seconds : float
        Of a longer sound only the first are taken.
    normalise : bool
        Bring each sound to mean 0 and variance 1, as Wav2Vec2 and its relatives were trained.
    """

    name: ClassVar[str] = "audio_waveform"

    columns: tuple[str, ...]
    rate: int = 16_000
    seconds: float = 30.0
    normalise: bool = True

    def __post_init__(self) -> None:
        if len(self.columns) != 1 or not 1_000 <= self.rate <= 192_000 or not 0.1 <= self.seconds <= 3600:
            raise InputError(
                "sounds cannot be prepared like this",
                seen=f"{len(self.columns)} columns, rate {self.rate}, seconds {self.seconds}",
                remedy="One column, a rate of 1,000 to 192,000, and 0.1 to 3,600 seconds.",
            )

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """What it makes, by name."""
        return {
            "input_values": Tensor(dtype="float32", shape=(None,)),
            "attention_mask": Tensor(dtype="int64", shape=(None,)),
        }

    def __call__(self, table: pa.Table) -> dict[str, np.ndarray]:
        """Return the tensors of these rows."""
        return self.finished(self.taken(table))

    def taken(self, table: pa.Table) -> list[Sound | None]:
        """Return the sounds."""
        return sounds(table, self.columns[0], self.rate, self.seconds)

    @property
    def augmentations(self) -> Space:
        """Noise, shift, speed and gaps; see `luban.modalities.audio.augment`."""
        return augment.WAVE_SPACE

    def varied(
        self, taken: Sequence[Sound | None], parameters: Mapping[str, Any], random: np.random.Generator
    ) -> list[Sound | None]:
        """Return the sounds varied at random."""
        return [None if one is None else augment.varied(one, parameters, random) for one in taken]

    def finished(self, taken: Sequence[Sound | None]) -> dict[str, np.ndarray]:
        """Return the tensors of these sounds."""
        most = round(self.seconds * self.rate)
        rows = [self._row(one)[:most] for one in taken]
        longest = max([len(one) for one in rows], default=self.rate // 10)
        values: np.ndarray = np.zeros((len(rows), longest), dtype=np.float32)
        mask = np.zeros((len(rows), longest), dtype=np.int64)
        for place, one in enumerate(rows):
            values[place, : len(one)] = one
            mask[place, : len(one)] = 1
        return {"input_values": values, "attention_mask": mask}

    def picture(self, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the spectrogram of one row, uint8 of shape (frequencies, frames, 3), low ones at the bottom."""
        return depict.drawn(depict.loudness(tensors["input_values"][0][: self._real(tensors)], self._window))

    def covered(self, tensors: Mapping[str, np.ndarray], kept: np.ndarray) -> dict[str, np.ndarray]:
        """Return the sound made quiet in cells of a grid over its spectrogram."""
        values = depict.covered_samples(tensors["input_values"][0], self._real(tensors), kept, self._window)
        return {"input_values": values, "attention_mask": np.repeat(tensors["attention_mask"], len(kept), axis=0)}

    def axes(self, tensors: Mapping[str, np.ndarray]) -> tuple[str, str]:
        """Return the seconds across and the frequencies upwards."""
        return f"0 to {self._real(tensors) / self.rate:.2f} s", f"0 to {self.rate / 2:,.0f} Hz"

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
    def load(cls, payloads: Mapping[str, bytes]) -> AudioWaveform:
        """Return what `save` wrote, or raise `Tampered` where it is damaged."""
        return settings.construct(cls, settings.read(cls, payloads))

    def program(self) -> Program:
        """Return the program that makes the same tensors without Luban."""
        return program("audio", "scipy", "soundfile")

    def _real(self, tensors: Mapping[str, np.ndarray]) -> int:
        return max(1, int(tensors["attention_mask"][0].sum()))

    @property
    def _window(self) -> int:
        return self.rate // 40

    def _row(self, sound: Sound | None) -> np.ndarray:
        if sound is None:
            return silence(self.rate)
        samples = long_enough(blanked(sound.samples, sound.moments, 0, 0.0), self.rate)
        if not self.normalise:
            return samples
        wide = samples.astype(np.float64)
        normal: np.ndarray = ((wide - wide.mean()) / np.sqrt(wide.var() + 1e-7)).astype(np.float32)
        return normal
