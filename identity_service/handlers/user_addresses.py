"""identity.v1.UserService: sign-up, and proving that an address is one's own.

No public RPC here looks whether an account exists: each writes what is to be mailed, and whoever composes the
mail finds out. So neither answers nor their times tell anything.
"""

from uuid_utils.compat import uuid7

from identity_service import audit, authorize, mail_limits, mailed_tokens, publish, to_proto
from identity_service.asked_mails import ask_for_mail
from identity_service.audit import Action
from identity_service.mail.compose import LIFETIMES
from identity_service.parts import Handlers
from identity_service.queries import one_time_tokens, user_credentials, users
from protos.identity.v1 import credentials_pb2
from protos.identity.v1 import users_pb2 as pb
from shared import one_time
from shared.call import Context
from shared.caller import current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import email_key, reading
from shared.origin import Origin
from shared.reasons import Reason

OF_USERS = ("EMAIL_VERIFICATION", "EMAIL_CHANGE")


class UserAddresses(Handlers):
    async def SignUp(self, request: pb.SignUpRequest, context: Context) -> pb.SignUpResponse:
        if not self.parts.settings.sign_up:
            raise ServiceError(Reason.SIGN_UP_CLOSED)
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            email = read.email("email", request.email)
            display_name = read.name("display_name", request.display_name)
            about = (email, display_name)
            password = self.parts.password_rules.read(read, "password", request.password, about=about)
            request_id = read.optional_uuid("request_id", request.request_id)
        mails = mail_limits.mails(email, origin.source)
        async with self.parts.passwords.turn(), self.parts.throttle.guess(*mails):
            password_hash = await self.parts.passwords.hash(password.text)

        async def begin(tx: Tx) -> pb.SignUpResponse:
            token_id = uuid7()
            await one_time_tokens.insert_one_time_token(
                tx,
                token_id=token_id,
                purpose="SIGN_UP",
                lifetime=LIFETIMES["sign_up"],
                email=email,
                password_hash=password_hash,
                display_name=display_name,
            )
            await self.parts.outbox.put(tx, "sign_up", email, token_id=token_id, ip=origin.ip or "")
            return pb.SignUpResponse()

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.SignUpResponse, begin, secret_fields=("password",)
        )

    async def StartEmailVerification(
        self, request: credentials_pb2.StartEmailVerificationRequest, context: Context
    ) -> credentials_pb2.StartEmailVerificationResponse:
        response_type = credentials_pb2.StartEmailVerificationResponse
        return await ask_for_mail(self.parts, request, context, "verify_email", response_type)

    async def FinishEmailVerification(
        self, request: pb.FinishEmailVerificationRequest, context: Context
    ) -> pb.FinishEmailVerificationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            token_hash = one_time.hash_of(read.token("token", request.token, most=one_time.MAX_TOKEN))
            request_id = read.optional_uuid("request_id", request.request_id)
        tries = mail_limits.mailed_tokens(origin.source)
        await self.parts.throttle.take(tries)

        async def finish(tx: Tx) -> pb.FinishEmailVerificationResponse:
            sign_up = await one_time_tokens.get_token_by_hash(tx, token_hash=token_hash, purposes=("SIGN_UP",))
            if sign_up is not None:
                row = await self._make_account(tx, origin, sign_up)
            else:
                token, user = await mailed_tokens.use_token(tx, token_hash, OF_USERS)
                is_new = token.purpose == "EMAIL_CHANGE"
                row = await (self._change if is_new else self._verify)(tx, origin, token, user)
            await self.parts.throttle.give_back(tx, tries)
            return pb.FinishEmailVerificationResponse(user=to_proto.user(row, caller))

        # The token is part of what a repeat must match: only who has it gets the first answer again.
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.FinishEmailVerificationResponse, finish
        )

    async def _make_account(self, tx: Tx, origin: Origin, sign_up: Row) -> Row:
        """With the password of this sign-up; all others of the address are void."""
        key = email_key(sign_up.email)
        if sign_up.token_id not in await one_time_tokens.delete_sign_ups(tx, email_key=key):
            raise ServiceError(Reason.TOKEN_INVALID)
        new = {
            "user_id": uuid7(),
            "email": sign_up.email,
            "email_key": key,
            "password_hash": sign_up.password_hash,
            "display_name": sign_up.display_name,
        }
        row = await users.insert_user(tx, new=new, is_verified=True)
        await audit.record(tx, origin, Action.USER_CREATED, row.user_id)
        await publish.user_changed(tx, "USER_CREATED", [row])
        return row

    async def _verify(self, tx: Tx, origin: Origin, token: Row, user: Row) -> Row:
        if not mailed_tokens.is_of_address(token, user):
            raise ServiceError(Reason.TOKEN_INVALID)
        row = await user_credentials.update_email_verified(tx, user_id=user.user_id)
        await audit.record(tx, origin, Action.EMAIL_VERIFIED, user.user_id)
        await publish.user_changed(tx, "USER_UPDATED", [row])
        return row

    async def _change(self, tx: Tx, origin: Origin, token: Row, user: Row) -> Row:
        key = email_key(token.email)
        row = await user_credentials.update_email(tx, user_id=user.user_id, email=token.email, email_key=key)
        await one_time_tokens.delete_one_time_tokens(tx, user_id=user.user_id)
        await self.parts.outbox.put(tx, "email_changed", user.email, user_id=user.user_id, ip=origin.ip or "")
        await audit.record(tx, origin, Action.EMAIL_CHANGED, user.user_id)
        await publish.user_changed(tx, "USER_UPDATED", [row])
        return row

    async def ChangeEmail(
        self, request: credentials_pb2.ChangeEmailRequest, context: Context
    ) -> credentials_pb2.ChangeEmailResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        user_id = caller.user_id
        with reading() as read:
            new_email = read.email("new_email", request.new_email)
            request_id = read.optional_uuid("request_id", request.request_id)
        await self.parts.throttle.take(*mail_limits.mails(new_email, origin.source))

        async def start(tx: Tx) -> credentials_pb2.ChangeEmailResponse:
            user = await users.lock_user(tx, user_id=user_id)
            # Under the lock: who resets the password ends this session, and all that was begun with it.
            await authorize.recently(tx, caller, self.parts.settings.reauthentication)
            if user is None or user.state != "ACTIVE":
                raise authorize.absent(caller)
            with reading() as read:
                if email_key(new_email) == user.email_key:
                    read.wrong("new_email", "the address that the account has")
            await one_time_tokens.delete_one_time_tokens(tx, user_id=user_id, purpose="EMAIL_CHANGE")
            token_id = uuid7()
            await one_time_tokens.insert_one_time_token(
                tx,
                token_id=token_id,
                purpose="EMAIL_CHANGE",
                lifetime=LIFETIMES["change_email"],
                user_id=user_id,
                email=new_email,
            )
            ip = origin.ip or ""
            await self.parts.outbox.put(tx, "change_email", new_email, user_id=user_id, token_id=token_id, ip=ip)
            await self.parts.outbox.put(tx, "email_change_started", user.email, user_id=user_id, ip=ip)
            await audit.record(tx, origin, Action.EMAIL_CHANGE_STARTED, user_id)
            return credentials_pb2.ChangeEmailResponse()

        return await self.parts.request_results.answer_once(
            caller, request_id, request, credentials_pb2.ChangeEmailResponse, start
        )
