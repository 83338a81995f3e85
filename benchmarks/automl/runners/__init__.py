"""One file a system. Each is run by that system's own interpreter, so it may import nothing but that system."""
