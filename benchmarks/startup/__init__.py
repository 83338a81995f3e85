"""What it costs to start Luban."""
