"""Pictures of every kind have a defined outcome, and become the pixels that networks were trained with."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pytest
from media import picture, uri
from PIL import Image

from luban.core import plugins
from luban.core.errors import InputError
from luban.modalities.image import augment, decode
from luban.modalities.image.image_pixels import ImagePixels
from luban.modalities.mixup import mixup
from luban.testing.modality import check_modality
from luban.testing.preparation import check_preparation

RED, WHITE = [255, 0, 0], [255, 255, 255]


def saved(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def first(content):
    return decode.pixels(content)[0, 0].tolist()


def test_a_transparent_picture_lies_on_white():
    assert first(saved(Image.new("RGBA", (4, 4), (255, 0, 0, 0)))) == WHITE
    assert first(saved(Image.new("RGBA", (4, 4), (255, 0, 0, 255)))) == RED
    assert first(saved(Image.new("LA", (4, 4), (10, 0)))) == WHITE


def test_a_palette_with_a_transparent_colour_lies_on_white():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    assert first(saved(image)) == RED
    assert first(saved(image, transparency=1)) == WHITE


def test_16_bits_are_divided_by_256():
    values = np.array([[0, 256, 65535]], dtype=np.uint16)
    assert decode.pixels(saved(Image.fromarray(values)))[0, :, 0].tolist() == [0, 1, 255]


def test_real_numbers_are_0_to_1_or_0_to_255():
    small = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    large = Image.fromarray(np.array([[0.0, 128.0, 300.0]], dtype=np.float32))
    assert decode.pixels(saved(small, "TIFF"))[0, :, 0].tolist() == [0, 128, 255]
    assert decode.pixels(saved(large, "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


def test_cmyk_becomes_rgb():
    found = np.asarray(first(saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)))
    assert np.abs(found - RED).max() < 8


def test_the_first_frame_of_an_animation_counts():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "green")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert first(content) == RED
    assert decode.figures(content)["frames"] == 3


def test_a_picture_of_a_turned_camera_is_set_upright():
    image = Image.new("RGB", (8, 4), "white")
    image.paste(Image.new("RGB", (8, 2), "red"), (0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    content = saved(image, exif=exif)
    values = decode.pixels(content)
    assert values.shape == (8, 4, 3)
    assert values[0, -1].tolist() == RED
    assert values[0, 0].tolist() == WHITE
    assert decode.figures(content)["turned"] is True


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"no picture at all", "no picture of a known format"),
        (picture(200, 200, form="JPEG")[:3000], "truncated"),
        (picture(200, 200)[:3000], "truncated|not enough|broken"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture of a known format"),
    ],
    ids=["empty", "text", "half a JPEG", "half a PNG", "PostScript"],
)
def test_broken_pictures_say_why(content, why):
    with pytest.raises(InputError, match="cannot be read") as raised:
        decode.figures(content)
    import re

    assert re.search(why, raised.value.seen)


def test_a_picture_that_would_fill_the_memory_is_refused():
    content = saved(Image.new("1", (20_000, 6_000)))
    with pytest.raises(InputError) as raised:
        decode.pixels(content)
    assert "pixels" in raised.value.seen


@pytest.mark.parametrize(
    "options",
    [
        {"size": (16, 16)},
        {"size": (16, 12), "fit": "squash", "interpolation": "nearest"},
        {"size": (16, 24), "fit": "pad"},
        {"size": (16, 16), "shortest": 20, "interpolation": "lanczos"},
        {"size": (8, 8), "channels": 1, "mean": (0.5,), "deviation": (0.5,)},
    ],
)
def test_pixels_keep_the_protocol(options):
    table = pa.table({"seen": [uri(picture()), None, uri(picture(7, 50, seed=1)), uri(picture(300, 300, form="JPEG"))]})
    preparation = ImagePixels(columns=("seen",), **options)
    check_preparation(preparation, table)
    assert not preparation(table)["pixel_values"][1].any()


@pytest.mark.long
def test_pixels_are_those_of_the_hubs_processors():
    vit = pytest.importorskip("transformers.models.vit.image_processing_pil_vit").ViTImageProcessorPil()
    clip = pytest.importorskip("transformers.models.clip.image_processing_pil_clip").CLIPImageProcessorPil()
    content = picture(451, 300)
    for processor in (vit, clip):
        theirs = processor(Image.open(io.BytesIO(content)), return_tensors="np")["pixel_values"][0]
        ours = ImagePixels.like(["seen"], processor.to_dict())(pa.table({"seen": [uri(content)]}))["pixel_values"][0]
        assert np.abs(np.asarray(theirs) - ours).max() < 1e-6


def test_settings_that_cannot_be_are_refused():
    for wrong in ({"fit": "stretch"}, {"deviation": (0.0,)}, {"size": (0, 5)}, {"shortest": 3}, {"channels": 2}):
        with pytest.raises(InputError, match="cannot be prepared"):
            ImagePixels(columns=("seen",), **wrong)
    with pytest.raises(InputError, match="preprocessor_config"):
        ImagePixels.like(["seen"], {"size": "large"})


def test_a_picture_that_vanished_is_named():
    with pytest.raises(Exception, match=r"gone\.png"):
        ImagePixels(columns=("seen",))(pa.table({"seen": ["/nowhere/gone.png"]}))


@pytest.mark.parametrize("channels", [1, 3])
def test_each_operation_keeps_shape_and_range(channels):
    values = np.random.default_rng(0).integers(0, 256, (20, 30, channels), dtype=np.uint8)
    for seed in range(40):
        found = augment.varied(
            values,
            {"crop": 0.9, "flip": True, "colour": 0.5, "operations": 3, "magnitude": 10},
            np.random.default_rng(seed),
        )
        assert found.shape == values.shape
        assert found.dtype == np.uint8


def test_a_flip_exchanges_left_and_right():
    values = np.arange(12, dtype=np.uint8).reshape(2, 6, 1)
    found = {augment.varied(values, {"flip": True}, np.random.default_rng(seed)).tobytes() for seed in range(9)}
    assert found == {values.tobytes(), values[:, ::-1].tobytes()}


def test_mixup_mixes_rows_and_keeps_whole_numbers():
    random = np.random.default_rng(0)
    tensors = {"pixel_values": np.eye(4, dtype=np.float32), "mask": np.ones((4, 2), dtype=np.int64)}
    mixed = mixup(tensors, 0.4, random)
    expected = mixed.share * np.eye(4) + (1 - mixed.share) * np.eye(4)[mixed.partner]
    assert np.allclose(mixed.tensors["pixel_values"], expected)
    assert mixed.tensors["pixel_values"].dtype == np.float32
    assert mixed.tensors["mask"] is tensors["mask"]
    assert 0.5 <= mixed.share <= 1
    assert mixup(tensors, 0.0, random).share == 1.0


def test_the_modality_tells_of_pictures(tmp_path):
    contents = [picture(seed=0), picture(seed=0), picture(60, 50, seed=1, mode="RGBA"), picture(seed=2)[:40]]
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    contents += [saved(frames[0], "GIF", save_all=True, append_images=frames[1:])]
    paths = []
    for place, content in enumerate(contents):
        paths.append(tmp_path / f"{place}.png")
        paths[-1].write_bytes(content)
    columns = {
        "seen": pa.chunked_array([[str(path) for path in paths] + [None]]),
        "sent": pa.chunked_array([[uri(picture()), None]]),
        "words": pa.chunked_array([["a.png", "b"]]),
        "numbers": pa.chunked_array([[1, 2]]),
    }
    modality = plugins.create("modalities", "image")
    check_modality(modality, columns, {"seen": "image", "sent": "image", "words": None, "numbers": None})
    figures = modality.profile("seen", columns["seen"])
    assert (figures["missing"], figures["unreadable"], figures["duplicates"], figures["animated"]) == (1, 1, 1, 1)
    assert figures["unreadable_files"][0]["name"].endswith("3.png")
    words = " ".join(one.what for one in modality.findings("seen", figures))
    for said in ("cannot be read", "content of another", "animated", "RGBA"):
        assert said in words


def test_what_spoils_training_is_said():
    preparation = ImagePixels(columns=("seen",))
    table = pa.table({"seen": [uri(picture(20, 20)), None, uri(picture()[:50])]})
    findings = preparation.inspect(table)
    words = " ".join(one.what for one in findings)
    assert "have no picture" in words
    assert "do not decode" in words
    assert "enlarged to 224" in words
    assert any(one.verdict == "block" for one in findings)
    whole = pa.table({"seen": [uri(picture(20, 20))] * 30})
    hurried = [one.what for one in preparation.inspect(whole, seconds=0.0)]
    assert "whether the pictures decode was seen by 1 of 30" in hurried, "no time for more than one"
