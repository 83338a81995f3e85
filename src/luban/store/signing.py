"""Ed25519 (RFC 8032) over what a model version is: the digest of its manifest, its name and its number.

The manifest holds the digest of every payload, so a signature vouches for each byte of the model; the name and the
number keep it from being copied under another version.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from luban.core.errors import InputError
from luban.store.digests import canonical_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ID = re.compile(r"[0-9a-f]{32}")
_MARK = b"luban model signature 1\n"


def message(name: str, version: int, artifact: str) -> bytes:
    """Return the bytes that are signed for a model version."""
    return _MARK + canonical_json({"artifact": artifact, "name": name, "version": version})


def sign(private: Ed25519PrivateKey, name: str, version: int, artifact: str) -> str:
    """Return the signature of a model version in base64."""
    return base64.b64encode(private.sign(message(name, version, artifact))).decode()


def verified(public: str, signature: str, name: str, version: int, artifact: str) -> bool:
    """Return whether a signature is that of this key under this very version."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(raw_public(public)).verify(raw, message(name, version, artifact))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def public_of(private: Ed25519PrivateKey) -> str:
    """Return the public key of a private one, in base64."""
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def key_id(public: str) -> str:
    """Return the identifier of a public key: half of the SHA-256 of its 32 bytes, in hexadecimal."""
    return hashlib.sha256(raw_public(public)).hexdigest()[:32]


def raw_public(public: str) -> bytes:
    """Return the 32 bytes of a public key in base64."""
    try:
        raw = base64.b64decode(public, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        # What was given in its place may be a secret.
        told = f"{len(public):,} characters"
        raise InputError(
            "this is no Ed25519 public key", seen=told, remedy="Give 32 bytes in base64, PEM or ssh-ed25519."
        )
    return raw


def read_public(text: str) -> str:
    """Return the public key, in base64, that a text holds: PEM, OpenSSH's ``ssh-ed25519 AAAA...`` or base64 itself.

    Raises
    ------
    InputError
        If it is none, or a private key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key

    text = text.strip()
    if "PRIVATE KEY" in text:
        raise InputError("this is a private key", remedy="Give the public one: luban keys list shows it.")
    try:
        if text.startswith("-----BEGIN"):
            found = load_pem_public_key(text.encode())
        elif text.startswith("ssh-"):
            found = load_ssh_public_key(text.encode())
        else:
            raw_public(text)
            return text
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError("this public key cannot be read", seen=str(error)[:200]) from error
    if not isinstance(found, Ed25519PublicKey):
        raise InputError("this is a public key of another kind", seen=type(found).__name__, remedy="Use Ed25519.")
    return base64.b64encode(found.public_bytes_raw()).decode()
