"""What the catalogue of reasons is made of."""

from typing import NamedTuple

from grpc import StatusCode


class Entry(NamedTuple):
    """What a caller reads; `{braces}` are filled in where the error is raised."""

    code: StatusCode
    happened: str
    next_step: str
