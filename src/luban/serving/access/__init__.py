"""Who may ask a server for what: tokens, scopes, limits, certificates."""
