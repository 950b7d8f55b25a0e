"""TCP sockets at an address, to see or to keep what gRPC is to listen at."""

import socket

Place = tuple[object, ...]


def places(address: str) -> list[tuple[int, Place]]:
    """Family and place of each that `host:port` stands for; OSError where nobody knows the name."""
    host, _, port = address.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [(family, place) for family, _, _, _, place in found]


def bound(family: int, place: Place, *, shares: bool) -> socket.socket:
    """Connections of a previous run that are not quite over do not count, as for servers."""
    bound = socket.socket(family)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shares)
        bound.bind(place)
        if not shares:
            bound.listen()  # nobody else can, whatever their options, or it fails
    except OSError:
        bound.close()
        raise
    return bound
