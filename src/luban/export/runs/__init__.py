"""Forms that runs leave the house in."""
