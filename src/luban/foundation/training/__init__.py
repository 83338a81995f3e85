"""Training that holds: a small loop with a hard deadline, checkpoints, guards and curves."""
