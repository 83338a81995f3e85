"""SetFit in its own environment: ``python -m benchmarks.foundation.runners.with_setfit JOB.json``.

Batches of 16 pairs, one epoch, 2e-5 for the body, logistic regression as the head: the recipe of Tunstall and others
(2022), on the backbone that Luban uses.
"""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from setfit import SetFitModel, Trainer, TrainingArguments
from sklearn.linear_model import LogisticRegression

from benchmarks.foundation.runners.job import answer, minilm, read_job


def main() -> None:
    """Fit and predict; the seconds of the fit count from when the process was asked for."""
    job = read_job()
    torch.set_num_threads(job["threads"])
    learn, test = pd.read_csv(job["learn"]), pd.read_csv(job["test"])
    words = Transformer(minilm(), max_seq_length=256)
    body = SentenceTransformer(modules=[words, Pooling(words.get_word_embedding_dimension(), "mean")], device="cpu")
    model = SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=500))
    arguments = TrainingArguments(
        output_dir=str(Path(job["learn"]).parent / "setfit"),
        batch_size=16,
        num_epochs=1,
        num_iterations=job["iterations"],
        body_learning_rate=2e-5,
        use_amp=False,
        report_to="none",
        save_strategy="no",
        show_progress_bar=False,
    )
    rows = Dataset.from_dict({"text": learn[job["text"]].tolist(), "label": learn[job["target"]].tolist()})
    Trainer(model=model, args=arguments, train_dataset=rows).train()
    spent = time.time() - job["started"]
    predicted = [str(one) for one in model.predict(test[job["text"]].tolist())]
    answer({"predicted": predicted, "wall_of_fit": spent, "pairs": 2 * job["iterations"] * len(learn)})


if __name__ == "__main__":
    main()
