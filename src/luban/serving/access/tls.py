"""The certificate of a server, checked before it listens."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luban.core.errors import InputError, NotFound, Refused

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate (with those that vouch for it, in PEM) and its private key."""

    certificate: Path
    key: Path


def certificate(certificate_: Path | None, key: Path | None) -> Certificate | None:
    """Return the two files after trying them, or None where there are none.

    Raises
    ------
    InputError
        If one is missing, cannot be read, or they do not belong together.
    """
    if certificate_ is None and key is None:
        return None
    if certificate_ is None or key is None:
        raise InputError(
            "a certificate and its key belong together",
            seen="only the key" if certificate_ is None else "only the certificate",
            remedy="Give both: --certificate FILE --key FILE.",
        )
    for what, path in (("certificate", certificate_), ("key", key)):
        if not path.is_file():
            raise NotFound(f"there is no file with the {what}", seen=str(path))
        try:
            path.open("rb").close()
        except OSError as error:
            raise Refused(f"the file with the {what} cannot be read", seen=f"{path}: {error.strerror}") from error
    _try(certificate_, key)
    return Certificate(certificate=certificate_, key=key)


def _try(certificate_: Path, key: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password, so that nobody is asked for one at a terminal that is not there.
        context.load_cert_chain(certificate_, key, password="")
    except ssl.SSLError as error:
        reason = error.reason or ""
        if reason == "KEY_VALUES_MISMATCH":
            raise InputError(
                "the key is not the one of the certificate",
                seen=f"{certificate_}, {key}",
                remedy="Give the key that the certificate was made with.",
            ) from None
        raise InputError(
            "the certificate or its key cannot be read",
            seen=f"{certificate_}, {key}{f' ({reason.lower()})' if reason else ''}",
            remedy="Both must be in PEM (-----BEGIN ...), and the key without a password.",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "the certificate or its key cannot be read",
            seen=f"{certificate_}, {key} ({error})",
            remedy="Both must be in PEM (-----BEGIN ...), and the key without a password.",
        ) from None
