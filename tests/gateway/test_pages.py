"""The files behind /docs: as they are answered, and whose they are."""

import pytest

from tenantry.gateway.pages import FOLDER, PAGES, POLICY, Page
from tests import npm
from tests.gateway.gateways import Gateway
from tests.gateway.test_bruno import NODE

COPIED = ("swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "LICENSE", "NOTICE")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
async def test_a_file_is_answered_as_it_is_with_a_policy_that_lets_nothing_else_in(
    gateway: Gateway, page: Page
) -> None:
    answer = await gateway.call("GET", page.path)
    assert answer.status_code == 200
    assert answer.content == page.file.read_bytes()
    assert answer.headers.get_list("content-type") == [page.content_type]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert (await gateway.call("POST", page.path)).status_code == 404


def test_swagger_ui_is_the_one_that_npm_pins_by_its_hash() -> None:
    package = npm.install(NODE).parent / "swagger-ui-dist"
    for name in COPIED:
        assert (FOLDER / "swagger-ui" / name).read_bytes() == (package / name).read_bytes(), name
