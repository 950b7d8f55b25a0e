"""Every RPC of the contracts is implemented and has a row in the access policy; a missing row stops the start."""

import re
from typing import Any

import pytest

import identity_service.server
import tenancy_service.server
from identity_service.access_policy import POLICY as IDENTITY
from shared.access_rules import INFRASTRUCTURE, Policy
from tenancy_service.access_policy import POLICY as TENANCY
from tenantry.testing.pair import Pair
from tests.architecture.project import ROOT

SERVERS: list[tuple[str, Any, Policy]] = [
    ("identity", identity_service.server, IDENTITY),
    ("tenancy", tenancy_service.server, TENANCY),
]
# The folders of its contracts below protos/.
CONTRACTS = {"identity": ["identity"], "tenancy": ["tenancy", "extauthz"]}
EACH = pytest.mark.parametrize(("name", "server", "policy"), SERVERS, ids=["identity", "tenancy"])


@EACH
def test_the_server_offers_every_service_of_the_contracts(name: str, server: Any, policy: Policy) -> None:
    written = set()
    for path in [path for folder in CONTRACTS[name] for path in (ROOT / "protos" / folder / "v1").glob("*.proto")]:
        text = path.read_text()
        [package] = re.findall(r"^package (.+);", text, re.MULTILINE)
        for service in re.findall(r"^service (\w+)", text, re.MULTILINE):
            body = text[text.index(f"service {service}") :]
            body = body[: body.index("\n}")]
            written |= {f"{package}.{service}/{rpc}" for rpc in re.findall(r"^  rpc (\w+)", body, re.MULTILINE)}
    assert set(server.RPCS) == written


def test_every_contract_is_some_servers() -> None:
    folders = {path.parts[-3] for path in (ROOT / "protos").glob("*/v1/*.proto")}
    assert folders == {folder for folders in CONTRACTS.values() for folder in folders}


@EACH
def test_every_rpc_has_a_row_and_every_row_an_rpc(name: str, server: Any, policy: Policy) -> None:
    assert policy.keys() - INFRASTRUCTURE.keys() == set(server.RPCS)


@EACH
async def test_every_rpc_is_implemented(name: str, server: Any, policy: Policy, pair: Pair) -> None:
    """An abstract servicer cannot be made without all its methods, and what is served answers something else."""
    from tests.calls import code

    channel = getattr(pair, name).channel
    for rpc in server.RPCS:
        call: Any = channel.unary_unary(f"/{rpc}")
        assert await code(call(b"")) != "UNIMPLEMENTED", rpc


@pytest.mark.parametrize("name", ["identity", "tenancy"])
async def test_a_missing_row_stops_the_start(pair: Pair, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, server, policy = next(each for each in SERVERS if each[0] == name)
    rpc = server.RPCS[3]
    monkeypatch.delitem(policy, rpc)
    with pytest.raises(RuntimeError, match=f"no row in access_policy.py for: {rpc}"):
        async with server.running(getattr(pair, f"{name}_settings")):
            pass
