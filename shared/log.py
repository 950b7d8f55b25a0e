"""One structured line per event, as JSON on stderr; never a secret, never a payload."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

log: Any = structlog.get_logger()

# PostgreSQL's own words about a row ("Failing row contains (…)"), up to the next part of the text.
ROW_VALUES = re.compile(
    r"^(DETAIL|CONTEXT): .*?(?=^(?:HINT|CONTEXT|\[SQL|\(Background|During|The above|Traceback)\b|\Z)", re.M | re.S
)


def set_up_logging(service: str, level: str, *, worker: int = 0) -> None:
    """`worker` is its number, if it is one of several."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            without_row_values,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, **({"worker": worker} if worker else {}))
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


def without_row_values(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An unexpected error of the database quotes the row: hashes, addresses, metadata."""
    if "exception" in event:
        event["exception"] = ROW_VALUES.sub(r"\1: (left out)\n", event["exception"])
    return event
