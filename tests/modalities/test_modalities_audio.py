"""Sounds of every kind have a defined outcome, and become what networks were trained with."""

from __future__ import annotations

import io
import tracemalloc
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from media import tone, uri

from luban.core import plugins
from luban.core.errors import InputError, NotFound
from luban.modalities.audio import augment, decode
from luban.modalities.audio.audio_mel import AudioMel
from luban.modalities.audio.audio_waveform import AudioWaveform
from luban.modalities.audio.mel import filters
from luban.modalities.audio.sound import Sound
from luban.testing.modality import check_modality
from luban.testing.preparation import check_preparation

TABLE = pa.table({"heard": [uri(tone(0.5)), None, uri(tone(1.3, 16000, channels=2)), uri(tone(0.01))]})


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_every_format_gives_the_same_sound(form):
    values = decode.samples(tone(0.5, 16000, form=form), 16000)
    spectrum = np.abs(np.fft.rfft(values[: 8000 if len(values) >= 8000 else None]))
    pitch = spectrum.argmax() * 16000 / min(len(values), 8000)
    assert abs(pitch - 440) < 5
    assert abs(float(np.abs(values).max()) - 0.5) < 0.1


def test_channels_are_averaged_and_rates_changed():
    values = decode.samples(tone(0.5, 44100, channels=3), 16000)
    assert values.shape == (8000,)
    assert values.dtype == np.float32
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
    assert np.abs(values - expected)[200:-200].max() < 1e-3


def test_of_an_hour_only_the_first_seconds_are_read():
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(3600 * 8000, dtype=np.int16), 8000, format="FLAC")
    content = stream.getvalue()
    tracemalloc.start()
    values = decode.samples(content, 16000, seconds=10)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values.shape == (160_000,)
    assert most < 20e6, "an hour must not be held"
    assert decode.figures(content)["seconds"] == 3600
    assert decode.figures(content, seconds=30)["seconds"] == 3600
    heard = AudioMel(columns=("heard",))
    for findings in (heard.inspect(table := pa.table({"heard": [uri(content)]})), heard.glance(table)):
        assert any("longer than 10 s" in one.what and one.remedy for one in findings)


def test_of_long_sounds_the_beginning_is_decoded_and_of_many_those_there_is_time_for(tmp_path, monkeypatch):
    """Hours of sound take seconds to look at: what was looked at is said, and what is broken early is found."""
    content = tone(70.0, 8000)
    long = tmp_path / "long.wav"
    long.write_bytes(content)
    cut = tmp_path / "cut.flac"
    stream = io.BytesIO()
    soundfile.write(stream, np.random.default_rng(0).normal(0, 0.1, 80_000), 8000, format="FLAC")
    cut.write_bytes(stream.getvalue()[:40_000])
    heard = AudioMel(columns=("heard",))
    said = [one.what for one in heard.inspect(pa.table({"heard": [str(long)]}))]
    assert any(one.endswith("seen by 1 of 1, of each no more than its first 60 s") for one in said)
    blocking = [one for one in heard.inspect(pa.table({"heard": [str(long), str(cut)]})) if one.verdict == "block"]
    assert "1 of 2 sounds looked at do not decode" in blocking[0].what
    read: list[str] = []

    def counted(source, **rest):
        read.append(source)
        return figures(source, **rest)

    figures = decode.figures
    monkeypatch.setattr("luban.modalities.audio.inspect.figures", counted)
    many = [one.what for one in heard.inspect(pa.table({"heard": [str(long)] * 50}), seconds=0.0)]
    assert len(read) == 1
    assert any("seen by 1 of 50" in one for one in many)


def test_of_a_file_no_more_is_read_than_is_heard(tmp_path, monkeypatch):
    """The path is opened, and the file is not held in memory first; one that is gone has the error of any reference."""
    place = tmp_path / "long.wav"
    place.write_bytes(tone(3.0, 8000))
    heard = AudioWaveform(columns=("heard",), rate=8000, seconds=1.0)
    table = pa.table({"heard": [str(place), str(tmp_path / "gone.wav")]})
    with pytest.raises(NotFound, match=r"gone\.wav"):
        heard(table)
    monkeypatch.setattr("luban.modalities.audio.sound.content", None)
    assert heard(table.slice(0, 1))["input_values"].shape == (1, 8000)


def test_a_glance_reads_the_heads_of_some_files_and_decodes_none(tmp_path, monkeypatch):
    """Two rates and a long sound among 240 files, one of which is none any more; all are told by 200 of them."""
    contents = {rates: tone(*rates) for rates in product((0.1, 10.5), (8000, 16000))}
    places = [tmp_path / f"{number}.wav" for number in range(240)]
    for number, place in enumerate(places):
        place.write_bytes(contents[10.5 if number % 2 else 0.1, 8000 if number % 3 else 16000])
    places[0].write_bytes(b"")
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    table = pa.table({"heard": [None, *map(str, places)]})
    told = AudioMel(columns=("heard",)).glance(table)
    assert all(one.what.endswith("; by the heads of 199 of 240 sounds") and one.remedy for one in told)
    assert any("2 sample rates" in one.what and one.verdict == "warn" for one in told)
    assert any("longer than 10 s" in one.what and one.verdict == "warn" for one in told)
    assert AudioMel(columns=("heard",)).glance(table.slice(0, 2)) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"no sound at all", "Format not recognised"),
        (tone(0.0), "no samples"),
        (tone(1.0, form="FLAC")[:1500], "ends after|error|lost|Unspecified"),
    ],
    ids=["empty", "text", "no samples", "half a file"],
)
def test_broken_sounds_say_why(content, why):
    import re

    with pytest.raises(InputError, match="cannot be read") as raised:
        decode.figures(content)
    assert re.search(why, raised.value.seen), raised.value.seen


@pytest.mark.parametrize("read", [decode.head, decode.figures, lambda path: decode.samples(path, 16_000)])
def test_a_file_of_bare_samples_is_told_as_one_that_does_not_decode(tmp_path, read):
    path = tmp_path / "x.RAW"
    path.write_bytes(b"\0\1" * 500)
    with pytest.raises(InputError, match="tell no rate"):
        read(str(path))


def test_values_that_are_no_numbers_are_silence():
    stream = io.BytesIO()
    soundfile.write(
        stream, np.array([0.5, np.nan, np.inf, -0.5] * 100, np.float32), 8000, format="WAV", subtype="FLOAT"
    )
    values = decode.samples(stream.getvalue(), 8000)
    assert values[:4].tolist() == [0.5, 0.0, 0.0, -0.5]


@pytest.mark.parametrize(
    "preparation",
    [
        AudioWaveform(columns=("heard",)),
        AudioWaveform(columns=("heard",), rate=8000, seconds=0.4, normalise=False),
        AudioMel(columns=("heard",)),
        AudioMel(columns=("heard",), rate=8000, mels=40, seconds=1.0, fixed=True, scale="htk", high=3500.0),
        AudioMel.whisper(["heard"], seconds=1.0),
    ],
    ids=["waveform", "cut waveform", "mel", "fixed mel", "whisper"],
)
def test_preparations_keep_the_protocol(preparation):
    check_preparation(preparation, TABLE)


def test_whisper_features_are_whispers():
    extractor = pytest.importorskip("transformers").WhisperFeatureExtractor()
    content = tone(2.0, 16000, pitch=700.0)
    heard = decode.samples(content, 16000) + 0.01 * np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    stream = io.BytesIO()
    soundfile.write(stream, heard, 16000, format="WAV", subtype="FLOAT")
    theirs = extractor(heard, sampling_rate=16000, return_tensors="np", return_attention_mask=True)
    ours = AudioMel.whisper(["heard"])(pa.table({"heard": [uri(stream.getvalue())]}))
    assert ours["input_features"].shape == (1, 80, 3000)
    assert np.abs(theirs.input_features - ours["input_features"]).max() < 1e-4
    assert np.array_equal(theirs.attention_mask, ours["attention_mask"])


def test_filters_are_those_of_the_hub():
    theirs = pytest.importorskip("transformers.audio_utils").mel_filter_bank
    for scale, norm in (("slaney", "slaney"), ("htk", None)):
        expected = theirs(201, 64, 50.0, 7000.0, 16000, norm=norm, mel_scale=scale)
        assert np.abs(filters(16000, 400, 64, 50.0, 7000.0, scale) - expected).max() < 1e-6


def test_waveforms_are_normalised_as_wav2vec2_was():
    extractor = pytest.importorskip("transformers").Wav2Vec2FeatureExtractor()
    content = tone(0.5, 16000)
    theirs = extractor(decode.samples(content, 16000), sampling_rate=16000, return_tensors="np").input_values
    ours = AudioWaveform(columns=("heard",))(pa.table({"heard": [uri(content)]}))["input_values"]
    assert np.abs(theirs - ours).max() < 1e-5


def test_noise_shift_and_speed_do_what_they_say():
    samples = np.sin(np.arange(8000, dtype=np.float32))
    sound = Sound(samples)
    random = np.random.default_rng(0)
    noisy = augment.varied(sound, {"noise": 0.3}, random).samples
    assert 0 < np.sqrt(np.mean((noisy - samples) ** 2)) < 0.3
    shifted = augment.varied(sound, {"shift": 0.3}, random).samples
    assert len(shifted) == 8000
    assert 0 < (shifted == 0).sum() <= 2401
    lengths = {len(augment.varied(sound, {"speed": 0.2}, np.random.default_rng(seed)).samples) for seed in range(9)}
    assert min(lengths) >= 6600
    assert max(lengths) <= 10100
    assert len(lengths) > 3


def test_masks_blank_stretches_of_the_spectrogram():
    preparation = AudioMel(columns=("heard",))
    taken = preparation.taken(TABLE.slice(0, 1))
    plain = preparation.finished(taken)["input_features"][0]
    varied = preparation.varied(taken, {"time_masks": 0.3, "mel_masks": 0.4}, np.random.default_rng(1))
    masked = preparation.finished(varied)["input_features"][0]
    changed = masked != plain
    assert changed.any()
    assert (masked[changed] == plain.min()).all()


def test_settings_that_cannot_be_are_refused():
    for wrong in ({"hop": 500}, {"high": 9000.0}, {"scale": "bark"}, {"seconds": 0.0}, {"mels": 0}):
        with pytest.raises(InputError, match="cannot be prepared"):
            AudioMel(columns=("heard",), **wrong)
    with pytest.raises(InputError, match="cannot be prepared"):
        AudioWaveform(columns=("a", "b"))


def test_the_modality_tells_of_sounds():
    columns = {
        "heard": pa.chunked_array(
            [
                [
                    uri(tone(0.5)),
                    uri(tone(0.5)),
                    uri(tone(1, 16000)),
                    uri(tone(0.2, strength=0.0)),
                    uri(tone()[:20]),
                    None,
                ]
            ]
        ),
        "words": pa.chunked_array([["a.wav", "b"]]),
    }
    modality = plugins.create("modalities", "audio")
    check_modality(modality, columns, {"heard": "audio", "words": None})
    figures = modality.profile("heard", columns["heard"])
    assert (figures["missing"], figures["unreadable"], figures["duplicates"], figures["silent"]) == (1, 1, 1, 1)
    assert figures["rates"] == {"8000": 3, "16000": 1}
    words = " ".join(one.what for one in modality.findings("heard", figures))
    for said in ("cannot be read", "content of another", "2 sample rates", "silent"):
        assert said in words


def test_what_spoils_training_is_said():
    table = pa.table({"heard": [uri(tone(0.5, 8000)), uri(tone(2.0, 16000)), None, uri(tone()[:20])]})
    findings = AudioWaveform(columns=("heard",), seconds=1.0).inspect(table)
    words = " ".join(one.what for one in findings)
    for said in ("have no sound", "do not decode", "2 sample rates", "lower rate", "longer than 1 s"):
        assert said in words
