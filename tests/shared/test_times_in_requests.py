"""Times in requests: any that there is, in the precision of the database."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from protos.tenancy.v1.organizations_pb2 import Organization
from shared.errors import ServiceError
from shared.fields import Fields


@pytest.mark.parametrize(
    ("seconds", "nanos", "read"),
    [
        (0, 0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1, 1_999, datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)),
        (253402300799, 999_999_999, datetime.max.replace(tzinfo=UTC)),
        (-62135596800, 0, datetime.min.replace(tzinfo=UTC)),
        (253402300800, 0, None),
        (-62135596801, 0, None),
        (2**63 - 1, 0, None),
        (-(2**63), 0, None),
        (1, -1, None),
        (1, 1_000_000_000, None),
    ],
)
def test_a_time_is_read_in_microseconds_or_is_none_that_there_is(
    seconds: int, nanos: int, read: datetime | None
) -> None:
    message = Organization(create_time=Timestamp(seconds=seconds, nanos=nanos))
    fields = Fields()
    assert fields.optional_time("create_time", message) == read
    if read is None:
        with pytest.raises(ServiceError, match="create_time: not a time of the years 1 to 9999"):
            fields.check()
    fields = Fields()
    assert fields.optional_time("create_time", Organization()) is None
    fields.check()
