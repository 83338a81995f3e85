"""The shelf of vectors: what is put is found, whatever happened to its writers."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from luban.foundation.cache import Shelf

if TYPE_CHECKING:
    from pathlib import Path

_WRITER = """
import hashlib, sys
import numpy as np
from luban.foundation.cache import Shelf
shelf, start = Shelf(sys.argv[1], 8), int(sys.argv[2])
for i in range(start, start + int(sys.argv[3])):
    shelf.put([hashlib.sha256(str(i).encode()).digest()], np.full((1, 8), i, dtype=np.float32))
    print(i, flush=True)
"""


def _key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@given(st.lists(st.integers(0, 50), max_size=30))
def test_each_vector_is_found_under_its_key(tmp_path_factory, numbers: list[int]) -> None:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"), 4)
    for number in numbers:
        shelf.put([_key(number)], np.full((1, 4), number, dtype=np.float32))
    vectors, found = shelf.get([_key(number) for number in range(51)])
    assert found.tolist() == [number in numbers for number in range(51)]
    assert all((vectors[number] == (number if found[number] else 0)).all() for number in range(51))


def test_two_processes_write_to_one_shelf(tmp_path: Path) -> None:
    """No entry is lost and none is mixed up where two write at once."""
    workers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), str(start), "100"], stdout=subprocess.DEVNULL)
        for start in (0, 100)
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    vectors, found = Shelf(tmp_path, 8).get([_key(i) for i in range(200)])
    assert found.all()
    assert (vectors == np.arange(200, dtype=np.float32)[:, None]).all()


def test_a_killed_writer_spoils_nothing(tmp_path: Path) -> None:
    """What a process had put before SIGKILL is there, and the shelf can be written on."""
    worker = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path), "0", "1000000"], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    seen = [int(worker.stdout.readline()) for _ in range(50)]
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(30)
    worker.stdout.close()
    shelf = Shelf(tmp_path, 8)
    assert shelf.get([_key(i) for i in seen])[1].all()
    shelf.put([_key(-1)], np.ones((1, 8), dtype=np.float32))
    assert shelf.get([_key(-1)])[1].all()


def test_a_half_written_entry_is_cut_off(tmp_path: Path) -> None:
    """A torn tail of either file is not read, and the next writer writes over it."""
    shelf = Shelf(tmp_path, 4)
    shelf.put([_key(1)], np.ones((1, 4), dtype=np.float32))
    for name in ("vectors", "keys"):
        with (tmp_path / name).open("ab") as file:
            file.write(b"torn")
    again = Shelf(tmp_path, 4)
    again.put([_key(2)], np.full((1, 4), 2, dtype=np.float32))
    vectors, found = Shelf(tmp_path, 4).get([_key(1), _key(2)])
    assert found.all()
    assert vectors[:, 0].tolist() == [1, 2]


def test_a_changed_vector_is_not_given(tmp_path: Path) -> None:
    """A bit that a disk turned is noticed by the checksum."""
    shelf = Shelf(tmp_path, 4)
    shelf.put([_key(1)], np.ones((1, 4), dtype=np.float32))
    content = bytearray((tmp_path / "vectors").read_bytes())
    content[3] ^= 1
    (tmp_path / "vectors").write_bytes(content)
    assert not Shelf(tmp_path, 4).get([_key(1)])[1].any()
