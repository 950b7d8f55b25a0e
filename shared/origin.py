"""Where a call comes from: the client's address and program, also behind proxies of ours."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.call import Context
from shared.peer import ip_address, written_address

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_USER_AGENT = 512
MAX_REQUEST_ID = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """`ip` is None for a unix socket; texts are cut to their limits."""

    ip: str | None
    user_agent: str
    request_id: str | None

    @property
    def source(self) -> str:
        """What throttling counts by: an IPv4 address, or the /64 that one IPv6 subscriber has."""
        if self.ip is None:
            return "local"
        address = ipaddress.ip_address(self.ip)
        return self.ip if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


class Origins:
    """`trusted` are the proxies whose x-forwarded-for and x-forwarded-user-agent are believed."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted

    def of(self, context: Context) -> Origin:
        # Of several headers with one name gRPC hands over the last, which the nearest proxy has written.
        metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        ip = ip_address(context.peer())
        user_agent = metadata.get("user-agent", "")
        if self._is_trusted(ip):
            ip = self._client(metadata.get("x-forwarded-for", ""), ip)
            user_agent = metadata.get("x-forwarded-user-agent", user_agent)
        request_id = printable(metadata.get("x-request-id", ""))
        return Origin(ip, printable(user_agent)[:MAX_USER_AGENT], request_id[:MAX_REQUEST_ID] or None)

    def _client(self, forwarded_for: str, proxy: str | None) -> str | None:
        """From the right, the first that is no proxy of ours: what stands further left anybody can write."""
        nearest = proxy
        for text in reversed(forwarded_for.split(",")):
            address = written_address(text)
            if address is None:
                break
            nearest = address
            if not self._is_trusted(address):
                break
        return nearest

    def _is_trusted(self, ip: str | None) -> bool:
        if ip is None:
            return False
        address = ipaddress.ip_address(ip)
        return any(address in network for network in self._trusted if network.version == address.version)


def printable(text: str) -> str:
    """gRPC passes on whatever bytes a stranger sends, and PostgreSQL takes no NUL."""
    return text if text.isprintable() else "".join(filter(str.isprintable, text))
