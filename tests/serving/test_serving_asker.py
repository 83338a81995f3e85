"""Who asks: ids in any script come in and go out."""

from __future__ import annotations

from typing import Any

import pytest

from luban.core.errors import InputError
from luban.core.request_id import meant
from luban.serving.asker import Asker, asker


def _scope(**headers: bytes) -> dict[str, Any]:
    return {"headers": [(name.replace("_", "-").encode(), value) for name, value in headers.items()]}


@pytest.mark.parametrize("sent", ["订单17".encode(), b"%E8%AE%A2%E5%8D%9517", b"%e8%ae%a2%e5%8d%9517"])
def test_a_header_in_utf_8_is_the_id_that_it_says(sent: bytes) -> None:
    """As curl sends it and as a client spells it that sends ASCII alone: once it was read as Latin-1."""
    found = asker(_scope(x_request_id=sent, x_luban_subject="张三".encode()))
    assert (found.request_id, found.subject) == ("订单17", "张三")
    assert found.header == (b"x-request-id", b"%E8%AE%A2%E5%8D%9517")


def test_ids_that_differ_have_headers_that_differ() -> None:
    """Both were ``?-1`` once."""
    headers = set()
    for identifier in ("甲-1", "乙-1"):
        found = Asker()
        found.says(identifier=identifier)
        assert found.request_id == identifier
        assert meant(found.header[1].decode("ascii")) == identifier
        headers.add(found.header[1])
    assert len(headers) == 2


@pytest.mark.parametrize("identifier", ["a\r\nb", "a\x00", "订\n单", "", "单" * 201, 17])
def test_ids_with_control_characters_are_refused(identifier: Any) -> None:
    with pytest.raises(InputError, match="the id of a request must be text of 1 to 200 printable characters"):
        Asker().says(identifier=identifier)


def test_a_header_that_is_not_utf_8_is_read_as_before() -> None:
    assert asker(_scope(x_request_id=b"caf\xe9")).request_id == "café"
