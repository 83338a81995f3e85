"""Which files are pictures and which are sounds, by their names and by their first bytes."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

MediaKind = Literal["image", "audio"]
KINDS: tuple[MediaKind, ...] = ("image", "audio")

IMAGE = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
                  | {".ppm", ".pgm", ".pbm", ".pnm"})  # fmt: skip
AUDIO = frozenset({".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au"}
                  | {".snd", ".caf", ".w64", ".rf64", ".m4a", ".aac", ".wma"})  # fmt: skip
"""The last three are sounds that the decoder does not read: named here, so that they are told as such."""


def kind_of_name(name: str) -> MediaKind | None:
    """Return what a file of this name should hold, or None where its ending does not say."""
    ending = PurePath(name).suffix.lower()
    if ending in IMAGE:
        return "image"
    return "audio" if ending in AUDIO else None


def media_type(head: bytes) -> str | None:
    """Return the media type of content that begins with `head` (at least 16 bytes of it), or None.

    Only what the decoders read is known here; the type names follow the registry of IANA.
    """
    if head[:4] in {b"RIFF", b"RF64"}:
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(head[8:12])
    if head.startswith(b"FORM") and head[8:12] in {b"AIFF", b"AIFC"}:
        return "audio/aiff"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 in {0xE2, 0xE4, 0xE6}:  # a frame of MPEG audio
        return "audio/mpeg"
    return None


def kind_of_content(head: bytes) -> MediaKind | None:
    """Return what content that begins with `head` is, or None where it is neither a picture nor a sound."""
    name = media_type(head)
    if name is None:
        return None
    return "image" if name.startswith("image/") else "audio"


_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"P1\n", "image/x-portable-bitmap"),
    (b"P2\n", "image/x-portable-graymap"),
    (b"P3\n", "image/x-portable-pixmap"),
    (b"P4\n", "image/x-portable-bitmap"),
    (b"P5\n", "image/x-portable-graymap"),
    (b"P6\n", "image/x-portable-pixmap"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b".snd", "audio/basic"),
    (b"caff", "audio/x-caf"),
)
