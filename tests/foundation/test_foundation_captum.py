"""Integrated gradients are those of captum, which others wrote."""

from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("captum")

import torch
from captum.attr import LayerIntegratedGradients
from foundation_rows import backbone, problem

from luban.core.budget import Effort
from luban.foundation.adapt import adapt
from luban.foundation.attribution.integrated import integrated_gradients, token_vectors


@pytest.mark.long
def test_the_weights_of_tokens_are_those_of_captum() -> None:
    """The same path from padding to the row, token by token."""
    task, training = problem("text", "multiclass", 48)
    parameters = {"epochs": 3.0, "batch": 8, "precision": "float32", "learning_rate": 2e-3}
    made = adapt(backbone("text"), "full", task, task.inputs, training, None, parameters=parameters, effort=Effort())
    network = made.network.eval()
    vectors = token_vectors(network.body)
    assert vectors is not None
    for row in range(4):
        table = training.table.slice(row, 1)
        tensors = {name: torch.from_numpy(one) for name, one in made.preparation(table).items()}
        ids = tensors.pop("input_ids")
        own = np.array([place.column >= 0 for place in made.preparation.places(table)[0]])
        without = torch.where(torch.from_numpy(own)[None], 0, ids)

        def score(given: dict[str, torch.Tensor]) -> torch.Tensor:
            return network(**given)[:, 2]

        found = integrated_gradients(
            score, vectors, {**tensors, "input_ids": ids}, own, pad=0, deadline=time.monotonic() + 600
        )
        names = tuple(tensors)

        def answer(numbers: torch.Tensor, *others: torch.Tensor, names: tuple[str, ...] = names) -> torch.Tensor:
            return network(input_ids=numbers, **dict(zip(names, others, strict=True)))

        theirs = LayerIntegratedGradients(answer, vectors).attribute(
            ids, baselines=without, additional_forward_args=tuple(tensors.values()), target=2, n_steps=200
        )
        expected = theirs.sum(dim=2)[0].detach().numpy()
        assert np.abs(found.weights - expected).max() <= 0.02 * np.abs(expected).max() + 1e-4
