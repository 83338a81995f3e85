"""A model folder that MLflow loads and serves."""
