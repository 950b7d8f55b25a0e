"""What the gateway makes of its settings."""

import pytest

from tenantry.gateway.settings import GatewaySettings


@pytest.mark.parametrize(
    ("address", "certificate", "origins"),
    [
        ("127.0.0.1:8080", None, ("http://127.0.0.1:8080", "http://localhost:8080")),
        ("0.0.0.0:8080", None, ()),
        ("auth.example.com:443", "/tls", ("https://auth.example.com",)),
        ("auth.example.com:80", None, ("http://auth.example.com",)),
        ("10.0.0.5:8443", "/tls", ("https://10.0.0.5:8443",)),
    ],
)
def test_its_own_origins_are_written_as_browsers_do(
    address: str, certificate: str | None, origins: tuple[str, ...]
) -> None:
    files = {"GATEWAY_CERTIFICATE": certificate, "GATEWAY_PRIVATE_KEY": certificate} if certificate else {}
    assert GatewaySettings.model_validate({"GATEWAY_ADDRESS": address, **files}).own_origins == origins
