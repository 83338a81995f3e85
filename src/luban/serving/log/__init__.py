"""The prediction log of a server: taken at once, written by a thread, never waited for."""
