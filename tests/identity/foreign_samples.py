"""Hashes of one password as other systems wrote them, with the least cost they take."""

from argon2.low_level import Type, hash_secret
from passlib import hash as passlib  # type: ignore[import-untyped]

PASSWORD = "Straße nach Zürich"

# By Django 5.2 itself.
DJANGO = (
    "pbkdf2_sha256$1000$kH3vQ9xTz2LmPq$B/6lGg0E/s06T8hHRPrpp0Y3bELC6c3lo3ChM52q/p0=",
    "pbkdf2_sha1$1000$kH3vQ9xTz2LmPq$NazFzNFbtZPUE9V5yHzGM6A7KkA=",
    "argon2$argon2id$v=19$m=64,t=1,p=2$RzgwNGVOQVhHeFhPU0NRZUNObE53Rw$DkD4uk3H4SG85jXtazb/WQdl87iV3D1lJRCJ2hO2sDc",
    "bcrypt$$2b$04$Xm0zJqccNy0BlVSUdOaLwufGKJqhNsO4/PqW6MUfrTgXWAUzs6Dyy",
    "bcrypt_sha256$$2b$04$KD1GE./PaGPUE4cKln6dNeoIDo5JnkKBklI8PU0yBAgKeFz2em4fS",
    "scrypt$1024$kH3vQ9xTz2LmPq$8$5$"
    "+Ta4eYQFT6jjtpYL/1KIw0JRdftDArXVjCHOkeqn89n2ybG0dHrRI7yn8m9q+Maar8cC/EJ2q4l1B7+2TfRwmQ==",
)
# Of the password "test", by Kratos: its scrypt says N itself, and pads its base64.
KRATOS = (
    "$scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA="
    "$MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE=",
    "$pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc"
    "$QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI",
    "$pbkdf2-sha512$i=100000,l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU"
    "$+wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc",
)
BCRYPT_MARKS = ("2a", "2b", "2y")
CHEAP = {
    "argon2i": passlib.argon2.using(type="i", time_cost=1, memory_cost=64, parallelism=2),
    "argon2d": passlib.argon2.using(type="d", time_cost=2, memory_cost=32, parallelism=1),
    "argon2id": passlib.argon2.using(type="id", time_cost=1, memory_cost=64, parallelism=1),
    **{f"bcrypt {mark}": passlib.bcrypt.using(rounds=4, ident=mark) for mark in BCRYPT_MARKS},
    "Django's bcrypt": passlib.django_bcrypt.using(rounds=4),
    "Django's bcrypt_sha256": passlib.django_bcrypt_sha256.using(rounds=4),
    "scrypt": passlib.scrypt.using(rounds=5, block_size=8, parallelism=2),
    "pbkdf2": passlib.pbkdf2_sha1.using(rounds=20),
    "pbkdf2-sha256": passlib.pbkdf2_sha256.using(rounds=20),
    "pbkdf2-sha512": passlib.pbkdf2_sha512.using(rounds=20),
    "Django's pbkdf2_sha256": passlib.django_pbkdf2_sha256.using(rounds=20),
    "Django's pbkdf2_sha1": passlib.django_pbkdf2_sha1.using(rounds=20),
}


def argon2_without_version(password: str) -> str:
    """As argon2 1.2 wrote it: no v=, which means version 16."""
    made = hash_secret(password.encode(), b"somesalt", 1, 64, 1, 32, Type.I, version=16)
    return made.decode().replace("$v=16", "")
