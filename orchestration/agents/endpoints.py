"""Which addresses tasks may be sent to.

Agents name their own address, so it is foreign input: without rules, a task could be made to
reach whatever this machine can reach. Only listed hosts and networks are called, never
link-local addresses (the metadata servers of clouds live there), and the address that was
checked is the one that is connected to.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from orchestration.agents.errors import EndpointRefused
from orchestration.errors import UsageError

LOOPBACK_ONLY = ("127.0.0.0/8", "::1/128", "localhost")

Address = IPv4Address | IPv6Address


class EndpointRules:
    """An allow-list of host names, addresses and networks."""

    def __init__(self, allowed: Sequence[str] = LOOPBACK_ONLY) -> None:
        self._names: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in allowed:
            try:
                self._networks.append(ip_network(entry))
            except ValueError as error:
                if "/" in entry or not entry.strip():
                    raise UsageError(
                        f"{entry!r} is neither a host nor a network: {error}",
                        hint="write it as agents.example.com, 10.0.0.7 or 10.0.0.0/24",
                    ) from error
                self._names.add(entry.lower())

    def refuse_unlisted(self, host: str) -> None:
        """Refuse a host at registration; nothing is looked up yet.

        Raises:
            EndpointRefused: the list does not have it.
        """
        address = _literal(host)
        if address is not None:
            _refuse_special(host, address)
        if not self._lists(host, address):
            raise EndpointRefused(f"agents at {host!r} are not allowed here")

    def resolve(self, host: str, port: int) -> str:
        """Find the address to connect to, checking each one that the host's name stands for.

        Raises:
            EndpointRefused: one of them is not allowed.
            OSError: the name cannot be resolved.
        """
        self.refuse_unlisted(host)
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        for address in addresses:
            _refuse_special(host, address)
        return str(addresses[0])

    def _lists(self, host: str, address: Address | None) -> bool:
        if address is None:
            return host.lower() in self._names
        plain = _plain(address)
        return any(plain in network for network in self._networks)


def _refuse_special(host: str, address: Address) -> None:
    plain = _plain(address)
    is_special = plain.is_link_local or plain.is_multicast or plain.is_unspecified
    if is_special or (plain.is_reserved and not plain.is_loopback):
        raise EndpointRefused(
            f"agents at {host!r} are never allowed ({plain} is no host's own address)",
            hint="register an address of the agent itself",
        )


def _plain(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
