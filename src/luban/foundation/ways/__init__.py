"""Ways to adapt a backbone, one file each."""
