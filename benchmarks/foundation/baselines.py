"""What scikit-learn alone makes of texts, pictures and sounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIDE = 32
_COEFFICIENTS, _BANDS = 20, 40


def characters(learn: Sequence[str], labels: Sequence[object], test: Sequence[str]) -> list[object]:
    """Return the labels that runs of one to three characters tell, the penalty chosen by cross-validation."""
    pipeline = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True),
        LogisticRegression(max_iter=500),
    )
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0, 10.0]}, cv=3)
    return list(search.fit(list(learn), list(labels)).predict(list(test)))


def pixels(train: str, test: str) -> tuple[list[object], list[str]]:
    """Return predictions for a folder and the true labels: principal components of pixels, a kernel machine."""
    matrix, labels = _read(train, _picture)
    other, truth = _read(test, _picture)
    parts = min(100, len(matrix) - 1)
    return _kernel_machine(matrix, labels, other, PCA(parts, random_state=0)), truth


def coefficients(train: str, test: str) -> tuple[list[object], list[str]]:
    """Return predictions for a folder of sounds and the true labels: mean and spread of MFCC, a kernel machine."""
    matrix, labels = _read(train, _mfcc)
    other, truth = _read(test, _mfcc)
    return _kernel_machine(matrix, labels, other), truth


def _kernel_machine(matrix: np.ndarray, labels: list[str], other: np.ndarray, *steps: Any) -> list[object]:
    pipeline = make_pipeline(*(steps or (StandardScaler(),)), SVC())
    search = GridSearchCV(pipeline, {"svc__C": [1.0, 10.0]}, cv=3)
    return list(search.fit(matrix, labels).predict(other))


def _read(folder: str, one: Callable[[Path], np.ndarray]) -> tuple[np.ndarray, list[str]]:
    files = [(file, inner.name) for inner in sorted(Path(folder).iterdir()) for file in sorted(inner.iterdir())]
    return np.stack([one(file) for file, _ in files]), [label for _, label in files]


def _picture(file: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(file) as image:
        small = image.convert("RGB").resize((SIDE, SIDE))
        return np.asarray(small, dtype=np.float32).ravel() / 255.0


def _mfcc(file: Path) -> np.ndarray:
    """Return mean and spread over time of 20 coefficients of 40 mel bands and of their changes."""
    import soundfile
    from scipy.fft import dct
    from scipy.signal import stft

    samples, rate = soundfile.read(file)
    size = int(0.025 * rate)
    padded = np.pad(samples, (0, max(0, 4 * size - len(samples))))
    _, _, spectrum = stft(padded, rate, nperseg=size, noverlap=size - int(0.010 * rate), nfft=512)
    bands = np.log(_filters(rate) @ np.abs(spectrum) ** 2 + 1e-10)
    cepstrum = dct(bands, axis=0, norm="ortho")[:_COEFFICIENTS]
    change = np.diff(cepstrum, axis=1)
    return np.concatenate([part for one in (cepstrum, change) for part in (one.mean(axis=1), one.std(axis=1))])


def _filters(rate: int) -> np.ndarray:
    """Return triangular filters on the mel scale, shape (bands, frequencies)."""
    highest = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, _BANDS + 2) / 2595) - 1)
    frequencies = np.linspace(0, rate / 2, 257)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.maximum(0.0, np.minimum(rising, falling))
