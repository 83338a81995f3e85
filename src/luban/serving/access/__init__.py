"""Who may ask a server for what: tokens, scopes, limits, certificates.

A new route says what it needs with `needs`, else nobody may use it.
"""

from luban.serving.access.declare import BODY, needs
from luban.serving.access.principal import permit, principal_of

__all__ = ["BODY", "needs", "permit", "principal_of"]
