"""The forms in which a model can leave the house."""
