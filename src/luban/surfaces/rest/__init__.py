"""The REST face: every operation as a route, with an OpenAPI page."""

from luban.surfaces.rest.application import application
from luban.surfaces.rest.server import serve

__all__ = ["application", "serve"]
