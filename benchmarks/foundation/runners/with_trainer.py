"""transformers' Trainer within the same seconds: ``python -m benchmarks.foundation.runners.with_trainer JOB.json``."""

from __future__ import annotations

import time
from pathlib import Path

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
    test = Rows(tables["test"], job["columns"], tokenizer, None)
    predicted = classes[made.predict(test).predictions.argmax(axis=1)]
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


if __name__ == "__main__":
    main()
