"""Sounds: decoded, prepared for a network, varied and described."""
