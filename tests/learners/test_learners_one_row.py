"""A row asked through buffers that stay has the answer that the same row has among many."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from luban.core.errors import InputError
from luban.core.schema import Column
from luban.export.onnx.graph import OnnxGraph
from luban.learners.graph.feeding import Feeding
from luban.learners.graph.one_row import OneRow
from luban.learners.graph.session import open_session


def asked(*columns: Column) -> OneRow:
    """What asks a graph that gives all numbers back, dates as microseconds."""
    graph = OnnxGraph(columns)
    floats = [graph.node("Cast", graph.column(one.name), to=1) for one in columns if one.kind != "category"]
    graph.output("output", graph.node("Concat", *floats, axis=1), ["rows", len(floats)])
    session = open_session(graph.to_bytes(name="one", metadata={}, producer_version="test"))
    return OneRow(session, Feeding(session, columns), "output")


NUMBERS = [Column(name=f"f{place}", kind="number") for place in range(40)]


def test_numbers_and_dates_arrive_where_they_belong() -> None:
    """Types have buffers of their own; NaN stays NaN, and what is beyond float32 is infinite."""
    ask = asked(Column(name="when", kind="date"), *NUMBERS[:3])
    found = ask({"when": 2_000_000, "f0": 1.5, "f1": float("nan"), "f2": -1e300})
    np.testing.assert_array_equal(found, np.array([[2e6, 1.5, np.nan, -np.inf]], dtype=np.float32))
    np.testing.assert_array_equal(ask({"when": 0, "f0": 0.0, "f1": 1.0, "f2": 2.0}), [[0, 0, 1, 2]])


def test_text_is_handed_over() -> None:
    """A graph with text among its columns."""
    ask = asked(Column(name="kind", kind="category"), *NUMBERS[:2])
    np.testing.assert_array_equal(ask({"kind": "a", "f0": 1.0, "f1": 2.0}), [[1, 2]])


def test_answers_of_threads_do_not_mix() -> None:
    """Each call has buffers that no other has at the time."""
    ask = asked(*NUMBERS)

    def right(number: int) -> bool:
        row = {one.name: float(number + place) for place, one in enumerate(NUMBERS)}
        return all((ask(row)[0] == np.arange(number, number + len(NUMBERS))).all() for _ in range(50))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(right, range(0, 8000, 250)))


def test_a_row_that_cannot_be_written_harms_no_later_one() -> None:
    """A value that is no number is an error of its call."""
    ask = asked(*NUMBERS[:2])
    with pytest.raises((ValueError, InputError)):
        ask({"f0": 1.0, "f1": "one"})
    np.testing.assert_array_equal(ask({"f0": 3.0, "f1": 4.0}), [[3, 4]])
