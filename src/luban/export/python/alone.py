"""Predict with model.onnx; needs onnxruntime, numpy and what requirements.txt names for texts, pictures and sounds.

    python predict.py rows.csv            a table with a head; cells parted by commas, semicolons or tabs
    python predict.py rows.json           one row or a list of rows: [{"column": value, ...}, ...]
    python predict.py rows.csv --fill     columns that are not there are taken as missing

    from predict import Model
    Model().predict([{"age": 39, "workclass": "Private"}])

It reads rows by the same rules as Luban does, and answers the same. Python 3.11 or later. It is one file, so that it
can be carried to where a model answers and imported there.
"""

from __future__ import annotations

import base64
import binascii
import csv
import importlib.util
import json
import math
import re
import sys
from datetime import UTC, date, datetime
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

NO_DATE = int(np.iinfo(np.int64).min)
TYPES: dict[str, Any] = {"float32": np.float32, "int64": np.int64, "string": object}
MISSING_WORDS = {"", "na", "n/a", "nan", "null", "none", "nil", "missing", "unknown", "?", "-", "--", ".", "#n/a",
                 "<na>", "无", "缺失"}  # fmt: skip
TRUE_WORDS = {"true", "t", "yes", "y", "1", "on", "是", "真"}
FALSE_WORDS = {"false", "f", "no", "n", "0", "off", "否", "假"}
EMPTY_CELLS = {"", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "<NA>", "#NA"}
POINT = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")  # 1,234,567.89
COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d{1,3}([  ']\d{3})+|\d*),\d+|[+-]?\d{1,3}(\.\d{3})+|[+-]?\d+")
WIDE = re.compile("([\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef])")
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*", b"RIFF", b"RF64",
         b"FORM", b"fLaC", b"OggS", b"ID3", b".snd", b"caff", b"P1\n", b"P2\n", b"P3\n", b"P4\n", b"P5\n",
         b"P6\n")  # fmt: skip
TOGETHER, PREPARED_TOGETHER = 16384, 32  # rows that are computed at once


class RowError(ValueError):
    """A row that the model cannot take; says which column, and why."""


class ColumnMissing(RowError):
    """A column that the model was promised is in no row; `happened` says which, without what to do about it."""

    def __init__(self, happened: str) -> None:
        super().__init__(f"{happened}; add it, or predict with missing='fill'")
        self.happened = happened


class ModelError(RuntimeError):
    """The model answered what is no number."""


# --- from what a row holds to what the model was promised -----------------------------------------


def wrong(column: dict[str, Any], value: Any, wanted: str) -> RowError:
    """Return the error for a value."""
    return RowError(f"the column {column['column']!r} holds a value that is {wanted}; seen: {value!r:.120}")


def parse_number(text: str, decimal: str) -> float | None:
    """Return the number that a text writes, NaN where it says "missing", None where it is none."""
    plain = text.strip()
    if decimal != ",":
        try:
            number = float(plain)
        except ValueError:
            pass
        else:
            return None if "_" in plain else number
    if plain.lower() in MISSING_WORDS:
        return math.nan
    if decimal != "," and POINT.fullmatch(plain):
        return float(plain.replace(",", ""))
    if decimal != "." and COMMA.fullmatch(plain):
        return float(re.sub(r"[.  ']", "", plain).replace(",", "."))
    return None


def read_number(column: dict[str, Any], value: Any) -> float:
    """Return a number, NaN where it is missing."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        mark = column["storage"].partition(" ")[2]
        found = parse_number(value, mark if mark in {",", "."} else "")
    else:
        try:
            found = float(value)
        except (TypeError, ValueError):
            found = None
        except OverflowError:
            found = math.inf
    if found is None:
        raise wrong(column, value, "no number")
    if math.isinf(found):
        raise wrong(column, value, "infinite")
    return found


def as_text(value: Any) -> str:
    """Return a plain value as text: booleans in small letters, whole numbers bare, "" for NaN."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, Real):
        number = float(value)
        if math.isnan(number):
            return ""
        if isinstance(value, int):
            return str(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def read_text(column: dict[str, Any], value: Any) -> str:
    """Return a category or a text, "" where it is missing."""
    if value is None:
        return ""
    if isinstance(value, dict | list | tuple | set):
        raise wrong(column, value, "nested")
    found = as_text(value)
    if not found.isascii() and any("\ud800" <= one <= "\udfff" for one in found):
        raise wrong(column, value, "half a character")
    return found


def read_words(column: dict[str, Any], value: Any) -> str:
    """Return a text whose words bear labels, with one blank between them."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return " ".join("_".join(one.split()) or "_" for one in value)
    text = read_text(column, value)
    return " ".join((WIDE.sub(r" \1 ", text) if column["storage"] == "string characters" else text).split())


def read_boolean(column: dict[str, Any], value: Any) -> str:
    """Return "true", "false", or "" where it is missing."""
    word = read_text(column, value).strip().lower()
    if word in MISSING_WORDS:
        return ""
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise wrong(column, value, "neither true nor false")
    return "true" if word in TRUE_WORDS else "false"


def microseconds(value: date) -> int:
    """Return microseconds since 1970, in UTC where the value has a zone."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    elif value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    gap = value - datetime(1970, 1, 1)
    return (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds


def parse_date(text: str, form: str) -> int | None:
    """Return microseconds since 1970, `NO_DATE` where the text says "missing", None where it is no date."""
    plain = text.strip()
    if plain.lower() in MISSING_WORDS:
        return NO_DATE
    if form:
        try:
            return microseconds(datetime.strptime(plain, form))
        except ValueError:
            pass
    if plain.isdigit():
        return None
    try:
        return microseconds(datetime.fromisoformat(plain))
    except ValueError:
        return None


def read_date(column: dict[str, Any], value: Any) -> int:
    """Return microseconds since 1970, `NO_DATE` where it is missing."""
    if isinstance(value, str):
        found = parse_date(value, column["storage"].partition(" ")[2])
        if found is None:
            raise wrong(column, value, "no date that can be read")
        return found
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return NO_DATE
    if isinstance(value, date):
        return microseconds(value)
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[us]").astype("int64"))
    raise wrong(column, value, "no date")


def read_file(column: dict[str, Any], value: Any, paths: bool) -> str:
    """Return a picture or sound as a path or as a data URI, "" where it is missing."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return ""
    if isinstance(value, bytes):
        return f"data:;base64,{base64.b64encode(value).decode()}" if value else ""
    if not isinstance(value, str | Path):
        raise wrong(column, value, f"no {column['kind']}: give a path, bytes, a data URI or base64")
    plain = str(value).strip()
    if not plain:
        return ""
    if plain[:5].lower() == "data:":
        head, _, body = plain.partition(",")
        if not head.lower().endswith(";base64") or decoded(body) is None:
            raise wrong(column, plain[:60], "a data URI without content in base64")
        return plain
    content = decoded("".join(plain.split())) if len(plain) >= 64 else None
    if content is not None and (content.startswith(MAGIC) or is_mpeg(content)):
        return f"data:;base64,{''.join(plain.split())}"
    if not paths:
        raise wrong(column, plain[:60], "taken as content here, never as a path: send it in base64")
    path = Path(plain).expanduser()
    if not path.is_file():
        raise wrong(column, plain[-120:], "the path of no file")
    return str(path.absolute())


def decoded(text: str) -> bytes | None:
    """Return what a text holds in base64, or None."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def is_mpeg(content: bytes) -> bool:
    """Return whether content begins with a frame of MPEG audio."""
    return content[:1] == b"\xff" and content[1] & 0xE6 in {0xE2, 0xE4, 0xE6}


READERS: dict[str, Any] = {
    "number": read_number, "category": read_text, "text": read_text, "boolean": read_boolean, "date": read_date,
}  # fmt: skip


# --- the model ------------------------------------------------------------------------------------


class Model:
    """The model in a folder; safe to call from several threads at once.

    folder: where model.onnx and signature.json are. threads: that work on one call. paths: whether pictures and
    sounds may be given as paths of this machine; turn it off where rows come from strangers.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent, *, threads: int = 1, paths: bool = True) -> None:
        self.folder = Path(folder)
        self.paths = paths
        self.signature: dict[str, Any] = json.loads((self.folder / "signature.json").read_text(encoding="utf-8"))
        self.task: dict[str, Any] = self.signature["task"]
        self.columns: list[dict[str, Any]] = self.signature["inputs"]
        self.threads = threads
        outputs = [one["tensor"] for one in self.signature["outputs"]]
        wide = [name for name in ("probabilities", "quantiles") if name in outputs]
        self.output = wide or ["prediction"]
        self._programs = [(one, self._program(one)) for one in self.signature["preparations"]]

    @cached_property
    def session(self) -> Any:
        """The graph, ready to run; opened when it is first asked."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(self.folder / "model.onnx")
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def predict(self, rows: list[dict[str, Any]], *, missing: str = "error") -> list[dict[str, Any]]:
        """Return for each row {"prediction": ...} with "probabilities" by class, or what the task has in their place.

        missing: "error" raises where a column is not there at all; "fill" takes it as missing in every row. Columns
        that the model does not know are left out; `unknown` names them. Raises RowError naming the column.
        """
        return [self.told(one) for one in self.values(rows, missing=missing)] if rows else []

    def values(self, rows: list[dict[str, Any]], *, missing: str = "error") -> np.ndarray:
        """Return float64 probabilities (n, classes), quantiles (n, levels) or numbers (n,)."""
        read = self.read(rows, missing=missing)
        step = PREPARED_TOGETHER if self._programs else TOGETHER
        parts = [self._run(read[start : start + step]) for start in range(0, len(read), step)]
        if len({one.shape[1:] for one in parts}) > 1:  # a label a word: some rows are longer
            longest = max(one.shape[1] for one in parts)
            parts = [
                np.pad(one, ((0, 0), (0, longest - one.shape[1]), (0, 0)), constant_values=np.nan) for one in parts
            ]
        found = np.concatenate(parts)
        if self.task["kind"] != "tokens" and not np.isfinite(found).all():
            raise ModelError("the model answered what is no number")
        return found

    def read(self, rows: list[dict[str, Any]], *, missing: str = "error") -> list[dict[str, Any]]:
        """Return the rows as the model was promised them: its columns, in its order and types."""
        if missing not in ("error", "fill"):
            raise ValueError(f"missing must be error or fill; seen: {missing!r}")
        if not isinstance(rows, list | tuple) or not all(isinstance(row, dict) for row in rows):
            raise RowError('the rows must be a list of objects: [{"column": value, ...}, ...]')
        there = {name for row in rows for name in row}
        absent = [one["column"] for one in self.columns if one["column"] not in there]
        if absent and missing == "error":
            others = f" ({len(absent)} are missing: {', '.join(absent[:8])})" if len(absent) > 1 else ""
            raise ColumnMissing(f"the column {absent[0]!r} is missing{others}")
        return [{one["column"]: self._value(one, row.get(one["column"])) for one in self.columns} for row in rows]

    def feeds(self, read: list[dict[str, Any]]) -> dict[str, np.ndarray]:
        """Return the tensors that the graph takes for rows as `read` returns them."""
        found: dict[str, np.ndarray] = {}
        with np.errstate(over="ignore"):
            for one in self.columns:
                if one["tensor"] is not None:
                    values = [[row[one["column"]]] for row in read]
                    found[one["tensor"]] = np.array(values, dtype=TYPES[one["type"]])
        for one, program in self._programs:
            made = self._prepared(one, program, read)
            found.update({tensor["input"]: made[name] for name, tensor in one["tensors"].items()})
        return found

    def unknown(self, rows: list[dict[str, Any]]) -> list[str]:
        """Return the columns of rows that the model does not know."""
        known = {one["column"] for one in self.columns}
        return sorted({str(name) for row in rows for name in row} - known)

    def _value(self, column: dict[str, Any], value: Any) -> Any:
        if type(value).__name__ in {"NAType", "NaTType"}:  # pandas' own missing values
            value = None
        if column.get("file"):
            return read_file(column, value, self.paths)
        if column["storage"] in ("string words", "string characters"):
            return read_words(column, value)
        if column["kind"] not in READERS:
            raise wrong(column, value, f"of kind {column['kind']}, which no plain row can hold")
        return READERS[column["kind"]](column, value)

    def _program(self, one: dict[str, Any]) -> Any:
        path = self.folder / one["folder"] / "prepare.py"
        spec = importlib.util.spec_from_file_location(f"prepare_{path.parent.name}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no program")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def _prepared(self, one: dict[str, Any], program: Any, read: list[dict[str, Any]]) -> dict[str, np.ndarray]:
        folder = self.folder / one["folder"]
        try:
            return dict(program.prepare(read, folder))
        except Exception as error:  # whatever a decoder raises
            for place, row in enumerate(read):  # which row is it
                try:
                    program.prepare([row], folder)
                except Exception as reason:  # noqa: BLE001
                    names = ", ".join(one["columns"])
                    raise RowError(f"{names} of row {place + 1} cannot be read; seen: {reason!s:.160}") from error
            raise

    def _run(self, read: list[dict[str, Any]]) -> np.ndarray:
        return np.asarray(self.session.run(self.output, self.feeds(read))[0], dtype=np.float64)

    def told(self, values: np.ndarray) -> dict[str, Any]:
        """Return what is said of one row."""
        kind, classes, threshold = self.task["kind"], self.task["classes"], self.signature["threshold"]
        if kind == "tokens":
            read = np.isfinite(values).all(axis=1)
            last = int(np.flatnonzero(read)[-1]) + 1 if read.any() else 0
            codes = np.nan_to_num(values[:last]).argmax(axis=1) if last else []
            labels = [classes[code] if there else None for code, there in zip(codes, read, strict=False)]
            likeliest = np.nan_to_num(values[:last]).max(axis=1, initial=0.0).tolist() if last else []
            return {"prediction": labels, "probability": likeliest}
        listed = values.tolist()
        if kind == "multilabel":
            least = 0.5 if threshold is None else threshold
            given = [label for label, value in zip(classes, listed, strict=True) if value >= least]
            return {"prediction": given, "probabilities": dict(zip(classes, listed, strict=True))}
        if kind == "matching":
            best = np.argsort(-values, kind="stable")[:3].tolist()
            answered = threshold is None or listed[best[0]] >= threshold
            ranked = [{"answer": label_text(classes[code]), "score": listed[code]} for code in best]
            prediction = classes[best[0]] if answered else None
            return {"prediction": prediction, "score": listed[best[0]], "alternatives": ranked}
        if classes:
            decided = threshold is not None and kind == "binary"
            code = int(listed[1] >= threshold) if decided else listed.index(max(listed))
            return {"prediction": classes[code], "probabilities": dict(zip(classes, listed, strict=True))}
        if levels := self.task["quantiles"]:
            middle = min(range(len(levels)), key=lambda place: abs(levels[place] - 0.5))
            return {"prediction": listed[middle], "quantiles": dict(zip(levels, listed, strict=True))}
        return {"prediction": listed}


def label_text(label: Any) -> str:
    """Return a label as text."""
    return str(label).lower() if isinstance(label, bool) else str(label)


# --- files ----------------------------------------------------------------------------------------


def rows_of(path: Path, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON, or of a table whose cells are parted by commas, semicolons or tabs."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() == ".json":
        found = json.loads(text)
        return [found] if isinstance(found, dict) else found
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    delimiter = max(",;\t|", key=text.partition("\n")[0].count)
    lines = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    table = [line for line in lines if line]
    head = [name.strip() for name in table[0]] if table else []
    if not head or len(set(head)) < len(head):
        raise RowError("the table has no head, or a column twice")
    numeric = {one["column"] for one in columns if one["storage"].startswith(("int", "uint", "float", "double"))}
    rows = []
    for place, line in enumerate(table[1:]):
        if len(line) != len(head):
            raise RowError(f"row {place + 1} has {len(line)} cells instead of {len(head)}")
        cells = [None if cell in EMPTY_CELLS else cell for cell in line]
        rows.append(
            {name.strip(): typed(name.strip() in numeric, cell) for name, cell in zip(table[0], cells, strict=True)}
        )
    return rows


def typed(numeric: bool, cell: str | None) -> Any:
    """Return a cell as a number where the column held numbers when the model learnt: 3.0 and 3 are one level."""
    number = parse_number(cell, "") if numeric and cell is not None else None
    return cell if number is None else number


def answer_file(path: str, model: Model, predict: Any, *, fill: bool) -> int:
    """Print the predictions of a file as JSON, or what is wrong on standard error; return the exit status.

    predict: answers rows as `Model.predict` does. fill: whether columns that are in no row are taken as missing.
    """
    try:
        rows = rows_of(Path(path), model.columns)
        predictions = predict(rows, missing="fill" if fill else "error")
        if unknown := model.unknown(rows):
            sys.stderr.write(f"Not known and left out: {', '.join(unknown)}.\n")
    except ColumnMissing as error:
        sys.stderr.write(f"{error.happened}; add it, or take it as missing: --fill\n")
        return 2
    except UnicodeDecodeError as error:
        sys.stderr.write(
            f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} at {error.start}; save it as UTF-8, as by "
            f"iconv -f GB18030 -t UTF-8 {path}\n"
        )
        return 2
    except (RowError, ModelError, OSError, csv.Error, json.JSONDecodeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(json.dumps(predictions, indent=2, ensure_ascii=False) + "\n")
    return 0


def main(arguments: list[str]) -> int:
    """Answer the file that is named; return the exit status."""
    files = [one for one in arguments if one != "--fill"]
    if len(files) != 1 or files[0] in ("-h", "--help"):
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        model = Model()
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return answer_file(files[0], model, model.predict, fill="--fill" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
