"""Models that are ONNX graphs: how a graph is opened, what it is fed, and a model that is nothing else."""
