"""Pictures and sounds in tables: referred to, verified, kept by digest, never read from where they should not be."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_data_media_folder import fill, png, wav

from luban.core.errors import InputError, NotFound, Refused, Tampered
from luban.core.paths import paths_refused
from luban.core.schema import Column
from luban.data import clean, infer, profile, read, versions
from luban.data.conform import conform, conform_row
from luban.data.media import content, data_uri, marks, verify
from luban.data.media.endings import kind_of_content, kind_of_name, media_type
from luban.data.media.mapping import mapped
from luban.store import Workspace
from luban.store.digests import digest_of

PICTURE = Column(name="seen", kind="image")
SOUND = Column(name="heard", kind="audio")


@pytest.fixture
def workspace(tmp_path):
    with Workspace.open(tmp_path / "workspace") as opened:
        yield opened


@given(st.binary(max_size=300))
def test_a_data_uri_holds_its_content(data):
    assert content(data_uri(data, "image/png")) == data


def test_references_that_lead_nowhere_say_so(tmp_path):
    with pytest.raises(NotFound, match="no file"):
        content(str(tmp_path / "gone.png"))
    for wrong in ("data:image/png,abc", "data:image/png;base64,a*b"):
        with pytest.raises(InputError, match="base64"):
            content(wrong)


def test_kinds_by_name_and_by_content():
    assert [kind_of_name(one) for one in ("a.JPG", "b.flac", "c.csv", "d")] == ["image", "audio", None, None]
    assert (media_type(png()[:32]), media_type(wav()[:32])) == ("image/png", "audio/wav")
    assert kind_of_content(b"\xff\xfb\x90\x00" + bytes(28)) == "audio"
    assert kind_of_content(b"%PDF-1.7" + bytes(24)) is None


def test_many_values_are_mapped_in_order():
    assert list(mapped(lambda value: value * value, range(500), threads=4)) == [one * one for one in range(500)]
    with pytest.raises(ZeroDivisionError):
        list(mapped(lambda value: 1 // (value - 50), range(500), threads=4))


def test_paths_of_a_table_start_from_its_folder(tmp_path):
    fill(tmp_path, "images/1.png", "images/2.png")
    (tmp_path / "t.csv").write_text("picture,pay\nimages/1.png,1\n,2\nimages/2.png,3\nimages/gone.png,4\n")
    table = read.table(tmp_path / "t.csv")
    expected = [str(tmp_path / "images/1.png"), None, str(tmp_path / "images/2.png"), str(tmp_path / "images/gone.png")]
    assert table.column("picture").to_pylist() == expected
    assert marks.kind(table.schema.field("picture")) == "image"
    assert infer.infer_schema(table).column("picture").kind == "image"


def test_bare_names_are_found_in_a_folder_beside_the_table(tmp_path):
    fill(tmp_path, "images/1.png", "images/2.png")
    pq.write_table(pa.table({"picture": ["1.png", "2.png"]}), tmp_path / "t.parquet")
    assert read.table(tmp_path / "t.parquet").column("picture").to_pylist()[0] == str(tmp_path / "images/1.png")


def test_names_of_files_that_are_nowhere_stay_words(tmp_path):
    (tmp_path / "t.csv").write_text("picture,pay\n1.png,1\n2.png,2\n")
    inference = infer.infer(read.table(tmp_path / "t.csv"))
    assert inference.schema.column("picture").kind == "category"
    assert any("--media" in note for note in inference.notes)


@pytest.mark.parametrize("how", ["up", "absolute", "link"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path, how):
    fill(tmp_path, "secret/1.png", "data/2.png")
    path = {"up": "../secret/1.png", "absolute": str(tmp_path / "secret/1.png"), "link": "link.png"}[how]
    (tmp_path / "data/link.png").symlink_to(tmp_path / "secret/1.png")
    (tmp_path / "data/t.csv").write_text(f"picture,pay\n2.png,1\n{path},2\n")
    with pytest.raises(Refused, match="leaves the folder"):
        read.table(tmp_path / "data/t.csv")
    allowed = read.table(tmp_path / "data/t.csv", media=str(tmp_path)) if how == "absolute" else None
    assert allowed is None or allowed.column("picture").to_pylist()[1] == path


def test_a_few_odd_values_do_not_make_words_of_a_column_of_files(tmp_path):
    """What is no file is counted as unreadable, what lies elsewhere is refused; many odd values are words."""
    fill(tmp_path, "data/1.png", "data/2.png", "data/3.png")
    table = tmp_path / "data/t.csv"
    table.write_text("picture,pay\n1.png,1\n2.png,2\n3.png,1\nsee below,2\n")
    assert read.table(table).column("picture").to_pylist()[-1] == str(tmp_path / "data/see below")
    table.write_text("picture,pay\n1.png,1\n2.png,2\n3.png,1\n/etc/hostname,2\n")
    with pytest.raises(Refused, match="leaves the folder"):
        read.table(table)
    table.write_text("picture,pay\n1.png,1\nsee below,2\n2.png,2\nno idea,1\n")
    assert read.table(table).column("picture").to_pylist()[0] == "1.png"


def test_a_file_cannot_say_of_itself_that_its_paths_may_be_read(tmp_path):
    fill(tmp_path, "secret/1.png")
    (tmp_path / "data").mkdir()
    field = marks.marked(pa.field("picture", pa.string()), "image", sound=True)
    rows = pa.table([[str(tmp_path / "secret/1.png")]], schema=pa.schema([field]))
    pq.write_table(rows, tmp_path / "data/t.parquet")
    with pytest.raises(Refused, match="leaves the folder"):
        read.table(tmp_path / "data/t.parquet")


def test_content_inside_a_table_goes_to_files(tmp_path):
    hub = pa.array(
        [{"bytes": png(), "path": "1.png"}, None], pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    rows = pa.table({"hub": hub, "raw": pa.array([None, wav()], pa.binary()), "code": [b"\0\1", b"\2"]})
    pq.write_table(rows, tmp_path / "t.parquet")
    table = read.table(tmp_path / "t.parquet")
    assert [marks.kind(field) for field in table.schema] == ["image", "audio", None]
    assert content(table.column("hub")[0].as_py()) == png()
    assert content(table.column("raw")[1].as_py()) == wav()
    assert table.column("hub")[1].as_py() is None


def test_a_version_keeps_content_by_digest_and_gives_paths(workspace, tmp_path):
    fill(tmp_path / "pets", "cat/1.png", "cat/2.png", "dog/3.png")
    (tmp_path / "pets/dog/4.png").write_bytes(png("blue"))
    found = versions.import_with_notes(workspace, tmp_path / "pets")
    stored = pq.read_table(workspace.blobs.local(workspace.datasets.manifest(found.dataset)["chunks"][0]["digest"]))
    digests = stored.column("image").to_pylist()
    assert digests[0] == digests[1] == digests[2] != digests[3], "equal content is one blob"
    assert workspace.blobs.get(digests[3]) == png("blue")
    assert marks.kind(stored.schema.field("image")) == "image"
    table = versions.table(workspace, found.dataset)
    assert [content(one) for one in table.column("image").to_pylist()] == [png(), png(), png(), png("blue")]
    assert marks.is_sound(table.schema.field("image"))
    assert found.dataset.schema.column("label").role == "target"
    elsewhere = tmp_path / "moved"
    (tmp_path / "pets").rename(elsewhere)
    assert versions.import_data(workspace, elsewhere, name="pets").fingerprint == found.dataset.fingerprint
    again = versions.add_version(workspace, table.to_batches(), name="pets", schema=found.dataset.schema)
    assert again.fingerprint == found.dataset.fingerprint, "rows that were read are the rows that are kept"


def test_a_part_of_a_version_keeps_its_pictures(workspace, tmp_path):
    fill(tmp_path / "pets", "cat/1.png", "cat/2.png", "dog/3.png")
    whole = versions.import_data(workspace, tmp_path / "pets")
    part, _ = clean.clean(workspace, whole, ["duplicates"], name="part")
    assert [content(one) for one in versions.table(workspace, part).column("image").to_pylist()] == [png(), png()]


def test_pictures_go_with_the_last_version_that_has_them(workspace, tmp_path):
    """Rows name them, not the manifest: a part that was split off keeps its own, whatever becomes of the whole."""
    fill(tmp_path / "pets", "cat/1.png", "cat/2.png")
    (tmp_path / "pets/cat/4.png").write_bytes(png("blue"))
    whole = versions.import_data(workspace, tmp_path / "pets")
    table = versions.table(workspace, whole)
    part = versions.add_version(workspace, table.slice(0, 1).to_batches(), name="part", schema=whole.schema)
    red, blue = digest_of(png()), digest_of(png("blue"))
    workspace.datasets.delete("pets/1")
    assert (workspace.blobs.has(red), workspace.blobs.has(blue)) == (True, False)
    assert content(versions.table(workspace, part).column("image")[0].as_py()) == png()
    with pytest.raises(InputError, match="no such file"):
        versions.add_version(workspace, table.slice(2, 1).to_batches(), name="late", schema=whole.schema)
    workspace.datasets.delete("part/1")
    assert not workspace.blobs.has(red)


def test_content_that_was_changed_on_the_disk_is_noticed(workspace, tmp_path):
    dataset = versions.import_data(workspace, fill(tmp_path / "pets", "cat/1.png", "dog/2.png"))
    path = versions.table(workspace, dataset).column("image")[0].as_py()
    import os

    os.chmod(path, 0o600)  # noqa: PTH101
    with open(path, "ab") as file:  # noqa: PTH123
        file.write(b"x")
    with pytest.raises(Tampered):
        versions.table(workspace, dataset)


def test_broken_files_are_left_out_counted_and_listed(workspace, tmp_path):
    folder = fill(tmp_path / "pets", "cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png")
    fill(folder, "dog/5.png", content=png()[:40])
    found = versions.import_with_notes(workspace, folder)
    table = versions.table(workspace, found.dataset)
    assert table.column("image").null_count == 1
    assert table.num_rows == 5
    assert any("1 picture of 'image'" in note and "5.png" in note for note in found.notes)
    report = profile.profile(table, found.dataset.schema)
    assert report.figures["broken_files"] == {"image": 1}
    assert any("5.png" in str(one.evidence) for one in report.findings)
    direct = profile.profile(read.table(folder), infer.infer_schema(read.table(folder)))
    assert direct.figures["by_column"]["image"]["unreadable"] == 1


def test_a_table_that_is_mostly_broken_is_refused_and_nothing_is_kept(workspace, tmp_path):
    folder = fill(tmp_path / "pets", "cat/1.png")
    fill(folder, "cat/2.png", "dog/3.png", content=b"broken")
    with pytest.raises(InputError, match="most of the pictures of 'image'") as raised:
        versions.import_data(workspace, folder)
    assert "2 of 3" in raised.value.seen
    assert workspace.datasets.list() == []


def test_many_files_are_read_by_worker_processes(tmp_path, monkeypatch):
    folder = fill(tmp_path, *(f"{place}.png" for place in range(9)))
    fill(folder, "5.png", content=b"broken")
    monkeypatch.setattr(verify, "FEW", 2)
    monkeypatch.setattr(verify, "PORTION", 3)
    paths = [str(folder / f"{place}.png") for place in range(9)] + [
        str(folder / "gone.png"),
        data_uri(b"x", "image/png"),
    ]
    values, broken = verify.sound("seen", "image", paths)
    assert [one is None for one in values] == [False] * 5 + [True] + [False] * 3 + [True, True]
    assert broken["count"] == 3
    assert {one["why"] for one in broken["files"]} >= {"there is no such file"}


def test_a_file_that_crashes_the_decoder_is_found_and_left_out(tmp_path, monkeypatch):
    """A worker that dies takes its portion with it; the portion is halved until the culprit is alone."""
    folder = fill(tmp_path, *(f"{place}.png" for place in range(6)))
    monkeypatch.setattr(verify, "FEW", 2)
    monkeypatch.setattr(verify, "LOOK", "crashing_look:look")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "crashing_look.py").write_text(
        "import os\n"
        "def look(report, kind, references):\n"
        "    if any(one.endswith('4.png') for one in references):\n"
        "        os._exit(11)\n"
        "    return {}\n"
    )
    paths = [str(folder / f"{place}.png") for place in range(6)]
    values, broken = verify.sound("seen", "image", paths)
    assert [one is None for one in values] == [False] * 4 + [True, False]
    assert broken["files"][0]["why"] == "the decoder crashed"


def pixels():
    return np.asarray(Image.open(io.BytesIO(png())))


@pytest.mark.parametrize(
    "value",
    [
        png(),
        data_uri(png()),
        base64.b64encode(png()).decode(),
        Image.open(io.BytesIO(png())),
        pixels(),
        {"bytes": png(), "path": None},
    ],
    ids=["bytes", "data URI", "base64", "Pillow", "pixels", "hub"],
)
def test_a_picture_comes_in_every_form(value):
    with paths_refused():
        alone = conform({"seen": value}, [PICTURE]).table.column("seen")[0].as_py()
        listed = conform([{"seen": value}], [PICTURE]).table.column("seen")[0].as_py()
        row = conform_row({"seen": value}, [PICTURE])["seen"]
    expected = pixels()
    for one in (alone, listed, row):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content(one)))), expected)


def test_a_sound_comes_as_samples_with_their_rate():
    samples = np.linspace(-0.5, 0.5, 800, dtype=np.float32)
    for value in ((samples, 8000), {"array": samples, "sampling_rate": 8000}):
        found = conform([{"heard": value}], [SOUND]).table.column("heard")[0].as_py()
        import soundfile

        heard, rate = soundfile.read(io.BytesIO(content(found)), dtype="float32")
        assert rate == 8000
        assert np.allclose(heard, samples, atol=1e-7)
    with pytest.raises(InputError, match="without their rate"):
        conform_row({"heard": samples}, [SOUND])


def test_a_stack_of_pictures_and_a_frame_of_them_are_columns():
    stack = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    for data in ({"seen": stack}, pd.DataFrame({"seen": list(stack)})):
        table = read.table(data)
        assert infer.infer_schema(table).columns[0].kind == "image"
        decoded = np.asarray(Image.open(io.BytesIO(content(table.column("seen")[3].as_py()))))
        assert np.array_equal(decoded, stack[3])


def test_a_path_comes_from_here_but_never_from_the_network(tmp_path):
    path = fill(tmp_path, "1.png") / "1.png"
    assert conform({"seen": str(path)}, [PICTURE]).table.column("seen").to_pylist() == [str(path)]
    assert conform({"seen": path}, [PICTURE]).table.column("seen").to_pylist() == [str(path)]
    for refused in (
        lambda: conform({"seen": str(path)}, [PICTURE], paths=False),
        lambda: conform_row({"seen": str(path)}, [PICTURE], paths=False),
    ):
        with pytest.raises(Refused, match="never as a path"):
            refused()
    with paths_refused():
        with pytest.raises(Refused, match="never as a path"):
            conform([{"seen": str(path)}], [PICTURE])
        with pytest.raises(Refused, match="never as a path"):
            conform_row({"seen": str(path)}, [PICTURE])
        rows = read.table([{"seen": str(path)}, {"seen": str(path)}])
        assert infer.infer_schema(rows).columns[0].kind == "category", "not even whether the file exists is told"


def test_conform_leaves_broken_ones_out_and_refuses_where_most_are():
    rows = [{"seen": png()}, {"seen": png()[:40]}, {"seen": None}, {"seen": png("blue")}]
    found = conform(rows, [PICTURE])
    assert [one is None for one in found.table.column("seen").to_pylist()] == [False, True, True, False]
    assert any("1 picture of 'seen'" in note for note in found.notes)
    with pytest.raises(InputError, match="the picture of 'seen' cannot be read"):
        conform({"seen": b"no picture"}, [PICTURE])
    with pytest.raises(InputError, match="the picture of 'seen' cannot be read"):
        conform_row({"seen": png()[:40]}, [PICTURE])
    assert conform_row({"seen": None}, [PICTURE]) == {"seen": ""}
    assert conform(found.table, [PICTURE]).table.equals(found.table)


def test_labels_that_look_alike_are_said_of_any_table():
    from luban.data.task import infer_task

    table = pa.table({"x": np.arange(40.0) % 7, "y": ["Yes", "yes ", "no", "maybe"] * 10})
    schema = infer.infer_schema(table)
    assert not any("differ by case" in note for note in infer_task(table, schema, "x").notes)
    table = table.set_column(1, "y", pa.array(["Yes", "yes", "no", "maybe"] * 10))
    assert any("'Yes' and 'yes'" in note for note in infer_task(table, schema, "y").notes)


def test_labels_that_are_one_but_for_spaces_around_them_are_said():
    """They are one class; that two are left where one row alone had a third is said too."""
    from luban.data.task import infer_task

    table = pa.table({"x": np.arange(41.0) % 7, "y": [*["yes", " yes ", "no", "no"] * 10, "perhaps"]})
    found = infer_task(table, infer.infer_schema(table), "y")
    assert found.task.classes == ("no", "yes")
    assert any("taken as one: 'yes' and ' yes '" in note for note in found.notes)
    assert any("left out: 'perhaps'" in note for note in found.notes)
    assert "With two classes the task is binary." in found.notes


@pytest.mark.long
def test_many_pictures_are_never_in_memory_at_once(workspace, tmp_path):
    """3,000 pictures of 300 kB each, a gigabyte in all, are imported with far less; references are all that is held."""
    import resource

    random = np.random.default_rng(0)
    (tmp_path / "many" / "a").mkdir(parents=True)
    for place in range(3000):
        size = (316, 316, 3)
        Image.fromarray(random.integers(0, 256, size, dtype=np.uint8)).save(tmp_path / "many" / "a" / f"{place}.bmp")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = versions.import_with_notes(workspace, tmp_path / "many" / "a")
    table = versions.table(workspace, found.dataset)
    assert table.num_rows == 3000
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 150_000, "kilobytes"


@pytest.mark.long
def test_real_tables_with_files_beside_them(shared_data, workspace, tmp_path):
    import shutil
    import zipfile

    for name, table, archive, kinds in (
        ("houses_multimodal", "data.parquet", "images.zip", ["image"] * 4),
        ("fsdd", "metadata.parquet", "audio.zip", ["audio"]),
    ):
        folder = tmp_path / name
        with zipfile.ZipFile(shared_data(name) / archive) as file:
            file.extractall(folder / "files")
        shutil.copy(shared_data(name) / table, folder / table)
        dataset = versions.import_data(workspace, folder / table, name=name)
        found = [one.kind for one in dataset.schema.columns if one.kind in {"image", "audio"}]
        assert found == kinds
        assert versions.table(workspace, dataset).column(dataset.schema.names[-1]).null_count == 0
