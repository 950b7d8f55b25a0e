"""Hashes of other systems: libpass and the systems' own samples say what is right, and nothing hostile is computed."""

import time

import bcrypt
import pytest

from identity_service.foreign_hashes import read_hash
from tests.identity.foreign_samples import CHEAP, DJANGO, KRATOS, PASSWORD, argon2_without_version

PASSWORDS = ("tulip orbit canyon", PASSWORD, "密码 пароль 🔑")
SALT, HASH = "YWFhYWFhYWFhYWFhYWFhYQ", "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI"
BCRYPT = "A" * 21 + "." + "B" * 31


def matches(password: str, stored: str) -> bool:
    compare = read_hash(stored)
    assert compare is not None, stored
    return compare(password.encode())


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("kind", CHEAP)
def test_libpass_and_we_agree(kind: str, password: str) -> None:
    stored = CHEAP[kind].hash(password)
    for asked in (password, password + "x", password.swapcase(), ""):
        assert matches(asked, stored) == CHEAP[kind].verify(asked, stored) == (asked == password)


@pytest.mark.parametrize("stored", DJANGO)
def test_what_django_wrote(stored: str) -> None:
    assert matches(PASSWORD, stored)
    assert not matches(PASSWORD + " ", stored)


@pytest.mark.parametrize("stored", KRATOS)
def test_what_kratos_wrote(stored: str) -> None:
    assert matches("test", stored)
    assert not matches("Test", stored)


def test_argon2_before_it_named_its_version() -> None:
    stored = argon2_without_version("secret")
    assert "v=" not in stored
    assert matches("secret", stored)
    assert not matches("Secret", stored)


def test_bcrypt_sees_72_bytes_as_it_did_where_the_hash_comes_from() -> None:
    long = "ü" * 36
    stored = bcrypt.hashpw(long.encode(), bcrypt.gensalt(4)).decode()
    assert matches(long + "anything", stored)
    assert not matches(long[:-1], stored)


def test_django_s_bcrypt_sha256_sees_all_of_a_password() -> None:
    stored = CHEAP["Django's bcrypt_sha256"].hash("x" * 80)
    assert matches("x" * 80, stored)
    assert not matches("x" * 79, stored)


AT_THE_CEILING = [
    f"$argon2id$v=19$m=262144,t=4,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=64,t=1,p=1${'A' * 440}${HASH}",  # 512 characters
    f"$argon2id$v=19$m=104857,t=10,p=16${SALT}${HASH}",
    f"$2b$14${BCRYPT}",
    f"$2b$04${BCRYPT}",
    f"$scrypt$ln=16,r=8,p=4${SALT}${HASH}",
    f"$scrypt$ln=65536,r=8,p=4${SALT}${HASH}",
    f"$scrypt$ln=10,r=32,p=16${SALT}${HASH}",
    f"$pbkdf2-sha256$2000000${SALT}${HASH}",
    f"$pbkdf2-sha512$i=2000000,l=32${SALT}${HASH}",
    f"pbkdf2_sha256$2000000$salt${HASH}=",
    f"pbkdf2_sha1$1000000$salt${HASH}=",
]
ABOVE_OR_DAMAGED = [
    f"$argon2id$v=19$m=262145,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=262144,t=5,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=64,t=11,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=262144,t=1,p=17${SALT}${HASH}",
    f"$argon2id$v=19$m=99999999999999999999,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=-1,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=0,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=15,t=1,p=2${SALT}${HASH}",  # less than argon2 takes
    f"$argon2id$v=19$m=064,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=6４,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=20$m=64,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=19$t=1,m=64,p=1${SALT}${HASH}",
    f"$argon2x$v=19$m=64,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=64,t=1,p=1$YQ${HASH}",  # a salt of one byte
    f"$argon2id$v=19$m=64,t=1,p=1${SALT}$YQ",  # a hash of one byte: one guess in 256
    f"$argon2id$v=19$m=64,t=1,p=1${SALT}${HASH}=",
    f"$argon2id$v=19$m=64,t=1,p=1${SALT}${HASH}\n",
    f"$argon2id$v=19$m=64,t=1,p=1${SALT}${HASH[:-1]}J",  # bits that no byte has
    f"$argon2id$v=19$m=64,t=1,p=1${SALT}$",
    f" $argon2id$v=19$m=64,t=1,p=1${SALT}${HASH}",
    f"$argon2id$v=19$m=64,t=1,p=1${SALT}${'A' * 400}",
    f"$argon2id$v=19$m=64,t=1,p=1${'A' * 444}${HASH}",
    f"$2b$15${BCRYPT}",
    f"$2b$31${BCRYPT}",
    f"$2b$03${BCRYPT}",
    f"$2b$4${BCRYPT}",
    f"$2x$10${BCRYPT}",
    f"$2$10${BCRYPT}",
    f"$2b$10${BCRYPT[:-1]}",
    f"$2b$10${BCRYPT}A",
    f"$2b$10${'A' * 53}",  # a salt that bcrypt cannot have written
    f"bcrypt_sha256$$2b$15${BCRYPT}",
    f"bcrypt$$2b$15${BCRYPT}",
    f"$scrypt$ln=17,r=8,p=1${SALT}${HASH}",
    f"$scrypt$ln=31,r=8,p=1${SALT}${HASH}",
    f"$scrypt$ln=131072,r=8,p=1${SALT}${HASH}",
    f"$scrypt$ln=16383,r=8,p=1${SALT}${HASH}",
    f"$scrypt$ln=16,r=8,p=5${SALT}${HASH}",
    f"$scrypt$ln=1,r=1,p=17${SALT}${HASH}",
    f"$scrypt$ln=1,r=33,p=1${SALT}${HASH}",
    f"$scrypt$ln=5,r=8,p=1${SALT}$YQ",
    f"scrypt$1048576$salt$8$1${HASH}=",
    f"scrypt$2$salt$1$1000000${HASH}=",
    f"scrypt$1024$s\0lt$8$1${HASH}=",
    f"scrypt$1$salt$8$1${HASH}=",
    f"$pbkdf2-sha256$2000001${SALT}${HASH}",
    f"$pbkdf2-sha256$4294967295${SALT}${HASH}",
    f"$pbkdf2-sha256$0${SALT}${HASH}",
    f"$pbkdf2-sha256$1000${SALT}$YQ",
    f"$pbkdf2-md5$1000${SALT}${HASH}",
    f"$pbkdf2-sha256$i=2000001,l=32${SALT}${HASH}",
    f"pbkdf2_sha256$2000001$salt${HASH}=",
    f"pbkdf2_sha1$1000001$salt${HASH}=",  # two blocks of SHA-1: twice the work
    f"pbkdf2_sha256$1000$${HASH}=",
    f"pbkdf2_sha256$1000$salt${HASH}====",
    "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a",
    "plain text",
    "",
    "$" * 512,
    "$argon2id" * 10_000,
    "pbkdf2_sha256$" + "1$" * 200,
    "scrypt$1024$" + "a" * 480 + "$8$1$",
]


@pytest.mark.parametrize("stored", AT_THE_CEILING)
def test_up_to_the_ceilings_a_hash_is_taken(stored: str) -> None:
    assert read_hash(stored) is not None


@pytest.mark.parametrize("stored", ABOVE_OR_DAMAGED, ids=range(len(ABOVE_OR_DAMAGED)))
def test_what_costs_too_much_or_is_damaged_is_refused_before_any_work(stored: str) -> None:
    started = time.process_time()
    for _ in range(10):
        assert read_hash(stored) is None
    assert time.process_time() - started < 0.2  # one hash above a ceiling alone would take longer
