"""MLflow's REST API, as far as its clients log, search and register with it: unmodified ones.

Source: https://mlflow.org/docs/latest/rest-api.html, and the messages in mlflow/protos/service.proto and
model_registry.proto. Experiments are those of the workspace, runs are its runs, registered models its models.
"""

from luban.surfaces.mlflow.errors import shape
from luban.surfaces.mlflow.routes import PREFIXES, routes

__all__ = ["PREFIXES", "routes", "shape"]
