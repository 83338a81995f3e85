"""A service as BentoML's documentation writes it: ``bentoml serve bentoml_service:Cancer``."""

from typing import Any

import bentoml
from answering import answering


@bentoml.service(workers=1)
class Cancer:
    """Answers for the model."""

    def __init__(self) -> None:
        self.answer = answering()

    @bentoml.api
    def predict(self, row: dict[str, float]) -> dict[str, Any]:
        """Return label and probabilities of a row."""
        return self.answer(row)
