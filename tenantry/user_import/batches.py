"""Records in batches that one call can take, each with an id that makes a repeat count once."""

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TextIO

from protos.identity.v1.user_imports_pb2 import ImportedUser
from protos.identity.v1.users_pb2 import ImportUsersRequest
from tenantry.user_import.person import UnfitError
from tenantry.user_import.plan import Plan
from tenantry.user_import.records import Record

MOST_USERS = 1000
MOST_BYTES = 200_000  # a call takes 256 KiB
OVERHEAD = 8  # of each user in its message
NAMESPACE = uuid.UUID("6e1c6a0e-6f2d-5a2b-9b57-0c2f3d1a7e44")


@dataclass(slots=True)
class Batch:
    """Consecutive records: those that can be sent, and those that are refused here."""

    position: int
    sent: list[tuple[Record, ImportedUser]] = field(default_factory=list)
    refused: list[tuple[Record, str]] = field(default_factory=list)
    size: int = 0

    @property
    def count(self) -> int:
        return len(self.sent) + len(self.refused)

    def request(self, sha256: str) -> ImportUsersRequest:
        """Of the same file, place and content, the same `request_id`."""
        request = ImportUsersRequest(users=[user for _, user in self.sent])
        content = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
        request.request_id = str(uuid.uuid5(NAMESPACE, f"{sha256} {self.position} {content}"))
        return request


def batches(plan: Plan, file: TextIO, position: int, most: int = MOST_USERS) -> Iterator[Batch]:
    """Those from `position` on; the ones before are read past."""
    batch = Batch(position)
    for number, record in enumerate(plan.records(file)):
        if number < position:
            continue
        try:
            user = plan.user(record)
        except UnfitError as unfit:
            batch.refused.append((record, str(unfit)))
        else:
            size = user.ByteSize() + OVERHEAD
            if batch.size + size > MOST_BYTES:
                yield batch
                batch = Batch(batch.position + batch.count)
            batch.sent.append((record, user))
            batch.size += size
        if batch.count == most:
            yield batch
            batch = Batch(batch.position + batch.count)
    if batch.count:
        yield batch
