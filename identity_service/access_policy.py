"""Who may call what: one row per RPC. An RPC without a row keeps the server from starting."""

from shared.access_rules import INFRASTRUCTURE, PUBLIC, SERVICE, SESSION, SESSION_OR_SERVICE, Policy

POLICY: Policy = {
    **INFRASTRUCTURE,
    "identity.v1.UserService/SignUp": PUBLIC,
    "identity.v1.UserService/GetUser": SESSION_OR_SERVICE,
    "identity.v1.UserService/UpdateUser": SESSION_OR_SERVICE,
    "identity.v1.UserService/DeleteUser": SESSION_OR_SERVICE,
    "identity.v1.UserService/BatchGetUsers": SERVICE,
    "identity.v1.SessionService/CreateSession": PUBLIC,
    "identity.v1.SessionService/ValidateSession": SERVICE,
    "identity.v1.SessionService/BatchValidateSessions": SERVICE,
    "identity.v1.SessionService/GetSession": SESSION,
    "identity.v1.SessionService/ListSessions": SESSION_OR_SERVICE,
    "identity.v1.SessionService/RevokeSession": SESSION_OR_SERVICE,
    "identity.v1.SessionService/RevokeOtherSessions": SESSION,
    "identity.v1.SessionService/RevokeUserSessions": SERVICE,
}
