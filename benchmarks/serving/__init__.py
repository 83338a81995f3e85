"""Serving: one row over HTTP beside MLflow, BentoML and LitServe; swaps, canaries, shadows and batches under load."""
