"""The kinds of rows that an access policy is made of: who may call an RPC."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.descriptor import ServiceDescriptor


@dataclass(frozen=True, slots=True)
class Rule:
    """At least one of the three; `services` None means none, empty means every service with a key."""

    public: bool = False
    person: bool = False
    services: frozenset[str] | None = None
    session_checked_by_handler: bool = False


PUBLIC = Rule(public=True)
SESSION = Rule(person=True)
SERVICE = Rule(services=frozenset())
SESSION_OR_SERVICE = Rule(person=True, services=frozenset())
# The handler asks about the session together with its own question, in one batch.
SESSION_IN_CHECK = Rule(person=True, services=frozenset(), session_checked_by_handler=True)

Policy = dict[str, Rule]

# What every server of ours offers beside its own services.
INFRASTRUCTURE: Policy = {
    "grpc.health.v1.Health/Check": PUBLIC,
    "grpc.health.v1.Health/List": PUBLIC,
    "grpc.health.v1.Health/Watch": PUBLIC,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": PUBLIC,
}


def rpc_names(services: Iterable[ServiceDescriptor]) -> list[str]:
    """As the policy calls them: tenancy.v1.AccessService/CheckAccess."""
    return [f"{service.full_name}/{method.name}" for service in services for method in service.methods]


def refuse_gaps(policy: Policy, rpcs: Iterable[str]) -> None:
    """Deny by default: a server with an RPC that has no row does not start."""
    without_row = sorted(set(rpcs) - policy.keys())
    if without_row:
        raise RuntimeError(f"no row in access_policy.py for: {', '.join(without_row)}")
