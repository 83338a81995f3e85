"""A folder that predicts with onnxruntime and numpy alone."""
