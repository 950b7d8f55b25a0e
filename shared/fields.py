"""Read a request's fields: each reader returns a typed value or notes what is wrong with the field.

All bad fields of a request are reported at once, each with its limit; values are never echoed.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from shared.errors import ServiceError
from shared.json_objects import json_object
from shared.reasons import Reason
from shared.timestamps import EPOCH

NIL = UUID(int=0)
SLUG = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
NO_UUID = "a UUID of 36 characters is needed"
BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
MAX_BATCH = 1000
MAX_PASSWORD_BYTES = 1024
MAX_EXTERNAL_ID = 200
MAX_METADATA_BYTES = 8192
MAX_METADATA_LEVELS = 10


class Fields:
    """Use the readers inside a `with reading()` block; INVALID_ARGUMENT with every bad field is raised as it ends.

    `within` goes before the paths of all fields that are read until it is set again, as in `requests[3].`.
    """

    __slots__ = ("_wrong", "within")

    def __init__(self) -> None:
        self._wrong: list[tuple[str, str]] = []
        self.within = ""

    def __enter__(self) -> "Fields":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.check()

    def wrong(self, path: str, what: str) -> None:
        self._wrong.append((self.within + path, what))

    def check(self) -> None:
        if self._wrong:
            raise ServiceError(Reason.BAD_REQUEST, fields=tuple(self._wrong))

    def uuid(self, path: str, value: str) -> UUID:
        if UUID_TEXT.fullmatch(value):
            return UUID(value)
        self.wrong(path, NO_UUID)
        return NIL

    def optional_uuid(self, path: str, value: str) -> UUID | None:
        return self.uuid(path, value) if value else None

    def optional_id(self, path: str, value: str) -> str | None:
        """The same as text, in lower case: on the hot path an object of each id would cost more than the question."""
        if not value:
            return None
        if not UUID_TEXT.fullmatch(value):
            self.wrong(path, NO_UUID)
        return value.lower()

    def uuids(self, path: str, values: Sequence[str]) -> list[UUID]:
        self.batch(path, values)
        return [self.uuid(f"{path}[{n}]", value) for n, value in enumerate(values[:MAX_BATCH])]

    def batch(self, path: str, values: Sequence[object]) -> None:
        if not 1 <= len(values) <= MAX_BATCH:
            self.wrong(path, f"{len(values)} items, 1 to {MAX_BATCH:,} are allowed")

    def name(self, path: str, value: str, *, least: int = 0, most: int = 100) -> str:
        """A display name: NFC, without surrounding space, control or direction characters."""
        if len(value) > 4 * most:  # before any work on it
            self.wrong(path, f"{len(value)} characters, at most {most}")
            return ""
        text = unicodedata.normalize("NFC", value).strip()
        if not least <= len(text) <= most:
            self.wrong(path, f"{len(text)} characters, {least} to {most} are allowed")
        if any(unicodedata.category(c) in ("Cc", "Cs", "Cn") or c in BIDI_CONTROLS for c in text):
            self.wrong(path, "control, direction and unassigned characters are not allowed")
        return text

    def slug(self, path: str, value: str) -> str:
        """In lower case."""
        # ASCII first: lower() makes an ordinary k of the Kelvin sign.
        slug = value.lower() if value.isascii() else value
        if not (3 <= len(slug) <= 40 and SLUG.fullmatch(slug)):
            self.wrong(path, "3 to 40 of a-z, 0-9 and single hyphens inside are needed")
        return slug

    def email(self, path: str, value: str) -> str:
        """The address as written (NFC, domain lower-cased); `email_key` makes it comparable."""
        if len(value) > 254:
            self.wrong(path, f"{len(value)} characters, at most 254")
            return ""
        try:
            checked = validate_email(value, check_deliverability=False, strict=True, allow_smtputf8=False)
        except EmailNotValidError:
            self.wrong(path, "not an email address such as ada@example.com")
            return ""
        return checked.normalized

    def password(self, path: str, value: str, *, least: int, when: str = "without a second factor") -> str:
        """Any characters, never cut; NFC, so that every keyboard types the same password (NIST SP 800-63B)."""
        if len(value.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
            self.wrong(path, f"longer than {MAX_PASSWORD_BYTES:,} bytes")
            return ""
        text = unicodedata.normalize("NFC", value)
        if len(text) < least:
            self.wrong(path, f"{len(text)} characters, at least {least} {when}")
        return text

    def external_id(self, path: str, value: str) -> str | None:
        """An id of another system, kept as it is; None for an empty one."""
        if len(value) > MAX_EXTERNAL_ID:
            self.wrong(path, f"{len(value)} characters, at most {MAX_EXTERNAL_ID}")
        elif not value.isprintable() or value != value.strip():
            self.wrong(path, "control characters and space around it are not allowed")
        return value or None

    def metadata(self, path: str, value: Struct) -> dict[str, object]:
        """As JSON, the same once it is stored in a jsonb column and read again."""
        try:
            read = json_object(value, MAX_METADATA_LEVELS)
        except ValueError as wrong:
            self.wrong(path, str(wrong))
            return {}
        size = len(json.dumps(read, ensure_ascii=False, separators=(",", ":")).encode())
        if size > MAX_METADATA_BYTES:
            self.wrong(path, f"{size:,} bytes as JSON, at most {MAX_METADATA_BYTES:,}")
        return read

    def enum(self, path: str, value: int, allowed: Iterable[tuple[str, int]]) -> str:
        """The name that stands for `value` among the `allowed` (name, number) pairs."""
        names = {number: name for name, number in allowed}
        if value not in names:
            self.wrong(path, f"one of {', '.join(names.values())} is needed")
            return ""
        return names[value]

    def page_size(self, path: str, value: int) -> int:
        """0 means 50, more than 1,000 means 1,000, negative is refused (AIP-158)."""
        if value < 0:
            self.wrong(path, "negative, 0 to 1,000 are allowed")
        return min(value or 50, 1000)

    def token(self, path: str, value: str, *, most: int) -> str:
        if len(value) > most:
            self.wrong(path, f"longer than {most} characters")
            return ""
        return value

    def etag(self, path: str, value: str) -> str | None:
        """As it was read, or None if there is none. PostgreSQL takes no text with a NUL in it."""
        if not value.isprintable():
            self.wrong(path, "not an etag of ours")
            return None
        return value or None

    def optional_time(self, path: str, message: Message) -> datetime | None:
        """The Timestamp field `path` of `message`, in microseconds; None if it is not set."""
        if not message.HasField(path):
            return None
        value = getattr(message, path)
        try:
            if 0 <= value.nanos < 1_000_000_000:
                return EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
        except OverflowError:
            pass
        self.wrong(path, "not a time of the years 1 to 9999")
        return None

    def mask(self, path: str, mask: FieldMask, resource: Message, allowed: Sequence[str]) -> set[str]:
        """The paths to update; an empty mask means the allowed fields that are set (AIP-134)."""
        paths = set(mask.paths) or {f.name for f, _ in resource.ListFields() if f.name in allowed}
        if len(mask.paths) > len(allowed) or not paths <= set(allowed):
            self.wrong(path, f"only {', '.join(allowed)} can be updated")
        elif not paths:
            self.wrong(path, f"nothing to update; allowed: {', '.join(allowed)}")
        return paths & set(allowed)


# Handlers say `with reading() as read`. Not a generator with @contextmanager, which costs more than most fields.
reading = Fields


def email_key(email: str) -> str:
    """What makes two spellings one account. Not casefold(): it would merge straße@ with strasse@."""
    return email.lower()
