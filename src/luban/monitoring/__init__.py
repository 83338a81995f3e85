"""Models watched in use."""
