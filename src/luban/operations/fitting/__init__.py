"""The steps of a fit: prepare the rows, search, finish the model."""
