"""The pages name every setting with its default, every action of the audit and every permission."""

import re
from typing import Any

import pytest
from pydantic import AliasChoices

from identity_service.audit import Action as IdentityAction
from identity_service.settings import Settings as IdentitySettings
from shared.settings import CommonSettings
from tenancy_service.audit import Action as TenancyAction
from tenancy_service.settings import Settings as TenancySettings
from tenantry import permissions_page
from tenantry.gateway.settings import GatewaySettings
from tests.architecture.project import ROOT

LISTS = ("IDENTITY_ADDRESSES", "TENANCY_ADDRESSES")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
IDENTITY = (ROOT / "docs" / "identity.md").read_text()
TENANCY = (ROOT / "docs" / "tenancy.md").read_text()
OF_ONE_SERVICE = [page.partition("## Settings")[2].partition("\n## ")[0] for page in (IDENTITY, TENANCY)]
TOLD = "".join([OPERATIONS, *OF_ONE_SERVICE])
ROWS = re.findall(r"^\| (`[A-Z_`, ]+`) \| (?:(?:both|tenancy) \| )?([^|]+) \|", TOLD, re.MULTILINE)
DOCUMENTED = {
    name: default
    for names, defaults in ROWS
    for name, default in zip(re.findall("[A-Z_]+", names), defaults.split(", ") * 9, strict=False)
}
FIELDS = {
    str(name): field
    for settings in (CommonSettings, TenancySettings, IdentitySettings)
    for field in settings.model_fields.values()
    for name in [field.validation_alias.choices[0] if isinstance(field.validation_alias, AliasChoices) else field.alias]
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_documented_with_its_default(name: str) -> None:
    said, default = DOCUMENTED[name], FIELDS[name].default
    if FIELDS[name].is_required():
        assert said == "needed"
    elif default in (None, (), "") or isinstance(default, dict):
        assert said == "none"
    else:
        assert said.partition("`")[2].partition("`")[0] == shown(default)


def shown(default: Any) -> str:
    return {True: "on", False: "off"}[default] if isinstance(default, bool) else str(default)


def test_nothing_else_is_documented() -> None:
    assert DOCUMENTED.keys() == FIELDS.keys()


def test_the_gateways_settings_are_documented_with_their_defaults() -> None:
    page = (ROOT / "docs" / "gateway.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    said = {name: text.strip(" `") for name, text in re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", page, re.MULTILINE)}
    defaults = {}
    for field in GatewaySettings.model_fields.values():
        value = field.default[0] if field.default and field.alias in LISTS else field.default
        defaults[field.alias] = "none" if value in (None, ()) else shown(value)
    assert said == defaults


@pytest.mark.parametrize("action", IdentityAction)
def test_an_action_of_identitys_audit_is_documented(action: IdentityAction) -> None:
    assert f"`{action}`" in IDENTITY


@pytest.mark.parametrize("action", TenancyAction)
def test_an_action_of_tenancys_audit_is_documented(action: TenancyAction) -> None:
    assert f"`{action}`" in TENANCY


def test_the_table_of_permissions_is_current() -> None:
    assert permissions_page.page(TENANCY) == TENANCY, "write it anew: python -m tenantry.permissions_page"
