"""Only who has read a thing as it is now changes it (AIP-154)."""

from shared.database import Row
from shared.errors import ServiceError
from shared.reasons import Reason
from tenancy_service import to_proto


def check(row: Row, etag: str | None) -> None:
    """ETAG_MISMATCH if the row has another by now; without an etag anybody may. The row is locked by the caller."""
    if etag is not None and etag != to_proto.etag(row):
        raise ServiceError(Reason.ETAG_MISMATCH)
