"""Addresses as gRPC writes them."""

import pytest

from shared.peer import ip_address


@pytest.mark.parametrize(
    ("peer", "ip"),
    [
        ("ipv4:192.0.2.1:5000", "192.0.2.1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        ("ipv6:[2001:db8::1]:5000", "2001:db8::1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::1"),
        ("ipv6:[::ffff:192.0.2.1]:5000", "192.0.2.1"),
        ("unix:/run/identity.sock", None),
        ("unix:", None),
        ("ipv4:somewhere:5000", None),
        ("ipv4:192.0.2.1", "192.0.2.1"),
        ("", None),
    ],
)
def test_the_address_is_read_from_grpc_s_text(peer: str, ip: str | None) -> None:
    assert ip_address(peer) == ip
