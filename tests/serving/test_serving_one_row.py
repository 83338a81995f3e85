"""The short ways of a request of one row say what the long ways say."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

import small_models as small
from luban.core.errors import InputError
from luban.serving.joined_writes import JoinedWrites
from luban.serving.wires.tensors import DATATYPES, decode, one_row

COLUMNS = {column.name: column for column in small.fitted(small.BINARY).signature.inputs}
VALUES = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(-(2**70), 2**70),
    some.floats(),
    some.sampled_from(["red", "", "2020-01-01", "\ud800", [1], {}]),
)
TENSORS = some.fixed_dictionaries(
    {
        "name": some.sampled_from([*COLUMNS, "other", 3, [1]]),
        "shape": some.sampled_from([[1, 1], [1], [2, 1], [1, 2], "x", None]),
        "datatype": some.sampled_from([*DATATYPES, "FP128", None, [1]]),
        "data": some.one_of(some.lists(VALUES, max_size=2), some.sampled_from([None, "x", {"0": 1}])),
    },
    optional={"parameters": some.just({"binary_data_size": 8})},
)


@given(some.one_of(some.lists(TENSORS, max_size=3), some.sampled_from([None, {}, "x", 3, [1], [[]]])))
def test_a_row_that_is_read_the_short_way_is_what_its_tensors_say(inputs: Any) -> None:
    row = one_row(inputs, COLUMNS)
    if row is None:
        return
    assert list(row) == [one["name"] for one in inputs]
    for one in inputs:
        column = COLUMNS[one["name"]]
        assert "parameters" not in one
        assert row[column.name] is decode(one, column).single(column)


@given(some.sampled_from(list(COLUMNS)), some.sampled_from(DATATYPES), VALUES)
def test_a_good_value_is_read_the_short_way(name: str, datatype: str, value: Any) -> None:
    """All but dates in microseconds, which a row holds in another form."""
    column = COLUMNS[name]
    one = {"name": name, "shape": [1, 1], "datatype": datatype, "data": [value]}
    try:
        decode(one, column)
        good = (column.kind, datatype) != ("date", "INT64")
    except InputError:
        good = False
    assert (one_row([one], COLUMNS) is not None) == good


class Packets(asyncio.Transport):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.sent.append(b"closed")

    def abort(self) -> None:
        self.sent.append(b"aborted")


def test_head_and_body_leave_as_one_and_nothing_waits_for_long() -> None:
    async def parts() -> list[list[bytes]]:
        found = []
        for act in (
            lambda one: (one.write(b"head"), one.write(b"body")),
            lambda one: (one.write(b"head"), one.write(b"")),  # an answer without a body
            lambda one: (one.write(b"head"), one.flush()),  # one to HEAD
            lambda one: (one.write(b"head"), one.write(b"1"), one.write(b"2"), one.write(b"3")),
            lambda one: (one.write(b"head"), one.close()),
            lambda one: (one.write(b"head"), one.abort()),
        ):
            packets = Packets()
            act(JoinedWrites(packets, asyncio.get_running_loop()))
            found.append(list(packets.sent))
            await asyncio.sleep(0)  # the turn ends
            found.append(packets.sent[len(found[-1]) :])
        return found

    assert asyncio.run(parts()) == [
        *([b"headbody"], []),
        *([b"head"], []),
        *([b"head"], []),
        *([b"head1", b"23"], []),
        *([b"head", b"closed"], []),
        *([b"aborted"], []),
    ]


def test_a_head_alone_leaves_when_the_turn_ends() -> None:
    async def part() -> list[list[bytes]]:
        packets = Packets()
        JoinedWrites(packets, asyncio.get_running_loop()).write(b"HTTP/1.1 100 Continue\r\n\r\n")
        before = list(packets.sent)
        await asyncio.sleep(0)
        return [before, packets.sent]

    assert asyncio.run(part()) == [[], [b"HTTP/1.1 100 Continue\r\n\r\n"]]
