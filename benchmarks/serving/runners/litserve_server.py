"""A server as LitServe's documentation writes it: ``python litserve_server.py PORT``."""

import sys
from typing import Any

import litserve
from answering import answering


class Cancer(litserve.LitAPI):
    """Answers for the model."""

    def setup(self, _device: str) -> None:
        """Open the model."""
        self.answer = answering()

    def decode_request(self, request: dict[str, Any]) -> dict[str, float]:
        """Return the row of a request."""
        row: dict[str, float] = request["row"]
        return row

    def predict(self, row: dict[str, float]) -> dict[str, Any]:
        """Return label and probabilities of a row."""
        return self.answer(row)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return the body of the answer."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Cancer(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
