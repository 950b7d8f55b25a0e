"""Slugs of organizations: old ones keep leading there, and none ever leads to somebody else before it is free."""

import asyncio
from typing import Any

import grpc
import pytest

from protos.tenancy.v1 import organizations_pb2 as pb
from shared.fields import SLUG
from shared.reasons import Reason
from tenancy_service.queries.organizations import OLD_SLUGS
from tenancy_service.reserved_slugs import RESERVED
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import code, fails
from tests.tenancy import races
from tests.tenancy.rpcs import call


async def created(tenancy: grpc.aio.Channel, owner: TestPerson, slug: str) -> str:
    made = await call(tenancy, pb.CreateOrganizationRequest(slug=slug), owner.metadata)
    organization_id: str = made.organization.organization_id
    return organization_id


async def renamed(tenancy: grpc.aio.Channel, owner: TestPerson, organization_id: str, slug: str) -> Any:
    change = pb.Organization(organization_id=organization_id, slug=slug)
    return (await call(tenancy, pb.UpdateOrganizationRequest(organization=change), owner.metadata)).organization


async def found(tenancy: grpc.aio.Channel, owner: TestPerson, slug: str) -> str:
    """Its id, or why not."""
    try:
        answer = await call(tenancy, pb.GetOrganizationRequest(slug=slug), owner.metadata)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    organization_id: str = answer.organization.organization_id
    return organization_id


async def test_a_slug_is_lower_cased_where_it_is_given_and_where_it_is_looked_up(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, slug = await people.person(), people.slug("mixed")
    acme = await created(tenancy, ada, slug.title())
    assert await found(tenancy, ada, slug) == acme
    assert await found(tenancy, ada, slug.upper()) == acme
    async with fails(Reason.SLUG_TAKEN):
        await created(tenancy, ada, slug.upper())


@pytest.mark.parametrize("slug", ["admin", "Api", "SETTINGS", "sign-in", "www"])
async def test_a_reserved_word_is_refused(tenancy: grpc.aio.Channel, people: People, slug: str) -> None:
    ada = await people.person()
    async with fails(Reason.BAD_REQUEST) as failure:
        await created(tenancy, ada, slug)
    assert failure.fields == {"slug": "this word is reserved"}


def test_every_reserved_word_could_be_a_slug() -> None:
    assert [word for word in RESERVED if len(word) < 3 or not SLUG.fullmatch(word)] == []


async def test_an_old_slug_keeps_leading_there_and_to_nobody_else(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, zoe = await people.persons(2)
    old, new = people.slug("old"), people.slug("new")
    acme = await created(tenancy, ada, old)
    assert (await renamed(tenancy, ada, acme, new)).slug == new
    assert await found(tenancy, ada, old) == await found(tenancy, ada, new) == acme
    other = await created(tenancy, zoe, people.slug())
    for taken in (old, new):
        async with fails(Reason.SLUG_TAKEN):
            await created(tenancy, zoe, taken)
        async with fails(Reason.SLUG_TAKEN):
            await renamed(tenancy, zoe, other, taken)
    assert await found(tenancy, zoe, old) == "PERMISSION_DENIED"
    assert (await renamed(tenancy, ada, acme, old)).slug == old
    assert await found(tenancy, ada, new) == acme


async def test_the_slugs_of_a_deleted_organization_stay_taken_and_lead_nowhere(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, zoe = await people.persons(2)
    old, new = people.slug("old"), people.slug("new")
    acme = await created(tenancy, ada, old)
    await renamed(tenancy, ada, acme, new)
    await call(tenancy, pb.DeleteOrganizationRequest(organization_id=acme), ada.metadata)
    for slug in (old, new):
        assert await found(tenancy, ada, slug) == "PERMISSION_DENIED"
        async with fails(Reason.SLUG_TAKEN):
            await created(tenancy, zoe, slug)
    await call(tenancy, pb.UndeleteOrganizationRequest(organization_id=acme), ada.metadata)
    assert await found(tenancy, ada, old) == acme


async def test_ten_old_slugs_are_kept_and_the_one_given_up_longest_ago_is_free(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, zoe = await people.persons(2)
    slugs = [people.slug("name") for _ in range(OLD_SLUGS + 2)]
    acme = await created(tenancy, ada, slugs[0])
    for slug in slugs[1 : OLD_SLUGS + 1]:
        await renamed(tenancy, ada, acme, slug)
    assert await found(tenancy, ada, slugs[0]) == acme
    # Back to the first, and on: it is the youngest of the old ones now, and the second goes.
    await renamed(tenancy, ada, acme, slugs[0])
    await renamed(tenancy, ada, acme, slugs[-1])
    assert await found(tenancy, ada, slugs[1]) == "PERMISSION_DENIED"
    assert {await found(tenancy, ada, slug) for slug in (slugs[0], *slugs[2:])} == {acme}
    [[kept]] = await races.rows(pair, "SELECT count(*) FROM organization_slugs WHERE organization_id = %s", [acme])
    assert kept == OLD_SLUGS + 1
    await created(tenancy, zoe, slugs[1])


async def test_of_two_who_want_a_slug_at_once_one_gets_it(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    """The one for a new organization, the other for one that there is."""
    count, bo = 20, await people.person()

    async def race(wanted: tuple[TestPerson, str, str]) -> list[str]:
        ada, slug, organization_id = wanted
        calls = (created(tenancy, ada, slug), renamed(tenancy, bo, organization_id, slug))
        return sorted(await asyncio.gather(*map(races.told, calls)))

    creators = await people.persons(count)
    slugs = [people.slug("wanted") for _ in range(count)]
    places = await races.organizations(pair, count, OWNER=bo.user_id)
    outcomes = [await race(wanted) for wanted in zip(creators, slugs, places, strict=True)]
    query = "SELECT o.slug FROM organization_slugs s JOIN organizations o USING (organization_id) WHERE s.slug = %s"
    for slug, told in zip(slugs, outcomes, strict=True):
        assert told in (["OK", "SLUG_TAKEN"], [races.CONFLICT, "OK"])
        assert await races.rows(pair, query, [slug]) == [(slug,)]


async def test_by_slug_a_service_finds_it_and_an_unknown_one_is_denied(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, slug = await people.person(), people.slug()
    await created(tenancy, ada, slug)
    assert await code(call(tenancy, pb.GetOrganizationRequest(slug=slug), AS_OPERATOR)) == "OK"
    assert await code(call(tenancy, pb.GetOrganizationRequest(slug=people.slug()), AS_OPERATOR)) == "PERMISSION_DENIED"
