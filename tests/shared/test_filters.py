"""Filters of lists: what they mean, what is refused and where, and that nothing breaks out of them."""

import pytest
from sqlalchemy import Column, DateTime, Integer, Text, column
from sqlalchemy.dialects import postgresql

from shared import filters
from shared.errors import ServiceError
from shared.fields import Fields, reading
from shared.filters import Field

FILTERS = {
    "email": Field(column("email", Text()), str.lower, has_prefixes=True),
    "state": Field(column("state", Text()), filters.one_of("ACTIVE", "SUSPENDED")),
    "create_time": Field(column("create_time", DateTime(timezone=True)), filters.time, "= < <= > >="),
    "size": Field(Column("size", Integer()), int, "= <"),
}


def sql(text: str) -> str:
    """The condition with its values in it."""
    with reading() as fields:
        condition = filters.read(fields, "filter", text, FILTERS)
    assert condition is not None
    dialect = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    compiled = condition.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return str(compiled)


def wrong(text: str) -> str:
    fields = Fields()
    assert filters.read(fields, "filter", text, FILTERS) is None
    with pytest.raises(ServiceError) as caught:
        fields.check()
    [(path, what)] = caught.value.fields
    assert path == "filter"
    return what


A, B, C = "state = 'ACTIVE'", "size = 1", "email = 'c'"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("state = ACTIVE", A),
        ("state=ACTIVE", A),
        (' state\n=\t"ACTIVE" ', A),
        ("state = 'ACTIVE'", A),
        ("(((state = ACTIVE)))", A),
        ("state != ACTIVE", "state != 'ACTIVE'"),
        ("NOT state = ACTIVE", "state != 'ACTIVE'"),
        ("-state = ACTIVE", "state != 'ACTIVE'"),
        ("- state = ACTIVE", "state != 'ACTIVE'"),
        ("size = -5", "size = -5"),
        ("-size = -5", "size != -5"),
        ("state = ACTIVE AND size = 1", f"{A} AND {B}"),
        ("state = ACTIVE size = 1", f"{A} AND {B}"),
        ("state = ACTIVE OR size = 1", f"{A} OR {B}"),
        # OR binds tighter than AND, other than in SQL.
        ("state = ACTIVE AND size = 1 OR email = c", f"{A} AND ({B} OR {C})"),
        ("state = ACTIVE OR size = 1 email = c", f"({A} OR {B}) AND {C}"),
        ("(state = ACTIVE AND size = 1) OR email = c", f"{A} AND {B} OR {C}"),
        ("NOT (state = ACTIVE OR size = 1)", f"NOT ({A} OR {B})"),
        ("-(state = ACTIVE size = 1)", f"NOT ({A} AND {B})"),
        ("email = Ada@Example.com", "email = 'ada@example.com'"),
        ('email = "it\'s"', "email = 'it''s'"),
        (r'email = "say \"hi\" \\ there"', "email = 'say \"hi\" \\ there'"),
        ("email = 'AND'", "email = 'and'"),
        ("email = ''", "email = ''"),
        ("email = Ada*", "email LIKE 'ada%'"),
        ('email = "A_d%/*"', r"email LIKE 'a\_d\%/%'"),
        ("email != ada*", "email NOT LIKE 'ada%'"),
        (r'email = "ada\*"', "email = 'ada*'"),
        ("email = a*b", "email = 'a*b'"),
        ("create_time >= 2026-01-31T00:00:00Z", "create_time >= '2026-01-31 00:00:00+00:00'"),
        ('create_time < "2026-01-31T12:00:00.5+05:30"', "create_time < '2026-01-31 12:00:00.500000+05:30'"),
    ],
)
def test_what_a_filter_means(text: str, meaning: str) -> None:
    assert sql(text) == meaning


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_filter_is_none(text: str) -> None:
    with reading() as fields:
        assert filters.read(fields, "filter", text, FILTERS) is None


FIELD = "one of the fields email, state, create_time, size is needed"
TIME = "a time with a zone is needed, such as 2026-01-31T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("secret", f"position 1: {FIELD}"),
        ('"state" = ACTIVE', f"position 1: {FIELD}"),
        ("state = ACTIVE secret = 1", f"position 16: {FIELD}"),
        ("State = ACTIVE", f"position 1: {FIELD}"),
        ("state.x = ACTIVE", f"position 1: {FIELD}"),
        ("state:ACTIVE", f"position 1: {FIELD}"),
        ("--state = ACTIVE", f"position 2: {FIELD}"),
        ("NOT NOT state = ACTIVE", f"position 5: {FIELD}"),
        ("AND state = ACTIVE", f"position 1: {FIELD}"),
        ("state = ACTIVE AND", f"position 19: {FIELD}"),
        ("state = ACTIVE OR OR size = 1", f"position 19: {FIELD}"),
        ("()", f"position 2: {FIELD}"),
        ("state", "position 6: one of = != is needed"),
        ("state ACTIVE", "position 7: one of = != is needed"),
        ("state < ACTIVE", "position 7: one of = != is needed"),
        ('state "=" ACTIVE', "position 7: one of = != is needed"),
        ("create_time != 2026-01-31T00:00:00Z", "position 13: one of = < <= > >= is needed"),
        ("state =", "position 8: a value is needed"),
        ("state = (ACTIVE)", "position 9: a value is needed"),
        ("state = NOT", "position 9: a value is needed"),
        ("state = = ACTIVE", "position 9: a value is needed"),
        ("state = secret", "position 9: one of ACTIVE, SUSPENDED is needed"),
        ("state = ACT*", "position 9: one of ACTIVE, SUSPENDED is needed"),
        ("create_time > 2026-01-31T00:00:00", f"position 15: {TIME}"),
        ("create_time > 2026-02-31T00:00:00Z", f"position 15: {TIME}"),
        ("create_time > 2026-01-31", f"position 15: {TIME}"),
        ("create_time > 20260131T000000Z", f"position 15: {TIME}"),
        ("create_time > secret", f"position 15: {TIME}"),
        ("(state = ACTIVE", "position 16: a closing parenthesis is missing"),
        ("state = ACTIVE)", "position 15: a parenthesis that was not opened"),
        (")", f"position 1: {FIELD}"),
        ('email = "secret', "position 9: a quotation without its end"),
        ("email = 'secret\\'", "position 9: a quotation without its end"),
        ("email = a\0b", "position 10: not understood"),
        ('email = "a\0b"', "position 9: a quotation without its end"),
        ("email ! ada", "position 7: not understood"),
        ("email = " + "x" * 993, "1001 characters, at most 1,000"),
        (" ".join(["size=1"] * 21), "position 141: more than 60 words and signs"),
        ("(" * 61, "position 61: more than 60 words and signs"),
    ],
)
def test_what_is_wrong_is_told_with_its_position_and_without_the_text(text: str, what: str) -> None:
    assert wrong(text) == what
    assert "ecret" not in what


def test_the_longest_and_deepest_filters_are_read() -> None:
    assert sql("email = " + "x" * 992).endswith("x'")
    assert sql(" ".join(["size=1"] * 20)).count("size = 1") == 20
    assert sql("(" * 28 + "size=1" + ")" * 28) == "size = 1"
    assert sql("NOT (" * 19 + "size=1" + ")" * 19) == "size != 1"
