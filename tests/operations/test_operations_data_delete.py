"""What deleting a version of a data set looks at beside what the store does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from luban.core.errors import Conflict
from luban.operations.data.delete import data_delete
from luban.operations.predictions.learnt import _made_of
from luban.testing.store import SCHEMA, SIGNATURE, TASK

if TYPE_CHECKING:
    from luban.store import Workspace


def test_what_the_next_update_of_a_model_begins_with_stays(workspace: Workspace) -> None:
    """A model that learnt from a window of all rows names these as its base, and nothing else holds them."""
    for number in (1, 2):
        content = workspace.blobs.put(b"rows %d" % number)
        workspace.datasets.add(name="weather", schema=SCHEMA, manifest={"chunks": [{"digest": content}]}, rows=number)
    common: dict[str, Any] = {"artifact": workspace.blobs.put(b"m"), "signature": SIGNATURE, "task": TASK}
    workspace.models.register(name="weather", dataset="weather/1", tags={"update": {"base": "weather/2"}}, **common)
    workspace.models.register(name="weather", **common)
    with pytest.raises(Conflict, match=r"weather/2 is not deleted.*weather/1.*models delete weather/1"):
        data_delete(workspace, "weather/2")
    assert _made_of("weather/2", workspace.models.versions("weather")) == ("weather/1",), "an erasure names it first"
    workspace.models.delete("weather/1")
    done = data_delete(workspace, "weather/2", reason="a person asked")
    assert (done.dataset, done.rows, done.removed) == ("weather/2", 2, 2)
