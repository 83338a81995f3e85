"""One renderer a face for reports and results."""
