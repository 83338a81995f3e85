"""The stream in its own order: rows are asked first, their labels come a while later, and nobody else does anything."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.loop.servers import post

if TYPE_CHECKING:
    import pandas as pd


@dataclass(kw_only=True)
class Played:
    """What was answered, by which version, for each row of the stream."""

    predictions: list[Any] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    seconds: float = 0.0


def play(
    rows: pd.DataFrame, target: str, *, serve: str, server: str, name: str, batch: int, delay: int, pace: float
) -> Played:
    """Ask for `batch` rows a request, `pace` rows a second; their labels are sent `delay` requests later."""
    played, waiting = Played(), deque()
    began = time.monotonic()
    for number, start in enumerate(range(0, len(rows), batch)):
        part = rows.iloc[start : start + batch]
        request = f"stream-{number}"
        answer = post(
            f"{serve}/models/{name}/predict",
            {"rows": part.drop(columns=target).to_dict("records")},
            request_id=request,
        )
        played.predictions += [one["prediction"] for one in answer["predictions"]]
        played.versions += [answer["model"]] * len(part)
        labels = [
            {"request_id": request, "row": place, "label": label} for place, label in enumerate(part[target].tolist())
        ]
        waiting.append(labels)
        if len(waiting) > delay:
            post(f"{server}/api/feedback", {"name": name, "data": waiting.popleft()})
        ahead = began + (start + len(part)) / pace - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    while waiting:
        post(f"{server}/api/feedback", {"name": name, "data": waiting.popleft()})
    played.seconds = time.monotonic() - began
    return played
