"""tenancy.v1.OrganizationMemberService: memberships read and listed, with names of identity's, found by them."""

import unicodedata
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest

from protos.tenancy.v1 import organization_members_pb2 as pb
from protos.tenancy.v1 import project_members_pb2 as project_pb
from shared.database import Database
from shared.reasons import Reason
from tenancy_service.identity_client import IdentityClient, User
from tenancy_service.queries import user_names
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import fails
from tests.tenancy.member_calls import add, get, org_role
from tests.tenancy.races import rows
from tests.tenancy.rpcs import call
from tests.tenancy.test_identity_faults import tenancy_behind

MANY_MEMBERS = """INSERT INTO organization_members (organization_id, user_id, role)
                  SELECT %s, gen_random_uuid(), 'MEMBER' FROM generate_series(1, %s) RETURNING 1"""
NAMED = "SELECT email_key, name_key FROM user_names WHERE user_id = %s"
MEMBER = "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, 'MEMBER') RETURNING 1"
DELETED = "UPDATE users SET state = 'DELETED', delete_time = now(), purge_time = now() WHERE user_id = %s"


async def walk(channel: grpc.aio.Channel, request: Any, metadata: Metadata) -> list[Any]:
    """All members of a list, page by page."""
    found: list[Any] = []
    while True:
        page = await call(channel, request, metadata)
        found += page.members
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return found


async def found_by(tenancy: grpc.aio.Channel, organization_id: str, filter_: str) -> set[str]:
    request = pb.ListOrganizationMembersRequest(organization_id=organization_id, filter=filter_, page_size=2)
    return {member.user_id for member in await walk(tenancy, request, AS_OPERATOR)}


async def test_everybody_reads_their_own_membership_and_members_that_of_others(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    [ada] = await people.persons(1, "Ada")
    bo, guest, outsider = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo, GUEST=guest)
    for metadata in (ada.metadata, bo.metadata, AS_OPERATOR):
        member = (await call(tenancy, get(acme, ada.user_id), metadata)).member
        assert (member.organization_id, member.user_id, member.role) == (acme, ada.user_id, org_role("OWNER"))
        assert (member.email, member.display_name, member.etag) == (ada.email, "Ada", "1")
        async with fails(Reason.MEMBER_NOT_FOUND):
            await call(tenancy, get(acme, outsider.user_id), metadata)
    assert (await call(tenancy, get(acme, guest.user_id), guest.metadata)).member.email == guest.email
    for person, of in ((guest, bo), (guest, outsider), (outsider, bo), (outsider, outsider)):
        async with fails(Reason.PERMISSION_DENIED):
            await call(tenancy, get(acme, of.user_id), person.metadata)


async def test_a_user_whom_identity_no_longer_has_is_a_member_without_a_name(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    """For as long as tenancy has not heard of it: a moment, so the rows are written as they are then."""
    ada, deleted = await people.persons(2)
    acme, gone = await people.organization(ada), str(uuid4())
    for user_id in (gone, deleted.user_id):
        assert await rows(pair, MEMBER, (acme, user_id))
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as connection:
        await connection.execute(DELETED, (deleted.user_id,))
    listed = await walk(tenancy, pb.ListOrganizationMembersRequest(organization_id=acme), ada.metadata)
    told = {member.user_id: (member.email, member.display_name) for member in listed}
    assert told == {ada.user_id: (ada.email, "person"), gone: ("", ""), deleted.user_id: ("", "")}
    assert (await call(tenancy, get(acme, gone), ada.metadata)).member.email == ""


async def test_names_are_asked_for_once_a_page_and_only_for_the_page(
    tenancy: grpc.aio.Channel, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, *others = await people.persons(5)
    acme = await people.organization(ada, MEMBER=others)
    asked, users = [], IdentityClient.users

    async def counted(self: IdentityClient, user_ids: Sequence[UUID]) -> dict[UUID, User]:
        asked.append(len(user_ids))
        return await users(self, user_ids)

    monkeypatch.setattr(IdentityClient, "users", counted)
    request = pb.ListOrganizationMembersRequest(organization_id=acme, page_size=2)
    listed = await walk(tenancy, request, ada.metadata)
    assert asked == [2, 2, 1]
    assert {member.email for member in listed} == {person.email for person in (ada, *others)}


async def test_without_identity_there_are_no_members_without_names(pair: Pair, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    async with tenancy_behind(pair, "127.0.0.1:1") as tenancy:
        for request in (
            get(acme, ada.user_id),
            pb.ListOrganizationMembersRequest(organization_id=acme),
            project_pb.GetProjectMemberRequest(project_id=api, user_id=ada.user_id),
            project_pb.ListProjectMembersRequest(project_id=api),
        ):
            async with fails(Reason.IDENTITY_UNAVAILABLE):
                await call(tenancy.channel, request, AS_OPERATOR)


async def test_members_are_found_by_role_address_and_name(tenancy: grpc.aio.Channel, people: People) -> None:
    owner = await people.person()
    acme = await people.organization(owner)
    [ada] = await people.persons(1, "ada")
    [adam] = await people.persons(1, "Adam_B")
    [zoe] = await people.persons(1, unicodedata.normalize("NFC", "Zoë"))
    [elsewhere] = await people.persons(1, "ada")
    await people.organization(elsewhere)
    for person, role in ((ada, "MEMBER"), (adam, "ADMIN"), (zoe, "GUEST")):
        await people.add(acme, person, role)
    decomposed = unicodedata.normalize("NFD", "ZOË")
    for filter_, found in {
        "role = MEMBER": {ada},
        "role != MEMBER": {owner, adam, zoe},
        "role = ADMIN OR role = GUEST": {adam, zoe},
        'email = "ada*"': {ada, adam},
        'email = "ADA*"': {ada, adam},
        f'email = "{ada.email.upper()}"': {ada},
        f"email = {ada.email}": {ada},
        'email = "ada"': set(),
        'display_name = "ada"': {ada},
        'display_name = "ADA*"': {ada, adam},
        'display_name = "adam_*"': {adam},
        'display_name = "ad_m*"': set(),
        f'display_name = "{decomposed}"': {zoe},
        'display_name = "zo*" OR role = ADMIN': {adam, zoe},
        'email = "ada*" AND NOT role = MEMBER': {adam},
        'email = "ada*" -display_name = "ada"': {adam},
    }.items():
        assert await found_by(tenancy, acme, filter_) == {person.user_id for person in found}, filter_


@pytest.mark.parametrize(
    "wrong",
    ["user_id = 5", "role = BOSS", "email != ada", "display_name > a", "email", "(role = GUEST", "x" * 1001],
)
async def test_a_filter_that_is_not_understood_is_refused(
    tenancy: grpc.aio.Channel, people: People, wrong: str
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    request = pb.ListOrganizationMembersRequest(organization_id=acme, filter=wrong)
    async with fails(Reason.BAD_REQUEST) as failure:
        await call(tenancy, request, ada.metadata)
    assert list(failure.fields) == ["filter"]


async def test_a_page_token_is_good_for_its_filter_only(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, *others = await people.persons(3)
    acme = await people.organization(ada, MEMBER=others)
    request = pb.ListOrganizationMembersRequest(organization_id=acme, page_size=1, filter="role = MEMBER")
    request.page_token = (await call(tenancy, request, ada.metadata)).next_page_token
    assert request.page_token
    await call(tenancy, request, ada.metadata)
    request.filter = ""
    async with fails(Reason.BAD_REQUEST) as failure:
        await call(tenancy, request, ada.metadata)
    assert list(failure.fields) == ["page_token"]


async def test_a_new_member_is_found_by_name_at_once(pair: Pair, tenancy: grpc.aio.Channel, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    [bo] = await people.persons(1, "Bo")
    await call(tenancy, add(acme, bo.user_id, "MEMBER"), AS_OPERATOR)
    assert await rows(pair, NAMED, (bo.user_id,)) == [(bo.email.lower(), "bo")]
    assert await found_by(tenancy, acme, 'display_name = "bo"') == {bo.user_id}


async def test_what_identity_has_told_of_a_name_is_kept_when_the_user_is_added_somewhere(pair: Pair) -> None:
    user_id = uuid4()
    database = Database(pair.tenancy.database_url, pool_size=1, name="tests", constraint_errors={})
    for name in ("Countess", "Ada"):
        async with database.transaction() as tx:
            await user_names.insert_user_name(tx, user_id=user_id, email="Ada@example.com", display_name=name)
    await database.close()
    assert await rows(pair, NAMED, (str(user_id),)) == [("ada@example.com", "countess")]


async def test_fifty_thousand_members_are_listed_whole_and_each_once(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, zoe = await people.persons(2)
    acme = await people.organization(ada, MEMBER=zoe)
    api = await people.project(acme, ada)
    assert len(await rows(pair, MANY_MEMBERS, (acme, 49_998))) == 49_998
    for request in (
        pb.ListOrganizationMembersRequest(organization_id=acme, page_size=5000),
        project_pb.ListProjectMembersRequest(project_id=api, page_size=5000),
    ):
        pages = 0
        found: list[str] = []
        while not pages or request.page_token:
            page = await call(tenancy, request, ada.metadata)
            assert len(page.members) == 1000
            found += [member.user_id for member in page.members]
            request.page_token = page.next_page_token
            pages += 1
        assert (pages, len(found)) == (50, 50_000)
        assert found == sorted(set(found))
    assert await found_by(tenancy, acme, f'email = "{zoe.email[:-4]}*"') == {zoe.user_id}
    assert await found_by(tenancy, acme, "role = OWNER") == {ada.user_id}


async def test_members_of_another_organization_are_hidden_like_one_that_is_not_there(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, zoe = await people.persons(2)
    acme = await people.organization(ada)
    for organization_id in (acme, str(uuid4())):
        request = pb.ListOrganizationMembersRequest(organization_id=organization_id, filter='email = "ada*"')
        async with fails(Reason.PERMISSION_DENIED):
            await call(tenancy, request, zoe.metadata)
