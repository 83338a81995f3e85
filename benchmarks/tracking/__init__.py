"""How quickly runs and metrics are written and found again."""
