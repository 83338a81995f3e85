"""The tutorials, run as they are written: every block of a page in one shell, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "tutorials").glob("*.md"))
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script(page: str) -> str:
    """Return all shell and Python blocks of a page as one script that ends at the first that fails."""
    parts = ["set -euo pipefail", "trap 'for job in $(jobs -p); do kill $job || true; done 2> /dev/null' EXIT"]
    for language, block in _BLOCK.findall(page):
        parts.append(block if language == "sh" else f"python - <<'END_OF_PYTHON'\n{block}END_OF_PYTHON")
    return "\n".join(parts)


def test_there_is_a_page_for_each_kind_of_data() -> None:
    assert {page.name for page in PAGES} >= {"text.md", "text.zh.md", "images.md", "sound.md", "mixtures.md"}
    for page in PAGES:
        assert "luban fit" in script(page.read_text("utf-8")), page.name


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=pytest.mark.long if page.name == "images.md" else pytest.mark.exhaustive)
        for page in PAGES
    ],
)
def test_runs_as_written(page: Path, tmp_path: Path) -> None:
    binaries = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LUBAN_")},
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        ["bash", "-c", script(page.read_text("utf-8"))],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert '"prediction"' in done.stdout, done.stdout[-3000:]
    pages = [file.name for file in tmp_path.glob("*.html")]
    assert pages, "no page was written"
