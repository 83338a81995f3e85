"""transformers' Trainer within the same seconds: ``python -m benchmarks.foundation.runners.with_trainer JOB.json``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.foundation.runners.job import answer, read_job
from benchmarks.foundation.runners.trainer import Rows, Watch, precision, tokenizer_of, trainer

# Seconds kept for the last evaluation on the rows that choose the best state, a row, and for saving and loading it.
_EVALUATION, _SAVING = 1 / 150, 3.0


def main() -> None:
    """Train until the seconds since the process was asked for are spent, evaluation and saving included."""
    job = read_job()
    torch.set_num_threads(job["threads"])
    tables = {name: pd.read_csv(job[name]) for name in ("train", "valid", "test")}
    classes, codes = np.unique(tables["train"][job["target"]].astype(str), return_inverse=True)
    places = {name: place for place, name in enumerate(classes)}
    tokenizer = tokenizer_of()
    chosen = tables["valid"][job["target"]].astype(str).map(places).to_numpy()
    valid = Rows(tables["valid"], job["columns"], tokenizer, chosen)
    watch = Watch(job["started"] + job["seconds"] - _EVALUATION * len(valid) - _SAVING)
    train = Rows(tables["train"], job["columns"], tokenizer, codes)
    made = trainer(tokenizer, train, len(classes), str(Path(job["train"]).parent / "trainer"), watch, valid=valid)
    made.train()
    spent = time.time() - job["started"]
    predicted = classes[_answers(made.model, tables["test"], job["columns"], tokenizer)]
    answer(
        {
            "predicted": predicted.tolist(),
            "seconds_to_model": spent,
            "steps": watch.steps,
            "epochs": made.state.epoch,
            "rows_per_second": made.args.per_device_train_batch_size * watch.steps / watch.seconds,
            "precision": precision(),
            "best": made.state.best_metric,
        }
    )


def _answers(model: Any, table: pd.DataFrame, columns: list[str], tokenizer: Any) -> np.ndarray:
    """Return the class codes of the rows in their order: Trainer.predict gives them back in that of their lengths."""
    texts = [table[column].fillna("").astype(str).tolist() for column in columns]
    found = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(table), 64):
            part = [one[start : start + 64] for one in texts]
            tensors = tokenizer(*part, truncation=True, max_length=256, padding=True, return_tensors="pt")
            found.append(model(**tensors).logits.argmax(dim=1).numpy())
    return np.concatenate(found)


if __name__ == "__main__":
    main()
