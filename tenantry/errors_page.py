"""Make docs/errors.md from the catalogue of reasons: python -m tenantry.errors_page"""

from pathlib import Path

from shared.reasons import Reason

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"

INTRO = """# Errors

Made from `shared/reasons.py`; offline: `tenantry errors REASON`.

Every error is a `google.rpc.Status` with these details:

- `ErrorInfo`: the `reason`, one of those below, with `domain` "tenantry". Branch on it; it is never renamed. Messages
  are for people and may change.
- `Help`: a link to the reason's place on this page.
- `BadRequest` with BAD_REQUEST: every field that is wrong, and its limit; never its value.
- `RetryInfo` where trying again later makes sense: after how long.

From Python:

```python
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

try:
    await stub.CreateOrganization(request, metadata=metadata)
except grpc.aio.AioRpcError as error:
    for detail in rpc_status.from_call(error).details:
        info = ErrorInfo()
        if detail.Unpack(info) and info.reason == "SLUG_TAKEN":
            ...
```

`grpcurl` and `buf curl` print the details as they are. What gRPC itself refuses, before a call reaches the services,
has no details: a message that is too large or too many calls at once (RESOURCE_EXHAUSTED), a server that is not there
(UNAVAILABLE), a call cut short by a server that stops, or not even looked at by one with far too many (CANCELLED; read
again after a moment).

| reason | gRPC code | what happened | what to do next |
|---|---|---|---|
"""


def page() -> str:
    rows = [
        f'| <a id="{reason.name}"></a>{reason.name} | {reason.value.code.name} | {cell(reason.value.happened)}'
        f" | {cell(reason.value.next_step)} |"
        for reason in Reason
    ]
    return INTRO + "\n".join(rows) + "\n"


def cell(text: str) -> str:
    """Braces are filled in where the error is raised; angle brackets are no HTML."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


if __name__ == "__main__":
    PAGE.write_text(page())
