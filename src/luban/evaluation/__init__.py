"""How good predictions are: metrics, calibration, slices, comparison."""
