"""What the command line shows: progress on standard error, results on standard output."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from luban.core.progress import Progress, listening

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def progress(*, shown: bool) -> Iterator[None]:
    """Show the progress of the enclosed work on standard error, where `shown`.

    A terminal gets one line that is kept up to date; a file or pipe gets a line a message.
    """
    if not shown:
        yield
        return
    if not sys.stderr.isatty():
        with listening(_plain_listener()):
            yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("[bold]{task.fields[stage]}"), BarColumn(24), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True) as bar:
        line = bar.add_task("", total=1.0, stage="")

        def listen(news: Progress) -> None:
            left = f"  ({news.remaining:.0f} s left)" if news.remaining is not None else ""
            bar.update(line, completed=news.done or 0.0, stage=news.stage, description=f"{news.message}{left}")

        with listening(listen):
            yield


def _plain_listener() -> Any:
    began = time.monotonic()

    def listen(news: Progress) -> None:
        left = f"  ({news.remaining:.0f} s left)" if news.remaining is not None else ""
        sys.stderr.write(f"[{time.monotonic() - began:6.1f} s] {news.stage}: {news.message}{left}\n")
        sys.stderr.flush()

    return listen


def show(result: Any) -> None:
    """Show a result on standard output."""
    if result is None:
        return
    from rich.console import Console

    from luban.surfaces.render import result as results

    results.render(result, Console())
