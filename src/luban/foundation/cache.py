"""Vectors kept on disk by the digest of their origin: many small entries, many writers, any of which may die.

A shelf is a folder of two files that only grow: ``vectors`` holds rows of float32, ``keys`` holds for each row the
SHA-256 of its origin and a checksum. A row is written before its key, both under a lock; so a reader, who takes no
lock, never sees a key without its row. What a killed writer left half done is cut off by the next one.
"""

from __future__ import annotations

import os
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DIGEST = 32
_ENTRY = _DIGEST + 4


class Shelf:
    """The vectors that one backbone with one preparation made.

    Parameters
    ----------
    folder : str or Path
        Of the shelf alone; made where it is not there.
    width : int
        Length of a vector.
    """

    def __init__(self, folder: str | Path, width: int) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._width = width
        self._row = 4 * width
        self._places: dict[bytes, tuple[int, int]] = {}
        self._read = 0

    def get(self, keys: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Return (vectors, found): float32 of shape (n, width), zeros where not found, and bool of shape (n,).

        Parameters
        ----------
        keys : sequence of bytes
            Each 32 bytes long.
        """
        self._refresh()
        found = np.zeros(len(keys), dtype=bool)
        vectors = np.zeros((len(keys), self._width), dtype=np.float32)
        wanted = [(i, self._places[key]) for i, key in enumerate(keys) if key in self._places]
        if not wanted:
            return vectors, found
        rows = np.memmap(self._folder / "vectors", dtype=np.uint8, mode="r")
        for i, (place, checksum) in wanted:
            content = rows[place * self._row : (place + 1) * self._row]
            if len(content) == self._row and zlib.crc32(content.tobytes()) == checksum:
                vectors[i] = content.view(np.float32)
                found[i] = True
        return vectors, found

    def has(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return for each key whether a vector was put under it, bool of shape (n,); `get` tells if it is whole."""
        self._refresh()
        return np.array([key in self._places for key in keys], dtype=bool)

    def put(self, keys: Sequence[bytes], vectors: np.ndarray) -> None:
        """Add vectors, shape (n, width), under keys that are not there yet (one that is there is written again)."""
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        entries = b"".join(
            key + zlib.crc32(row.tobytes()).to_bytes(4, "little") for key, row in zip(keys, rows, strict=True)
        )
        with self._locked():
            count = self._count()
            _append(self._folder / "vectors", count * self._row, rows.tobytes())
            _append(self._folder / "keys", count * _ENTRY, entries)

    def __len__(self) -> int:
        self._refresh()
        return len(self._places)

    def _count(self) -> int:
        return min(_size(self._folder / "keys") // _ENTRY, _size(self._folder / "vectors") // self._row)

    def _refresh(self) -> None:
        count = self._count()
        if count < self._read:
            self._places.clear()
            self._read = 0
        if count == self._read:
            return
        with (self._folder / "keys").open("rb") as file:
            file.seek(self._read * _ENTRY)
            content = file.read((count - self._read) * _ENTRY)
        for at in range(0, len(content) // _ENTRY * _ENTRY, _ENTRY):
            checksum = int.from_bytes(content[at + _DIGEST : at + _ENTRY], "little")
            self._places[content[at : at + _DIGEST]] = (self._read + at // _ENTRY, checksum)
        self._read += len(content) // _ENTRY

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "lock").open("ab") as file:
            _lock(file.fileno())
            # The lock goes with the file's closing, so also with the death of the process.
            yield


def _append(path: Path, at: int, content: bytes) -> None:
    """Write `content` at `at`, after cutting off what an unfinished writer left there."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        os.ftruncate(handle, at)
        os.lseek(handle, at, os.SEEK_SET)
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _lock(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has another call for the same.
        import msvcrt

        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(handle, fcntl.LOCK_EX)
