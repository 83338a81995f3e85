"""Ask a TensorFlow Serving server that holds the model; needs numpy, and what requirements.txt names.

    python ask.py http://127.0.0.1:8501 rows.json

Rows are read as predict.py reads them; the graph runs on the server.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from predict import Model, RowError, rows_of

AT_ONCE = 1000  # rows of a request


class Asked:
    """A model that answers on a server."""

    def __init__(self, url: str, folder: Path = Path(__file__).parent) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("the server is named by a URL: http://HOST:PORT")
        self.model = Model(folder)
        name = json.loads((folder / "tfserving.json").read_text(encoding="utf-8"))["name"]
        self.url = f"{url.rstrip('/')}/v1/models/{name}:predict"

    def predict(self, rows: list[dict[str, Any]], *, missing: str = "error") -> list[dict[str, Any]]:
        """Return the answers of the model, as predict.py gives them."""
        read = self.model.read(rows, missing=missing)
        return [one for start in range(0, len(read), AT_ONCE) for one in self.ask(read[start : start + AT_ONCE])]

    def ask(self, read: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the answers of a few rows."""
        columns = {one["tensor"] for one in self.model.columns}
        feeds = self.model.feeds(read)
        given = {name: (values.reshape(-1) if name in columns else values).tolist() for name, values in feeds.items()}
        body = json.dumps({"signature_name": "serving_default", "inputs": given}).encode()  # NaN: the server reads it
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            found = json.load(answer)["outputs"]
        (wanted,) = self.model.output
        values = np.asarray(found[wanted] if isinstance(found, dict) else found, dtype=np.float64)
        return [self.model.told(one) for one in values]


def main(arguments: list[str]) -> int:
    """Print the predictions of a file as JSON; return the exit status."""
    if len(arguments) != 2:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        asked = Asked(arguments[0])
        found = asked.predict(rows_of(Path(arguments[1]), asked.model.columns))
    except (RowError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
