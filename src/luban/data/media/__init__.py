"""Pictures and sounds in tables: a column of them holds references, never their content.

A reference is the absolute path of a file, or a ``data:`` URI that holds the content itself.
"""

from luban.data.media.reference import content, data_uri

__all__ = ["content", "data_uri"]
