"""Pre-trained backbones and the ways to adapt them."""
