"""What the command line shows: progress on standard error, results on standard output."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from luban.core.progress import Progress, also, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
    with _bar() as listen, listening(listen):
        yield


@contextmanager
def page_kept(page: Path | None) -> Iterator[None]:
    """Write the page anew whenever the enclosed work tells a result on its way."""

    def write(news: Progress) -> None:
        if page is not None and news.result is not None:
            from luban.surfaces.render import page as pages

            pages.write(news.result, page)

    with also(write):
        yield


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    """Keep one line up to date: the stage, how much is done, the time left, and the news cut to the room there is."""
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column
    from rich.text import Text

    class Left(ProgressColumn):
        """The time left, which goes on between two messages."""

        def render(self, task: Task) -> Text:
            until = task.fields["until"]
            return Text("" if until is None else f"{max(0.0, until - time.monotonic()):.0f} s left")

    news_column = TextColumn(
        "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
    )
    columns = (TextColumn("[bold]{task.fields[stage]}"), BarColumn(16), Left(), news_column)
    with Bar(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        line = bar.add_task("", total=None, stage="", until=None)

        def listen(news: Progress) -> None:
            bar.update(line, stage=news.stage, description=news.message)
            if news.done is not None:
                bar.update(line, total=1.0, completed=news.done)
            if news.remaining is not None:
                bar.update(line, until=time.monotonic() + news.remaining)

        yield listen


def _plain_listener() -> Callable[[Progress], None]:
    began = time.monotonic()

    def listen(news: Progress) -> None:
        left = f"  ({news.remaining:.0f} s left)" if news.remaining is not None else ""
        sys.stderr.write(f"[{time.monotonic() - began:6.1f} s] {news.stage}: {news.message}{left}\n")
        sys.stderr.flush()

    return listen


def show(result: Any, page: Path | None = None) -> None:
    """Show a result on standard output; `page` is the HTML page that was written of it, if any."""
    if result is None:
        return
    from rich.console import Console

    from luban.surfaces.render import looks, terminal

    console = Console()
    with terminal.beside(page):
        looks.show(result, console)
