"""The catalogue of reasons: every error a caller can get, what happened and what to do next.

A reason is part of the contract: clients branch on it, so it is never renamed. `docs/errors.md` is made
from this file, and `tenantry errors REASON` prints an entry.
"""

from enum import Enum

from grpc import StatusCode

from shared.catalogue import Entry

DOMAIN = "tenantry"


class Reason(Enum):
    # Who is calling
    SESSION_REQUIRED = Entry(
        StatusCode.UNAUTHENTICATED,
        'This call needs a signed-in person: metadata "authorization: Bearer <token>".',
        "Get a token with SessionService/CreateSession.",
    )
    SESSION_INVALID = Entry(
        StatusCode.UNAUTHENTICATED,
        "The session is not valid.",
        "Usual causes: expired or revoked; a cookie value not URL-decoded; another SESSION_SECRET than Express uses.",
    )
    SIGN_IN_FAILED = Entry(
        StatusCode.UNAUTHENTICATED,
        "The email address or the password is wrong.",
        "Check both; nobody is told which of the two it was.",
    )
    CHALLENGE_INVALID = Entry(
        StatusCode.UNAUTHENTICATED,
        "This sign-in is over: completed, too old, or never begun.",
        "Sign in again with email and password.",
    )
    PASSWORD_WRONG = Entry(
        StatusCode.PERMISSION_DENIED,
        "The current password is wrong.",
        "Check it; who forgot it can use StartPasswordReset.",
    )
    CODE_WRONG = Entry(
        StatusCode.PERMISSION_DENIED,
        "The code is wrong, too old or used already.",
        "Send the code that the authenticator app shows now, or another recovery code.",
    )
    REAUTHENTICATION_REQUIRED = Entry(
        StatusCode.FAILED_PRECONDITION,
        "This needs a more recent sign-in, with the second factor if there is one.",
        "Call SessionService/RefreshSession, then send this call again with the new token.",
    )
    SERVICE_KEY_REQUIRED = Entry(
        StatusCode.PERMISSION_DENIED,
        'Only services may call this: metadata "x-service-key: <name>.<secret>".',
        "In development: tenantry keys make-service-key billing",
    )
    SERVICE_KEY_INVALID = Entry(
        StatusCode.UNAUTHENTICATED,
        "The service key is not valid.",
        "Compare its name and secret with the hash in SERVICE_KEYS of the service you call.",
    )
    SERVICE_NOT_ALLOWED = Entry(
        StatusCode.PERMISSION_DENIED,
        "This service may not call this RPC.",
        "The RPC's row in access_policy.py names the services that may.",
    )
    # What a caller may do
    PERMISSION_DENIED = Entry(
        StatusCode.PERMISSION_DENIED,
        "You may not do this here, or there is no such thing.",
        "Ask an owner or administrator of the organization; nobody is told which of the two it was.",
    )
    PLACE_UNCLEAR = Entry(
        StatusCode.PERMISSION_DENIED,
        "Which organization or project this is about must stand in {where}, once, as a plain UUID.",
        "Send it there; nothing is guessed from a request that could be read in two ways.",
    )
    ROUTE_MISCONFIGURED = Entry(
        StatusCode.PERMISSION_DENIED,
        "The gateway's rule for this address cannot be applied, so nothing was allowed.",
        "Tell its operator; operators: the log of tenancy names the mistake.",
    )
    ROLE_ABOVE_CALLER = Entry(
        StatusCode.PERMISSION_DENIED,
        "Nobody grants, changes or removes a role above their own.",
        "Ask somebody with at least the role {role}.",
    )
    SIGN_UP_CLOSED = Entry(
        StatusCode.PERMISSION_DENIED,
        "This deployment does not take sign-ups.",
        "Ask its operator for an account; operators open it with SIGN_UP=on.",
    )
    # What was sent
    BAD_REQUEST = Entry(StatusCode.INVALID_ARGUMENT, "{violations}.", "Correct these fields and send the call again.")
    MALFORMED_REQUEST = Entry(
        StatusCode.INVALID_ARGUMENT,
        "The request is not a message of this RPC's type.",
        "Generate the client from the same .proto files as the server.",
    )
    PERMISSION_UNKNOWN = Entry(
        StatusCode.INVALID_ARGUMENT,
        '"{permission}" is not defined. Nearest: "{nearest}".',
        "Add your own in permissions.toml.",
    )
    REQUEST_ID_REUSED = Entry(
        StatusCode.INVALID_ARGUMENT,
        "This request_id was used within 24 hours for a request with other content.",
        "Make a new request_id for each new request.",
    )
    CURSOR_INVALID = Entry(
        StatusCode.INVALID_ARGUMENT,
        "This is not a cursor of this stream.",
        "Send the cursor of the last message you handled, or none to begin now.",
    )
    METHOD_UNKNOWN = Entry(
        StatusCode.UNIMPLEMENTED,
        "There is no such RPC here.",
        "identity serves identity.v1, tenancy serves tenancy.v1; see the .proto files.",
    )
    PATH_UNKNOWN = Entry(
        StatusCode.NOT_FOUND,
        "The gateway has nothing at this path, or not for this method.",
        "The paths of the REST API are in docs/openapi.json, and on the gateway at /docs.",
    )
    REQUEST_TOO_LARGE = Entry(
        StatusCode.INVALID_ARGUMENT,
        "The request is larger than the gateway takes.",
        "A body may have 256 KiB and all headers together 16 KiB; send less at a time.",
    )
    CROSS_SITE_WRITE = Entry(
        StatusCode.PERMISSION_DENIED,
        "A change came with a session cookie or from a page, without a sign that the page is yours.",
        "Send the header x-requested-with, call from an origin of GATEWAY_ORIGINS, or use a bearer token.",
    )
    # What is there
    EMAIL_TAKEN = Entry(
        StatusCode.ALREADY_EXISTS,
        "An account with this email address exists.",
        "Sign in instead, or use another address.",
    )
    EXTERNAL_ID_TAKEN = Entry(
        StatusCode.ALREADY_EXISTS,
        "An account with this external id exists.",
        "Look it up with LookUpUser; an external id belongs to one account.",
    )
    SLUG_TAKEN = Entry(
        StatusCode.ALREADY_EXISTS,
        "This slug is taken.",
        "Choose another; organization slugs are unique, project slugs within their organization.",
    )
    ALREADY_A_MEMBER = Entry(
        StatusCode.ALREADY_EXISTS, "This user is a member already.", "Change the role with UpdateOrganizationMember."
    )
    USER_NOT_FOUND = Entry(StatusCode.NOT_FOUND, "There is no such user.", "Create them first: UserService/CreateUser.")
    INVITATION_EXISTS = Entry(
        StatusCode.ALREADY_EXISTS,
        "This address has a pending invitation to the organization.",
        "Send it again with ResendInvitation, or revoke it first.",
    )
    INVITATION_NOT_FOUND = Entry(
        StatusCode.NOT_FOUND,
        "There is no such invitation for you.",
        "Use the link of the latest mail, or sign in with the verified address that was invited.",
    )
    MEMBER_NOT_FOUND = Entry(
        StatusCode.NOT_FOUND,
        "This user is not a member of the organization.",
        "List the members with ListOrganizationMembers, or add the user first.",
    )
    SESSION_NOT_FOUND = Entry(
        StatusCode.NOT_FOUND, "You have no valid session with this id.", "List your sessions with ListSessions."
    )
    TOKEN_INVALID = Entry(
        StatusCode.NOT_FOUND,
        "The link or token is not valid: used, too old, or replaced by a newer one.",
        "Ask for a new mail.",
    )
    FACTOR_NOT_FOUND = Entry(
        StatusCode.NOT_FOUND,
        "The account has no second factor, or none to confirm.",
        "Begin with FactorService/EnrollTotp.",
    )
    # What the state allows
    FACTOR_EXISTS = Entry(
        StatusCode.FAILED_PRECONDITION, "The account has a second factor.", "Remove it first: FactorService/RemoveTotp."
    )
    SECOND_FACTOR_CLOSED = Entry(
        StatusCode.FAILED_PRECONDITION,
        "This deployment takes no second factors.",
        "Operators open them with FACTOR_SECRETS; make one with: tenantry secrets make",
    )
    PASSWORD_TOO_SHORT = Entry(
        StatusCode.FAILED_PRECONDITION,
        "The password is too short to stand alone, without a second factor.",
        "Choose a longer one with ChangePassword first.",
    )
    CURSOR_EXPIRED = Entry(
        StatusCode.OUT_OF_RANGE,
        "The events after this cursor are no longer kept.",
        "Begin anew with a snapshot; operators: see EVENTS_KEEP_DAYS.",
    )
    LAST_OWNER = Entry(
        StatusCode.FAILED_PRECONDITION,
        "An organization always keeps an owner, and this is the last one.",
        "Make somebody else OWNER first.",
    )
    OWNER_EXISTS = Entry(
        StatusCode.FAILED_PRECONDITION,
        "The organization has an owner.",
        "Only an organization that lost all its owners gets a new one this way.",
    )
    ORGANIZATION_NOT_EMPTY = Entry(
        StatusCode.FAILED_PRECONDITION,
        "The organization has projects.",
        "Delete them first, or set force to delete it with them.",
    )
    ORGANIZATION_DELETED = Entry(
        StatusCode.FAILED_PRECONDITION, "The organization of this invitation is deleted.", "Ask who invited you."
    )
    INVITATION_REVOKED = Entry(
        StatusCode.FAILED_PRECONDITION, "This invitation was revoked.", "Ask who invited you for a new one."
    )
    INVITATION_DECLINED = Entry(
        StatusCode.FAILED_PRECONDITION, "This invitation was declined.", "Ask who invited you for a new one."
    )
    INVITATION_EXPIRED = Entry(
        StatusCode.FAILED_PRECONDITION, "This invitation has expired.", "Ask who invited you to send it again."
    )
    INVITATION_ACCEPTED = Entry(
        StatusCode.FAILED_PRECONDITION,
        "This invitation was accepted, and is good once.",
        "Sign in with the account that accepted it, or ask for a new one.",
    )
    INVITATION_NOT_PENDING = Entry(
        StatusCode.FAILED_PRECONDITION,
        "The invitation is not pending.",
        "Read it with GetInvitation; make a new one with CreateInvitation.",
    )
    OWNER_NOT_OVERRIDABLE = Entry(
        StatusCode.FAILED_PRECONDITION,
        "Owners are ADMIN on every project and cannot be overridden.",
        "Change their role in the organization first.",
    )
    ETAG_MISMATCH = Entry(
        StatusCode.ABORTED,
        "It was changed since you read it.",
        "Read it again, apply your change to what you find, and send the new etag.",
    )
    CONFLICT = Entry(StatusCode.ABORTED, "Somebody changed the same thing at the same moment.", "Send the call again.")
    # What the services can do right now
    QUOTA_EXCEEDED = Entry(
        StatusCode.RESOURCE_EXHAUSTED,
        "There are {limit} {what} already, and more are not allowed.",
        "Remove some, or ask the operator of this deployment to raise {setting}.",
    )
    THROTTLED = Entry(StatusCode.RESOURCE_EXHAUSTED, "Too many tries.", "Try again after the time in RetryInfo.")
    STREAMS_BUSY = Entry(
        StatusCode.RESOURCE_EXHAUSTED,
        "Too many event streams are open.",
        "Close the ones you do not read, or try again after the time in RetryInfo.",
    )
    HASHING_BUSY = Entry(
        StatusCode.RESOURCE_EXHAUSTED,
        "Too many passwords are being checked at this moment.",
        "Try again after the time in RetryInfo.",
    )
    OVERLOADED = Entry(
        StatusCode.RESOURCE_EXHAUSTED, "Too many calls at once.", "Try again after the time in RetryInfo."
    )
    DATABASE_BUSY = Entry(
        StatusCode.RESOURCE_EXHAUSTED, "All database connections are in use.", "Try again after the time in RetryInfo."
    )
    DATABASE_UNAVAILABLE = Entry(
        StatusCode.UNAVAILABLE,
        "The database cannot be reached.",
        "Try again; operators: see DATABASE_URL and the service's log.",
    )
    IDENTITY_UNAVAILABLE = Entry(
        StatusCode.UNAVAILABLE,
        "The session could not be checked, so nothing was allowed.",
        "Try again; operators: see IDENTITY_ADDRESS, IDENTITY_SERVICE_KEY and the log of tenancy.",
    )
    SERVICE_UNAVAILABLE = Entry(
        StatusCode.UNAVAILABLE,
        "The gateway reaches no worker that could answer.",
        "Try again; operators: see the health of both services and the gateway's log.",
    )
    DEADLINE_EXCEEDED = Entry(
        StatusCode.DEADLINE_EXCEEDED,
        "The deadline passed before there was an answer.",
        "Try again with more time; without a deadline of its own a call gets 5 seconds.",
    )
    INTERNAL = Entry(StatusCode.INTERNAL, "Internal error.", "It is in the service's log; report it if it stays.")
