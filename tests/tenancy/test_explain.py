"""Every row of the role table, explained, without a server: the path, the sentence, and what would be needed."""

from datetime import UTC, datetime
from itertools import product

import pytest

from tenancy_service.explain import Explanation, Membership, Override, explain
from tenancy_service.permissions import BUILT_IN, LeastRole, access, is_allowed
from tenancy_service.permissions import OrgRole as R
from tenancy_service.permissions import ProjectRole as P

DAY = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
RESTART = "containers:restart"


def told(
    role: R | None,
    override: P | None = None,
    *,
    default: P = P.VIEWER,
    permission: str = RESTART,
    least: LeastRole = P.EDITOR,
    on_project: bool = True,
) -> Explanation:
    membership = None if role is None else Membership(role, "acme", default)
    set_here = None if override is None else Override(override, "api", "ada@example.com", DAY)
    return explain(permission, least, membership, set_here, on_project=on_project)


@pytest.mark.parametrize(
    ("role", "override", "sentence"),
    [
        (R.OWNER, None, "OWNER of acme; owners are ADMIN on every project; containers:restart needs EDITOR: allowed"),
        # An override that an owner should not have does not count.
        (R.OWNER, P.NONE, "OWNER of acme; owners are ADMIN on every project; containers:restart needs EDITOR: allowed"),
        (R.ADMIN, None, "ADMIN of acme; admins are ADMIN on projects; containers:restart needs EDITOR: allowed"),
        (
            R.ADMIN,
            P.VIEWER,
            "ADMIN of acme; admins are ADMIN on projects; overridden to VIEWER on api by ada@example.com on "
            "2026-11-22; containers:restart needs EDITOR: not allowed",
        ),
        (R.MEMBER, None, "MEMBER of acme; acme gives members VIEWER; containers:restart needs EDITOR: not allowed"),
        (
            R.MEMBER,
            P.EDITOR,
            "MEMBER of acme; acme gives members VIEWER; overridden to EDITOR on api by ada@example.com on 2026-11-22; "
            "containers:restart needs EDITOR: allowed",
        ),
        (
            R.MEMBER,
            P.NONE,
            "MEMBER of acme; acme gives members VIEWER; overridden to NONE on api by ada@example.com on 2026-11-22; "
            "containers:restart needs EDITOR: not allowed",
        ),
        (R.GUEST, None, "GUEST of acme; guests have no role on projects; containers:restart needs EDITOR: not allowed"),
        (
            R.GUEST,
            P.ADMIN,
            "GUEST of acme; guests have no role on projects; overridden to ADMIN on api by ada@example.com on "
            "2026-11-22; containers:restart needs EDITOR: allowed",
        ),
        (
            None,
            None,
            "not a member of the organization, or there is no such place; containers:restart needs EDITOR: not allowed",
        ),
    ],
)
def test_a_row_of_the_role_table_is_one_sentence(role: R | None, override: P | None, sentence: str) -> None:
    assert told(role, override).sentence == sentence


@pytest.mark.parametrize("default", P)
def test_what_the_organization_gives_its_members_is_said(default: P) -> None:
    found = told(R.MEMBER, default=default)
    assert found.inherited is default
    assert f"acme gives members {default.name}; " in found.sentence


@pytest.mark.parametrize("on_project", [False, True])
def test_an_organization_permission_is_decided_by_the_membership_alone(on_project: bool) -> None:
    found = told(
        R.MEMBER, P.ADMIN if on_project else None, permission="members:update", least=R.ADMIN, on_project=on_project
    )
    assert found.sentence == "MEMBER of acme; members:update needs ADMIN of acme: not allowed"
    assert (found.inherited, found.override, found.needed) == (None, None, R.ADMIN)
    assert (found.access.project_role is P.ADMIN) is on_project


def test_times_at_which_it_ends_are_said() -> None:
    membership = Membership(R.GUEST, "acme", P.NONE, DAY)
    override = Override(P.VIEWER, "api", "service billing", DAY, DAY)
    assert explain("project:read", P.VIEWER, membership, override, on_project=True).sentence == (
        "GUEST of acme until 2026-11-22 09:30 UTC; guests have no role on projects; overridden to VIEWER on api by "
        "service billing on 2026-11-22 until 2026-11-22 09:30 UTC; project:read needs VIEWER: allowed"
    )


def test_what_nobody_knows_of_an_override_is_left_out() -> None:
    found = explain(
        "project:read", P.VIEWER, Membership(R.GUEST, "acme", P.NONE), Override(P.VIEWER, "api"), on_project=True
    )
    assert "; overridden to VIEWER on api; " in found.sentence


@pytest.mark.parametrize(("role", "override", "default"), list(product([None, *R], [None, *P], P)))
def test_it_agrees_with_the_check_and_says_what_would_do(role: R | None, override: P | None, default: P) -> None:
    for permission, least in BUILT_IN.items():
        found = told(role, override if role else None, default=default, permission=permission, least=least)
        assert found.access == access(role, override, default, on_project=True)
        assert found.is_allowed is is_allowed(least, found.access)
        assert found.sentence.endswith(": allowed") is found.is_allowed
        assert found.needed is (None if found.is_allowed or role is None else least)


@pytest.mark.parametrize("least", [*R, *P])
def test_to_somebody_who_is_no_member_no_place_is_named(least: LeastRole) -> None:
    found = told(None, least=least)
    assert (found.membership, found.inherited, found.override, found.needed) == (None, None, None, None)
    assert "acme" not in found.sentence
    assert "api" not in found.sentence
