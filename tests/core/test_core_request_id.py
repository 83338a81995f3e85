"""A request's id: it survives a header of HTTP, and every spelling of it means the same."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from luban.core.request_id import LONGEST, as_header, meant

IDS = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=LONGEST).filter(str.isprintable)


@settings(max_examples=60, deadline=None)
@given(IDS)
@example(" a ")
@example("%20%2541")
@example("100%订")
@example("%E8%AE%A2%E5%8D%95")
@example("ÿ" * LONGEST)
def test_an_id_comes_back_from_a_header_and_means_one_thing(identifier: str) -> None:
    """What is logged for an id is what its header means, however often it went through one."""
    logged = meant(identifier)
    sent = as_header(logged)
    assert all(" " <= one <= "~" for one in sent)
    assert sent == sent.strip()
    assert meant(sent) == meant(logged) == logged


@settings(max_examples=60, deadline=None)
@given(IDS.filter(lambda one: not one.isascii()))
def test_an_id_that_is_not_ascii_stays_as_it_is(identifier: str) -> None:
    assert meant(identifier) == identifier
    assert meant(quote(identifier, safe="/:")) == identifier  # other clients leave more as it is


@pytest.mark.parametrize(
    "identifier", ["order-17", "order 17", "100%", "a%20b", "%E8", "%0D%0A", "%E8%AE%A2%0A", "%25E8"]
)
def test_ascii_stays_as_it_is(identifier: str) -> None:
    """Percent signs as well, where they are no id that a header could not hold, or one that is refused."""
    assert meant(identifier) == as_header(identifier) == identifier
