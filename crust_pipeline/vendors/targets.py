"""Where a download may go: no address inside the network, unless the API itself is there.

A link, or a redirect behind it, could name a service that only this machine can reach, and what it
answers would land as a vendor's file. So a name is resolved before anything is sent, and the
connection goes to an address that was looked at: asked twice, a name may mean two machines.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpx

from crust_pipeline.vendors import errors

Resolve = Callable[[str], tuple[str, ...]]
"""Gives the addresses of a host."""

# IPv4 addresses inside IPv6 ones, as networks without IPv4 write them.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def resolve_name(host: str) -> tuple[str, ...]:
    """Ask the system for the addresses of a host.

    Raises:
        Unavailable: it has none now.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise errors.Unavailable("The storage's name could not be resolved") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def through_proxy(url: httpx.URL) -> bool:
    """Tell whether the environment sends requests for this address through a proxy."""
    proxies = getproxies()
    return bool({url.scheme, "all"} & proxies.keys()) and not proxy_bypass(url.host)


def is_internal(address: str) -> bool:
    """Tell whether an address is on this machine or in a network that is not the public one."""
    ip = ipaddress.ip_address(address.partition("%")[0])  # without the zone
    ip = _embedded(ip) or ip
    return not ip.is_global or ip.is_multicast


def _embedded(ip: _IPAddress) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour


class Targets:
    """Says where downloads may go."""

    def __init__(self, *, api: str, resolve: Resolve) -> None:
        """Take the API's base URL, and what resolves names."""
        self._api = httpx.URL(api)
        self._resolve = resolve

    def addresses(self, url: httpx.URL) -> tuple[str, ...]:
        """Return the addresses that stand for a name; () where it is one, or a proxy resolves it.

        Raises:
            TargetRefused: the target is inside the network, and the API is not.
            Unavailable: the name cannot be resolved now.
        """
        literal = _literal(url.host)
        found = () if literal or through_proxy(url) else self._resolve(url.host)
        if any(map(is_internal, literal or found)) and not self._api_is_internal():
            raise errors.TargetRefused(
                "The vendor's link leads to an address inside this network, and the vendor's API "
                "is not there: nothing was fetched. Tell the vendor, with the batch id"
            )
        return found

    def _api_is_internal(self) -> bool:
        try:
            found = _literal(self._api.host) or self._resolve(self._api.host)
        except errors.Unavailable:
            return False
        return any(map(is_internal, found))


def _literal(host: str) -> tuple[str, ...]:
    """Return a host that is an address by itself; () for a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ()
    return (host,)
