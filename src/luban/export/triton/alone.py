"""Ask a Triton server that holds the model; needs numpy and tritonclient[http], and what requirements.txt names.

    python ask.py http://127.0.0.1:8000 rows.json

Rows are read as predict.py reads them; the graph runs on the server.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tritonclient.http
from predict import Model, RowError, rows_of
from tritonclient.utils import np_to_triton_dtype

AT_ONCE = 32  # rows of a request


class Asked:
    """A model that answers on a Triton server."""

    def __init__(self, url: str, folder: Path = Path(__file__).parent) -> None:
        secure, _, address = url.rpartition("://")
        self.model = Model(folder)
        self.name = json.loads((folder / "triton.json").read_text(encoding="utf-8"))["name"]
        self.client = tritonclient.http.InferenceServerClient(address, ssl=secure == "https")

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
        output = tritonclient.http.InferRequestedOutput(wanted)
        found = self.client.infer(self.name, inputs, outputs=[output]).as_numpy(wanted)
        if wanted == "prediction":  # Triton has no tensors of one axis: (rows, 1)
            found = found.reshape(len(read))
        return [self.model.told(one) for one in found.astype("float64")]


def main(arguments: list[str]) -> int:
    """Print the predictions of a file as JSON; return the exit status."""
    if len(arguments) != 2:
        sys.stderr.write(__doc__ or "")
        return 2
    asked = Asked(arguments[0])
    try:
        found = asked.predict(rows_of(Path(arguments[1]), asked.model.columns))
    except (RowError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
