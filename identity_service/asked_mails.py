"""The mails that anybody can ask for with an address alone: one way for all, which tells nothing about accounts."""

from typing import TypeVar

from identity_service import mail_limits
from identity_service.mail.texts import Template
from identity_service.parts import Parts
from protos.identity.v1.credentials_pb2 import (
    StartEmailVerificationRequest,
    StartEmailVerificationResponse,
    StartPasswordResetRequest,
    StartPasswordResetResponse,
)
from shared.call import Context
from shared.caller import current_caller
from shared.database import Tx
from shared.fields import reading

Response = TypeVar("Response", StartEmailVerificationResponse, StartPasswordResetResponse)


async def ask_for_mail(
    parts: Parts,
    request: StartEmailVerificationRequest | StartPasswordResetRequest,
    context: Context,
    template: Template,
    response_type: type[Response],
) -> Response:
    """Whoever composes the mail finds out whether there is an account; here nobody looks."""
    caller, origin = current_caller(), parts.origins.of(context)
    with reading() as read:
        email = read.email("email", request.email)
        request_id = read.optional_uuid("request_id", request.request_id)
    await parts.throttle.take(*mail_limits.mails(email, origin.source))

    async def start(tx: Tx) -> Response:
        await parts.outbox.put(tx, template, email, ip=origin.ip or "")
        return response_type()

    return await parts.request_results.answer_once(caller, request_id, request, response_type, start)
