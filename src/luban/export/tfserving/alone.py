"""Ask a TensorFlow Serving server that holds the model; needs numpy, and what requirements.txt names.

    python ask.py http://127.0.0.1:8501 rows.json
    python ask.py http://127.0.0.1:8501 rows.json --fill     columns that are not there are taken as missing

Rows are read as predict.py reads them; the graph runs on the server.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from predict import Model, answer_file

AT_ONCE = 1000  # rows of a request


class NotAnswered(OSError):
    """The server is away, is another one, or refused; says which server, and why."""


class Asked:
    """A model that answers on a server."""

    def __init__(self, url: str, folder: Path = Path(__file__).parent) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the server is named by a URL: http://HOST:PORT; seen: {url!r:.100}")
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
        found = self.post(body)
        (wanted,) = self.model.output
        try:
            found = found["outputs"]
            values = np.asarray(found[wanted] if isinstance(found, dict) else found, dtype=np.float64)
        except (LookupError, TypeError, ValueError) as error:
            raise NotAnswered(f"{self.url} answered without {wanted}: is it another model?") from error
        return [self.model.told(one) for one in values]

    def post(self, body: bytes) -> Any:
        """Return the server's answer."""
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read(300).decode("utf-8", "replace").strip()
            raise NotAnswered(f"{self.url} refused; seen: {error.code} {said or error.reason}") from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NotAnswered(f"no server answered at {self.url}; is it running? seen: {reason!s:.300}") from error
        except ValueError as error:
            raise NotAnswered(f"what answered at {self.url} is no TensorFlow Serving; seen: {error!s:.300}") from error


def main(arguments: list[str]) -> int:
    """Print the predictions of a file as JSON; return the exit status."""
    given = [one for one in arguments if one != "--fill"]
    if len(given) != 2:
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        asked = Asked(given[0])
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    status: int = answer_file(given[1], asked.model, asked.predict, fill="--fill" in arguments)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
