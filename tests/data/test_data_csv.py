"""The dialect, encoding and types of text tables are found, and can be overridden."""

from __future__ import annotations

import csv
import io
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luban.core.errors import InputError
from luban.data import read

PEOPLE = [("name", "city"), ("苹果", "北京市"), ("香蕉", "上海市"), ("梨子", "广州市")]


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found(tmp_path, delimiter):
    path = write(tmp_path / "t.csv", f"a{delimiter}b\n1{delimiter}x\n2{delimiter}y\n")
    table = read.table(path)
    assert table.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert read.reading(table.schema)["delimiter"] == delimiter


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le"])
def test_chinese_in_every_encoding(tmp_path, encoding):
    path = write(tmp_path / "t.csv", "\n".join(map(",".join, PEOPLE)) + "\n", encoding)
    assert [tuple(row.values()) for row in read.table(path).to_pylist()] == PEOPLE[1:]


def test_western_text_is_not_taken_for_chinese(tmp_path):
    path = write(tmp_path / "t.csv", "stadt;wert\nKöln;1\nMünchen;2\nÉvry;3\nGroß-Gerau;4\n", "latin-1")
    assert read.table(path)["stadt"].to_pylist() == ["Köln", "München", "Évry", "Groß-Gerau"]


def test_a_stray_byte_late_in_the_file_decides_the_encoding(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,plain\n" * 200_000 + "2,Köln\n".encode("latin-1"))
    assert read.table(path)["b"][-1].as_py() == "Köln"


def test_wrong_encoding_that_was_asked_for_is_an_error_with_the_line(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n1,x\n2,Köln\n", "latin-1")
    with pytest.raises(InputError, match="line 3") as caught:
        read.table(path, encoding="utf-8")
    assert "cp1252" in str(caught.value)


def test_decimal_commas_and_thousands(tmp_path):
    table = read.table(write(tmp_path / "t.csv", "a;b\n1,5;1.234,75\n-2;12\n;1.000.000,5\n"))
    assert table.to_pylist() == [{"a": 1.5, "b": 1234.75}, {"a": -2.0, "b": 12.0}, {"a": None, "b": 1000000.5}]
    assert read.reading(table.schema)["decimal"] == ","
    table = read.table(write(tmp_path / "u.csv", 'a,b\n"1,234",x\n"12,345,678",y\n'))
    assert table["a"].to_pylist() == [1234, 12345678]
    table = read.table(write(tmp_path / "v.csv", 'a,b\n"1,5",x\n"2,25",y\n'))
    assert table["a"].to_pylist() == [1.5, 2.25]


def test_header_is_told_from_rows(tmp_path):
    with_header = read.table(write(tmp_path / "t.csv", "a,b\n1,2\n3,4\n"))
    without = read.table(write(tmp_path / "u.csv", "1,x\n3,y\n5,z\n"))
    assert with_header.column_names == ["a", "b"]
    assert without.column_names == ["column_1", "column_2"]
    assert without.num_rows == 3
    assert read.reading(without.schema)["header"] is False
    assert read.table(tmp_path / "u.csv", header=True).num_rows == 2
    assert read.table(tmp_path / "u.csv", names=["p", "q"]).column_names == ["p", "q"]


@pytest.mark.parametrize("late", ["N/A", "unknown", "12 rooms", "1.5", "99999999999999999999"])
def test_a_late_word_in_a_column_of_integers_widens_it(tmp_path, late):
    """Row 200,000 is far beyond any sample and any first block."""
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{n},filler-{n % 7}-{'x' * 20}\n" for n in range(200_000)) + f"{late},end\n")
    table = read.table(path)
    assert table.num_rows == 200_001
    last, first = table["a"][-1].as_py(), table["a"][0].as_py()
    if late == "N/A":
        assert (first, last) == (0, None)
    elif late in {"unknown", "12 rooms"}:
        assert (first, last) == ("0", late)
    else:
        assert (first, last) == (0.0, float(late))


def test_codes_with_leading_zeros_stay_text(tmp_path):
    table = read.table(write(tmp_path / "t.csv", "zip,n\n01067,1\n20095,2\n"))
    assert table["zip"].to_pylist() == ["01067", "20095"]


def test_ragged_rows_can_be_skipped(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n1,2\n3,4,5\n6,7\n")
    assert read.table(path, bad_rows="skip").num_rows == 2


def test_options_override_and_unknown_ones_are_refused(tmp_path):
    path = write(tmp_path / "t.csv", "# made by a machine\na;b\n1,5;x\n")
    assert read.table(path, skip=1, delimiter=";", decimal=",").to_pylist() == [{"a": 1.5, "b": "x"}]
    assert read.table(path, skip=1, types=False).to_pylist() == [{"a": "1,5", "b": "x"}]
    with pytest.raises(InputError, match="separator"):
        read.table(path, separator=";")


def test_a_row_longer_than_a_block_is_read(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n1," + "x" * 3_000_000 + "\n2,y\n")
    assert [len(text) for text in read.table(path)["b"].to_pylist()] == [3_000_000, 1]
    late = write(tmp_path / "u.csv", "a,b\n" + "1,y\n" * 100_000 + "1," + "x" * 3_000_000 + "\n")
    with pytest.raises(InputError, match="block"):
        read.table(late)
    assert read.table(late, block=8_000_000).num_rows == 100_001


def test_header_without_rows_gives_an_empty_table(tmp_path):
    table = read.table(write(tmp_path / "t.csv", "a,b\n"))
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])


CELLS = st.one_of(
    st.none(),
    # The first letter keeps text from being a number, a boolean or a word for "missing".
    st.text(alphabet=string.ascii_letters + ' ,;"\n\t|.-_é中', max_size=12).map("x".__add__),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, st.one_of(st.none(), st.integers(-(2**62), 2**62))), min_size=1, max_size=30),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_is_written_is_read_back(tmp_path, rows, delimiter):
    """Law: quoted text, line breaks, delimiters in cells and missing values survive."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["first name", "second name", "count"])
    for row in rows:
        writer.writerow(["" if cell is None else cell for cell in row])
    path = tmp_path / "t.csv"
    path.write_bytes(buffer.getvalue().encode())
    table = read.table(path, delimiter=delimiter, quote='"', header=True)

    assert [tuple(row.values()) for row in table.to_pylist()] == rows
