"""A model folder that ``mlflow models serve`` reads: ``python mlflow_model.py FOLDER``, its answer in Python code."""

import sys
from pathlib import Path
from typing import Any

import mlflow.pyfunc


class Cancer(mlflow.pyfunc.PythonModel):
    """Answers for the model."""

    def load_context(self, context: Any) -> None:  # noqa: ARG002 - named by MLflow
        """Open the model."""
        from answering import answering

        self.answer = answering()

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
        """Return label and probabilities of a data frame's rows."""
        return [self.answer(row) for row in model_input.to_dict("records")]


if __name__ == "__main__":
    here = Path(__file__).parent
    mlflow.pyfunc.save_model(
        sys.argv[1],
        python_model=Cancer(),
        code_paths=[str(here / "answering.py")],
        pip_requirements=["onnxruntime"],
    )
