"""How long one row takes: in process and over HTTP."""
