"""Programs that run in a process, and some in an environment, of their own."""
