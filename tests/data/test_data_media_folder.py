"""Folders and archives of pictures and sounds become tables, or a clear error."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from PIL import Image

from luban.core import plugins
from luban.core.errors import InputError, LubanError, Refused
from luban.data import infer, read
from luban.data.media import marks
from luban.data.sources.folder import FolderSource
from luban.data.sources.media_folder import MediaFolderSource
from luban.testing.source import check_source


def png(colour="red"):
    stream = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(stream, "PNG")
    return stream.getvalue()


def wav(frames=400):
    data = b"\0\1" * frames
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16,
                       b"data", len(data))  # fmt: skip
    return head + data


def fill(folder, *names, content=None):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content or (wav() if name.endswith(".wav") else png()))
    return folder


def test_the_source_keeps_the_protocol(tmp_path):
    pets = fill(tmp_path / "pets", "cat/1.png", "cat/2.PNG", "dog/1.jpeg")
    broken = [
        fill(tmp_path / "sets", "train/cat/1.png", "val/cat/1.png"),
        fill(tmp_path / "mixed", "1.png", "2.wav"),
        fill(tmp_path / "uneven", "1.png", "cat/2.png"),
        fill(tmp_path / "deep", "a/b/c/1.png"),
    ]
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "a.csv").write_text("x,y\n1,2\n")
    strangers = [tables, tables / "a.csv", "https://example.org/x.zip", 7, tmp_path / "absent.zip"]
    check_source(MediaFolderSource(), pets, strangers=strangers, broken=broken)
    assert not FolderSource().matches(pets)
    assert FolderSource().matches(tables)


def test_a_folder_a_class(tmp_path):
    fill(tmp_path, "cat/b.png", "cat/a.png", "dog/1.png", "dog/notes.txt", ".hidden/x.png", "README.md")
    assert type(read.find(tmp_path)) is plugins.load("sources", "media_folder")
    table = read.table(tmp_path)
    assert table.to_pylist() == [
        {"image": str(tmp_path / "cat/a.png"), "label": "cat"},
        {"image": str(tmp_path / "cat/b.png"), "label": "cat"},
        {"image": str(tmp_path / "dog/1.png"), "label": "dog"},
    ]
    assert marks.target(table.schema) == "label"
    inference = infer.infer(table)
    assert [(one.kind, one.role) for one in inference.schema.columns] == [("image", "input"), ("category", "target")]
    assert any("passed over: 1 x .txt" in note for note in inference.notes)


def test_a_flat_folder_of_sounds_has_no_label(tmp_path):
    table = read.table(fill(tmp_path, "1.wav", "2.wav"))
    assert table.column_names == ["audio"]
    assert marks.target(table.schema) is None
    assert infer.infer_schema(table).columns[0].kind == "audio"


def test_sets_of_folders_are_given_by_path(tmp_path):
    fill(tmp_path, "train/ants/1.png", "train/bees/2.png", "val/ants/3.png", "val/bees/4.png")
    with pytest.raises(InputError, match="several sets") as raised:
        read.table(tmp_path)
    assert str(tmp_path / "train") in raised.value.remedy
    assert read.table(tmp_path / "train").column("label").to_pylist() == ["ants", "bees"]


def test_classes_that_differ_by_case_or_spaces_are_said(tmp_path):
    notes = infer.infer(read.table(fill(tmp_path, "Cat/1.png", "cat /2.png", "dog/3.png"))).notes
    assert any("'Cat' and 'cat '" in note for note in notes)


def test_a_table_beside_the_files_is_read(tmp_path):
    fill(tmp_path, "files/1.png", "files/2.png", "files/3.png")
    (tmp_path / "labels.csv").write_text("file,class\nfiles/1.png,a\nfiles/3.png,b\n")
    table = read.table(tmp_path)
    assert table.to_pylist() == [
        {"file": str(tmp_path / "files/1.png"), "class": "a"},
        {"file": str(tmp_path / "files/3.png"), "class": "b"},
    ]
    assert marks.target(table.schema) == "class"


def packed(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_archive_is_read_as_its_folder(tmp_path):
    path = packed(tmp_path / "pets.zip", {"pets/cat/1.png": png(), "pets/dog/2.png": png(), "__MACOSX/._1.png": b""})
    table = read.table(path)
    assert table.column("label").to_pylist() == ["cat", "dog"]
    assert [open(one, "rb").read() for one in table.column("image").to_pylist()] == [png(), png()]  # noqa: PTH123, SIM115
    assert read.table(path).equals(table)


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png"])
def test_an_archive_that_leads_out_is_refused(tmp_path, name):
    path = packed(tmp_path / "bad.zip", {"cat/1.png": png(), name: png()})
    with pytest.raises(Refused, match="leads out"):
        read.table(path)


def test_an_archive_of_one_enormous_file_is_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("cat/1.png", b"\0" * (8 << 20))
    with pytest.raises(Refused, match="far larger"):
        read.table(path)


def test_a_damaged_archive_is_said(tmp_path):
    path = packed(tmp_path / "pets.zip", {"cat/1.png": png(), "dog/2.png": png()})
    whole = bytearray(path.read_bytes())
    whole[60] ^= 255  # a byte of the first picture
    path.write_bytes(whole)
    with pytest.raises(LubanError, match="cannot be unpacked"):
        read.table(path)


def test_real_folders_are_understood(shared_data, tmp_path):
    with zipfile.ZipFile(shared_data("ants_bees") / "images.zip") as file:
        file.extractall(tmp_path)
    table = read.table(tmp_path / "train")
    assert table.num_rows == 244
    assert set(table.column("label").to_pylist()) == {"ants", "bees"}
