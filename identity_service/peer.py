"""What a call tells about the device it comes from."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import unquote

MAX_USER_AGENT = 512


def ip_address(peer: str) -> str | None:
    """Of gRPC's `ipv4:192.0.2.1:5000` or `ipv6:%5B::1%5D:5000`; None for a unix socket."""
    kind, _, address = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    host = address.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def user_agent(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The `user-agent` of the call's metadata, cut to 512 characters."""
    return next((str(value)[:MAX_USER_AGENT] for key, value in metadata or () if key == "user-agent"), "")
