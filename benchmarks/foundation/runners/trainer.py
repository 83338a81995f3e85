"""A well-made script around transformers' Trainer: what with_trainer and speed have in common."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks.foundation.runners.job import minilm

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

RATE, BATCH, EPOCHS, WARM_UP, DECAY = 5e-5, 32, 4, 0.1, 0.01


class Watch(TrainerCallback):  # type: ignore[misc]
    """Counts the seconds of the steps, evaluation left out, and ends training at a moment."""

    def __init__(self, moment: float) -> None:
        self.moment = moment
        self.seconds = 0.0
        self.steps = 0
        self.began = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Note when a step began."""
        self.began = time.perf_counter()

    def on_step_end(self, _: Any, __: Any, control: Any, **___: Any) -> None:
        """Add the step; ask to stop when the moment has come."""
        self.seconds += time.perf_counter() - self.began
        self.steps += 1
        if time.time() >= self.moment:
            control.should_training_stop = True


class Rows(torch.utils.data.Dataset):  # type: ignore[misc]
    """Texts as token numbers, not padded; the collator pads each batch to its longest."""

    def __init__(self, table: pd.DataFrame, columns: Sequence[str], tokenizer: Any, labels: np.ndarray | None) -> None:
        texts = [table[column].fillna("").astype(str).tolist() for column in columns]
        self.tokens = tokenizer(*texts, truncation=True, max_length=256)
        self.labels = labels

    def __len__(self) -> int:
        return len(self.tokens["input_ids"])

    def __getitem__(self, place: int) -> dict[str, Any]:
        row = {name: values[place] for name, values in self.tokens.items()}
        return row if self.labels is None else {**row, "labels": int(self.labels[place])}


def precision() -> str:
    """Return bfloat16 where the processor computes with it, else float32."""
    return "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() and _has_bfloat16() else "float32"


def _has_bfloat16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported())


def tokenizer_of() -> Any:
    """Return the backbone's tokenizer."""
    return AutoTokenizer.from_pretrained(minilm())


def trainer(
    tokenizer: Any, train: Rows, classes: int, folder: str, watch: Watch, *, epochs: int = EPOCHS, valid: Rows | None
) -> Trainer:
    """Return a Trainer: dynamic padding, rows of similar length together, AdamW, warm-up, a decay that ends in time."""
    model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=classes)
    plain = [one for name, one in model.named_parameters() if one.ndim < 2 or "LayerNorm" in name]
    kept = {id(one) for one in plain}
    decayed = [one for one in model.parameters() if id(one) not in kept]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}], lr=RATE
    )
    total = epochs * int(np.ceil(len(train) / BATCH))
    begun = time.time()

    def share(step: int) -> float:
        """Rise, then fall to zero with the last step or at the last second, whichever comes first."""
        passed = max(step / total, (time.time() - begun) / max(watch.moment - begun, 1.0))
        return min(1.0, passed / WARM_UP) if passed < WARM_UP else max(0.0, (1.0 - passed) / (1.0 - WARM_UP))

    # The first steps would be taken at no rate at all if time alone counted.
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(share(step), 0.01))
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=epochs,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=64,
        train_sampling_strategy="group_by_length",
        eval_strategy="no" if valid is None else "epoch",
        save_strategy="no" if valid is None else "epoch",
        save_only_model=True,
        load_best_model_at_end=valid is not None,
        bf16=precision() == "bfloat16",
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
    )
    return Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=valid,
        data_collator=DataCollatorWithPadding(tokenizer),
        optimizers=(optimizer, schedule),
        callbacks=[watch],
    )
