"""People: labelling, review, approval."""
