"""Private keys of whoever works on this machine: files that only that person may read, outside of any workspace.

They are PKCS #8 in PEM, encrypted where ``LUBAN_KEY_PASSPHRASE`` is set.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from luban.core.errors import Conflict, InputError, NotFound, Refused
from luban.store.disk import writing_to
from luban.store.names import valid_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PASSPHRASE = "LUBAN_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
SUFFIX = ".pem"


def folder() -> Path:
    """Return where the keys are: ``LUBAN_KEYS``, else ``luban/keys`` in the folder of the user's settings."""
    chosen = os.environ.get("LUBAN_KEYS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    settings = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(settings).expanduser().absolute() / "luban" / "keys"


def path_of(name: str) -> Path:
    """Return the file of a key."""
    return folder() / (valid_name("key", name) + SUFFIX)


def names() -> list[str]:
    """Return the names of the keys of this machine."""
    place = folder()
    return sorted(one.name.removesuffix(SUFFIX) for one in place.glob("*" + SUFFIX)) if place.is_dir() else []


def create(name: str) -> tuple[Ed25519PrivateKey, Path]:
    """Make a key, keep it and return it with its file.

    Raises
    ------
    Conflict
        If there is one of the name.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
    )

    path = path_of(name)
    private = Ed25519PrivateKey.generate()
    phrase = os.environ.get(PASSPHRASE)
    lock: KeySerializationEncryption = BestAvailableEncryption(phrase.encode()) if phrase else NoEncryption()
    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    with writing_to(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            # Nobody else may read it at any moment, and a file or link that is there already is left alone.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise Conflict(
                f"there is a key {name!r} on this machine already",
                seen=str(path),
                remedy="Choose another name, or trust it here: luban keys trust " + name,
            ) from None
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    return private, path


def load(name: str) -> Ed25519PrivateKey:
    """Return a key by its name, or by the path of its file.

    Raises
    ------
    NotFound
        With the nearest names.
    Refused
        If others may read its file, or the passphrase is wrong or missing.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = Path(name).expanduser() if os.sep in name or name.endswith(SUFFIX) else path_of(name)
    try:
        # What others may read is not looked at: it counts as known to them.
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Refused(
                "others may read this private key", seen=str(path), remedy=f"Run: chmod 600 {path}, if nobody has."
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound.named(
            "key", name, names(), remedy=None if names() else "Make one: luban keys create NAME"
        ) from None
    except OSError as error:
        raise Refused("the private key cannot be read", seen=str(error)) from error
    phrase = os.environ.get(PASSPHRASE)
    try:
        private = load_pem_private_key(content, phrase.encode() if phrase else None)
    except TypeError as error:  # encrypted and no passphrase, or the other way round
        if phrase:
            private = load_pem_private_key(content, None)
        else:
            raise Refused(
                f"the key {name!r} has a passphrase", seen=str(error), remedy=f"Put it into {PASSPHRASE}."
            ) from None
    except ValueError as error:
        remedy = f"Is {PASSPHRASE} right?" if b"ENCRYPTED" in content else "Give the file of an Ed25519 key in PEM."
        raise Refused(f"the key {name!r} cannot be opened", seen=str(error)[:200], remedy=remedy) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InputError("this is a key of another kind", seen=type(private).__name__, remedy="Use Ed25519.")
    return private
