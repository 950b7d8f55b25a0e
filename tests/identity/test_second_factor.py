"""Codes of an authenticator app and recovery codes, and signing in with them."""

import asyncio
from uuid import UUID

import pyotp
import pytest

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.second_factor import SecondFactors, totp
from shared.database import Database
from tenantry.testing.pair import Pair
from tenantry.testing.people import People, TestPerson
from tests.identity.conftest import Rows


# The vectors of RFC 6238's appendix B for SHA-1, whose last six of eight digits are ours.
@pytest.mark.parametrize(
    ("seconds", "digits"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_rfc(seconds: int, digits: str) -> None:
    assert totp(b"12345678901234567890").generate_otp(seconds // 30) == digits[-6:]
