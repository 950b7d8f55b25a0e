"""The gRPC services whose RPCs are written in more than one file."""

from identity_service.handlers.reauthentication import Reauthentication
from identity_service.handlers.sessions import SessionList
from identity_service.handlers.sign_in import SignIn
from identity_service.handlers.user_addresses import UserAddresses
from identity_service.handlers.user_administration import UserAdministration
from identity_service.handlers.user_imports import UserImports
from identity_service.handlers.user_passwords import UserPasswords
from identity_service.handlers.users import UserAccounts
from protos.identity.v1.sessions_pb2_grpc import SessionServiceServicer
from protos.identity.v1.users_pb2_grpc import UserServiceServicer


class Users(UserAccounts, UserAdministration, UserImports, UserAddresses, UserPasswords, UserServiceServicer):
    """identity.v1.UserService."""


class Sessions(SignIn, Reauthentication, SessionList, SessionServiceServicer):
    """identity.v1.SessionService."""
