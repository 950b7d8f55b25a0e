"""The catalogue of reasons: complete, used, and documented as it is."""

import re

import pytest

from shared.reasons import Reason
from tenantry.errors_page import PAGE, page
from tests.architecture.project import python_files


def test_the_page_of_errors_is_current() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tenantry.errors_page"


def test_no_two_reasons_are_the_same() -> None:
    assert len(Reason) == len(Reason.__members__)


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_a_reason_is_raised_somewhere_and_says_what_happened_and_what_to_do(reason: Reason) -> None:
    places = python_files("shared", "identity_service", "tenancy_service", "tenantry")
    assert any(re.search(rf"Reason\.{reason.name}\b", path.read_text()) for path in places)
    for text in (reason.value.happened, reason.value.next_step):
        assert len(text) > 10
        assert "  " not in text
    assert reason.value.happened.endswith((".", '<token>".', '<secret>".'))
