"""Ask a Triton server that holds the model; needs numpy and tritonclient[http], and what requirements.txt names.

    python ask.py http://127.0.0.1:8000 rows.json
    python ask.py http://127.0.0.1:8000 rows.json --fill     columns that are not there are taken as missing

Rows are read as predict.py reads them; the graph runs on the server.
"""

from __future__ import annotations

import json
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import tritonclient.http
from predict import Model, answer_file
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

AT_ONCE = 32  # rows of a request


class NotAnswered(OSError):
    """The server is away, is another one, or refused; says which server, and why."""


class Asked:
    """A model that answers on a Triton server."""

    def __init__(self, url: str, folder: Path = Path(__file__).parent) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.port == 0:
            raise ValueError(f"the server is named by a URL: http://HOST:PORT; seen: {url!r:.100}")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.model = Model(folder)
        self.name = json.loads((folder / "triton.json").read_text(encoding="utf-8"))["name"]
        self.client = tritonclient.http.InferenceServerClient(parts.netloc, ssl=parts.scheme == "https")

    def predict(self, rows: list[dict[str, Any]], *, missing: str = "error") -> list[dict[str, Any]]:
        """Return the answers of the model, as predict.py gives them."""
        read = self.model.read(rows, missing=missing)
        return [one for start in range(0, len(read), AT_ONCE) for one in self.ask(read[start : start + AT_ONCE])]

    def ask(self, read: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the answers of a few rows."""
        inputs = []
        for name, values in self.model.feeds(read).items():
            one = tritonclient.http.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
            inputs.append(one.set_data_from_numpy(values))
        (wanted,) = self.model.output
        found = self.infer(inputs, wanted)
        if wanted == "prediction":  # Triton has no tensors of one axis: (rows, 1)
            found = found.reshape(len(read))
        return [self.model.told(one) for one in found.astype("float64")]

    def infer(self, inputs: list[Any], wanted: str) -> np.ndarray:
        """Return a tensor of the server's answer."""
        asked = f"{self.url} for the model {self.name!r}"
        try:
            output = tritonclient.http.InferRequestedOutput(wanted)
            found = self.client.infer(self.name, inputs, outputs=[output]).as_numpy(wanted)
        except InferenceServerException as error:
            raise NotAnswered(f"asked {asked}, the server refused; seen: {error!s:.300}") from error
        except (OSError, HTTPException) as error:
            raise NotAnswered(f"no server answered at {asked}; is it running? seen: {error!s:.300}") from error
        except ValueError as error:
            raise NotAnswered(f"what answered at {asked} is no Triton server; seen: {error!s:.300}") from error
        if found is None:
            raise NotAnswered(f"asked {asked}, the server answered without {wanted}: is it another model?")
        return np.asarray(found)


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
