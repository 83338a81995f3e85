"""Read-only checks of a model that return a report."""
