"""Several models as one: weights that are found on predictions for rows that no member has seen."""
