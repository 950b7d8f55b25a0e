"""Addresses as gRPC and proxies write them."""

import ipaddress
import re
from urllib.parse import unquote

# With or without a port, which some proxies add; an IPv6 address with one stands in brackets.
WRITTEN = re.compile(r"\[([^\]]*)\](?::\d*)?|([^:]*)(?::\d*)?|([^\[\]]*)")


def ip_address(peer: str) -> str | None:
    """Of gRPC's `ipv4:192.0.2.1:5000` or `ipv6:%5B::1%5D:5000`; None for a unix socket."""
    kind, _, address = unquote(peer).partition(":")
    return written_address(address) if kind in ("ipv4", "ipv6") else None


def written_address(text: str) -> str | None:
    """In its one spelling, without zone; an IPv4 address in an IPv6 one is the former. None for anything else."""
    found = WRITTEN.fullmatch(text.strip())
    if found is None:
        return None
    host = next(group for group in found.groups() if group is not None).partition("%")[0]
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
