"""Where webhooks may go: public addresses, and networks that the operator of the machine allows."""

from __future__ import annotations

import ipaddress
import os
import socket

from luban.core.errors import InputError, Refused, Unavailable

ALLOWED = "LUBAN_WEBHOOK_NETWORKS"
"""Environment variable with networks that are not public and yet allowed, with commas: ``10.0.0.0/8,127.0.0.1``.

It is of the machine, not of the rule: whoever may add a rule over REST must not reach the machine's own network.
"""

_WRAPPED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def resolved(host: str, port: int) -> str:
    """Return the one address to connect to, after the name is resolved and every address of it is checked.

    The connection goes to this address and the name is not asked again, so that it cannot come to mean another one
    in between (DNS rebinding).

    Raises
    ------
    Refused
        If any address of the name is private, loopback, link-local, multicast or reserved, and not allowed.
    Unavailable
        If there is no such name.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise Unavailable("the webhook's host is not known", seen=f"{host}: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    networks = allowed()
    for one in addresses:
        plain = ipaddress.ip_address(one.partition("%")[0])
        if not public(plain) and not _within(plain, networks):
            raise Refused(
                "the webhook's address is not public",
                seen=f"{host} is {plain}" if host != str(plain) else host,
                remedy=f"If that is meant, allow the network on this machine: {ALLOWED}={plain}/{plain.max_prefixlen}",
            )
    return addresses[0]


def public(address: Address) -> bool:
    """Return whether an address is one of the open internet, also where it holds one of IPv4 inside."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and any(address in network for network in _WRAPPED):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return public(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def allowed() -> list[Network]:
    """Return the networks that the environment allows."""
    try:
        return [
            ipaddress.ip_network(one.strip(), strict=False)
            for one in os.environ.get(ALLOWED, "").split(",")
            if one.strip()
        ]
    except ValueError as error:
        raise InputError(f"{ALLOWED} holds what is no network", seen=str(error)) from None


def _within(address: Address, networks: list[Network]) -> bool:
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped else address
    return any(inner.version == network.version and inner in network for network in networks)


def is_public(address: str) -> bool:
    """Return whether an address, written out, is one of the open internet."""
    return public(ipaddress.ip_address(address.partition("%")[0]))
