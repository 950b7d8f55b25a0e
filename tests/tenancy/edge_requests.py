"""Requests as Envoy asks about them."""

from protos.extauthz.v1.external_auth_pb2 import AttributeContext, CheckRequest


def edge_request(
    path: str = "/", headers: dict[str, str] | None = None, method: str = "GET", **extensions: str
) -> CheckRequest:
    """`extensions` are what Envoy's configuration says about the route."""
    http = AttributeContext.HttpRequest(method=method, path=path, host="api.example.com", headers=headers or {})
    return CheckRequest(
        attributes=AttributeContext(request=AttributeContext.Request(http=http), context_extensions=extensions)
    )
