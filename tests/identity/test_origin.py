"""Where calls come from, also behind proxies, and what strangers write there."""

from ipaddress import ip_network

import pytest
from grpc.aio import Channel

from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.origin import Origin, Origins
from tenantry.testing.databases import Databases
from tenantry.testing.pair import running_pair
from tenantry.testing.people import People
from tests.identity.sign_ins import PASSWORD, with_password

PROXY = "ipv4:10.0.0.1:5000"
ORIGINS = Origins([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


class Call:
    """What a context tells: the peer and the metadata."""

    def __init__(self, peer: str, *metadata: tuple[str, str | bytes]) -> None:
        self._peer, self._metadata = peer, metadata

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return self._metadata


def origin(peer: str, *metadata: tuple[str, str | bytes]) -> Origin:
    return ORIGINS.of(Call(peer, *metadata))  # type: ignore[arg-type]


def client(forwarded_for: str) -> str | None:
    return origin(PROXY, ("x-forwarded-for", forwarded_for)).ip


@pytest.mark.parametrize(
    ("header", "ip"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("  192.0.2.1\t", "192.0.2.1"),
        ("192.0.2.1:443", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
    ],
)
def test_proxies_write_addresses_in_many_ways(header: str, ip: str) -> None:
    assert client(header) == ip


@pytest.mark.parametrize("written", ["8.8.8.8", "10.0.0.9", "garbage", "", "8.8.8.8,", ",,,", "[", "'; DROP TABLE"])
def test_what_the_client_wrote_itself_is_never_believed(written: str) -> None:
    assert client(f"{written}, 192.0.2.1") == "192.0.2.1"
    assert client(f"{written}, 192.0.2.1, 10.0.0.2") == "192.0.2.1"


@pytest.mark.parametrize(
    "garbage",
    ["", " ", ",", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4:x", "1.2.3.4/8",
     "[::1", "::1]", "[1.2.3.4:5]", "[::1]x", "[[::1]]", ":", "::g", "1.2.3.4\0", "１.2.3.4", "%31.2.3.4", "x" * 8000],
)  # fmt: skip
def test_garbage_counts_for_the_proxy_it_came_through(garbage: str) -> None:
    assert client(garbage) == "10.0.0.1"
    assert client(f"{garbage}, 10.0.0.2") == "10.0.0.2"
    assert client(f"192.0.2.1, {garbage}") == "10.0.0.1"


def test_without_a_header_the_proxy_itself_is_the_client() -> None:
    assert origin(PROXY).ip == "10.0.0.1"


def test_who_is_no_proxy_of_ours_is_not_believed() -> None:
    headers = (("x-forwarded-for", "192.0.2.1"), ("x-forwarded-user-agent", "curl"), ("user-agent", "grpc"))
    assert origin("ipv4:203.0.113.5:99", *headers) == Origin("203.0.113.5", "grpc", None)
    assert origin("ipv6:[2001:db8::5]:99", *headers).ip == "2001:db8::5"
    assert origin("unix:/run/identity.sock", *headers).ip is None
    assert origin("ipv6:[fd00::1]:99", *headers) == Origin("192.0.2.1", "curl", None)


def test_texts_are_cut() -> None:
    long = "x" * 9000
    found = origin(PROXY, ("x-forwarded-user-agent", long), ("x-request-id", long), ("x-bin", b"\xff"))
    assert (len(found.user_agent), len(found.request_id or "")) == (512, 64)


def test_what_no_text_can_hold_is_left_out() -> None:
    found = origin(PROXY, ("user-agent", "a\0b\x1b[31m\u202e"), ("x-request-id", "\0"))
    assert (found.user_agent, found.request_id) == ("ab[31m", None)


@pytest.mark.parametrize(
    ("ip", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        (None, "local"),
    ],
)
def test_a_subscriber_is_one_source(ip: str | None, source: str) -> None:
    assert Origin(ip, "", None).source == source


async def test_the_nearest_proxy_is_believed_over_the_wire(databases: Databases) -> None:
    headers = (
        ("x-forwarded-for", "203.0.113.66"),
        ("x-forwarded-for", "203.0.113.66, 192.0.2.1, 127.0.0.3"),
        ("x-forwarded-user-agent", "Firefox"),
    )
    async with running_pair(databases, identity={"TRUSTED_PROXIES": "127.0.0.0/8"}) as pair:
        session = await signed_in(pair.identity.channel, People(pair), headers)
    assert (session.ip, session.user_agent) == ("192.0.2.1", "Firefox")


async def test_by_default_nobody_is_believed(identity: Channel, people: People) -> None:
    headers = (("x-forwarded-for", "192.0.2.1"), ("x-forwarded-user-agent", "Firefox"))
    session = await signed_in(identity, people, headers)
    assert session.ip == "127.0.0.1"
    assert "Firefox" not in session.user_agent


async def signed_in(channel: Channel, people: People, headers: tuple[tuple[str, str], ...]) -> pb.Session:
    ada = await people.person("ada", PASSWORD)
    return (await SessionServiceStub(channel).CreateSession(with_password(ada), metadata=headers)).session
