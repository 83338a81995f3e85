"""One ONNX graph from raw columns to calibrated predictions."""
