"""The ways to learn, one file each, and the model they make together."""
