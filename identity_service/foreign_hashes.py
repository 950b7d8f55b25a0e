"""Password hashes in the forms that other systems store, and ours among them: read, bounded, compared.

argon2 (PHC, Django), bcrypt (Django's two as well), scrypt (passlib, Kratos, Django), PBKDF2 (passlib, Kratos, Django).
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import TypeAlias

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

Compare: TypeAlias = Callable[[bytes], bool]

# What is beyond these is not computed: whoever could write a hash could stop the service. Two threads compute,
# and one that has begun cannot be stopped: at most 256 MiB and about one second each.
MAX_LENGTH = 512
MAX_ARGON2_MEMORY, MAX_ARGON2_TIME, MAX_ARGON2_PARALLELISM = 256 * 1024, 10, 16  # KiB, passes, lanes
MAX_ARGON2_WORK = 1024 * 1024  # KiB times passes
MAX_BCRYPT_COST = 14
MAX_SCRYPT_MEMORY, MAX_SCRYPT_WORK = 64 * 2**20, 256 * 2**20  # 128 N r bytes; times p
MAX_SCRYPT_BLOCK, MAX_SCRYPT_PARALLELISM = 32, 16
MAX_PBKDF2_ROUNDS = 2_000_000  # times the blocks of output
DIGEST_SIZES = {"sha1": 20, "sha256": 32, "sha512": 64}
HASH_BYTES = range(16, 65)  # a shorter one would be guessed
SALT_BYTES, ARGON2_SALT_BYTES = range(1, MAX_LENGTH), range(8, MAX_LENGTH)
BCRYPT_BYTES = 72  # what bcrypt sees of a password

NUMBER = r"([1-9]\d{0,8})"
BARE = r"([A-Za-z0-9+/]+)"
B64 = r"([A-Za-z0-9+/]+={0,2})"
ARGON2 = rf"\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$m={NUMBER},t={NUMBER},p={NUMBER}\${BARE}\${BARE}"
# Not $2x$, the mark of an implementation with a fault. A salt's last character has two bits.
BCRYPT = r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"


def read_hash(stored: str) -> Compare | None:
    """What tells whether a password in UTF-8 is the one; None for what is no hash or costs too much. Does no work."""
    if len(stored) > MAX_LENGTH:
        return None
    for form, read in FORMS:
        found = form.fullmatch(stored)
        if found is not None:
            return read(*found.groups())
    return None


def _argon2(phc: str, memory: str, time: str, parallelism: str, salt: str, hash_: str) -> Compare | None:
    m, t, p = int(memory), int(time), int(parallelism)
    if not 8 * p <= m <= MAX_ARGON2_MEMORY or t > MAX_ARGON2_TIME or m * t > MAX_ARGON2_WORK:
        return None
    if p > MAX_ARGON2_PARALLELISM or _bytes(salt, ARGON2_SALT_BYTES) is None or _bytes(hash_) is None:
        return None

    def compare(password: bytes) -> bool:
        try:
            return PasswordHasher().verify(phc, password)  # takes its parameters from the hash
        except (VerificationError, InvalidHashError):
            return False

    return compare


def _bcrypt(text: str, cost: str) -> Compare | None:
    if not 4 <= int(cost) <= MAX_BCRYPT_COST:
        return None
    return lambda password: bcrypt.checkpw(password[:BCRYPT_BYTES], text.encode())


def _bcrypt_sha256(text: str, cost: str) -> Compare | None:
    compare = _bcrypt(text, cost)
    return compare and (lambda password: compare(hashlib.sha256(password).hexdigest().encode()))


def _scrypt_phc(cost: str, block: str, parallelism: str, salt: str, hash_: str) -> Compare | None:
    """`ln` is the exponent of N as passlib writes it, or N itself as Kratos does."""
    n = 2 ** int(cost) if int(cost) < 32 else int(cost)
    return _scrypt(n, int(block), int(parallelism), _bytes(salt, SALT_BYTES), _bytes(hash_))


def _scrypt_django(n: str, salt: str, block: str, parallelism: str, hash_: str) -> Compare | None:
    return _scrypt(int(n), int(block), int(parallelism), salt.encode(), _bytes(hash_))


def _scrypt(n: int, block: int, parallelism: int, salt: bytes | None, hash_: bytes | None) -> Compare | None:
    memory = 128 * n * block
    if n < 2 or n & (n - 1) or block > MAX_SCRYPT_BLOCK or parallelism > MAX_SCRYPT_PARALLELISM:
        return None
    if memory > MAX_SCRYPT_MEMORY or memory * parallelism > MAX_SCRYPT_WORK or salt is None or hash_ is None:
        return None

    def compare(password: bytes) -> bool:
        most = memory + 128 * block * (parallelism + 2) + 2**20
        made = hashlib.scrypt(password, salt=salt, n=n, r=block, p=parallelism, maxmem=most, dklen=len(hash_))
        return hmac.compare_digest(made, hash_)

    return compare


def _pbkdf2_b64(digest: str | None, rounds: str, salt: str, hash_: str) -> Compare | None:
    """passlib writes . for + and names no digest for SHA-1."""
    salt, hash_ = salt.replace(".", "+"), hash_.replace(".", "+")
    return _pbkdf2(digest or "sha1", int(rounds), _bytes(salt, SALT_BYTES), _bytes(hash_))


def _pbkdf2_django(digest: str, rounds: str, salt: str, hash_: str) -> Compare | None:
    return _pbkdf2(digest, int(rounds), salt.encode(), _bytes(hash_))


def _pbkdf2(digest: str, rounds: int, salt: bytes | None, hash_: bytes | None) -> Compare | None:
    if salt is None or hash_ is None:
        return None
    blocks = -(-len(hash_) // DIGEST_SIZES[digest])
    if rounds * blocks > MAX_PBKDF2_ROUNDS:
        return None
    return lambda password: hmac.compare_digest(hashlib.pbkdf2_hmac(digest, password, salt, rounds, len(hash_)), hash_)


def _bytes(text: str, sizes: range = HASH_BYTES) -> bytes | None:
    """Of base64 with or without padding, written in the one way there is."""
    bare = text.rstrip("=")
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return None
    is_exact = base64.b64encode(decoded).decode().rstrip("=") == bare
    return decoded if is_exact and len(decoded) in sizes else None


FORMS: tuple[tuple[re.Pattern[str], Callable[..., Compare | None]], ...] = tuple(
    (re.compile(form, re.ASCII), read)
    for form, read in (
        (rf"(?:argon2)?({ARGON2})", _argon2),
        (rf"(?:bcrypt\$)?({BCRYPT})", _bcrypt),
        (rf"bcrypt_sha256\$({BCRYPT})", _bcrypt_sha256),
        (rf"\$scrypt\$ln={NUMBER},r={NUMBER},p={NUMBER}\${B64}\${B64}", _scrypt_phc),
        (rf"scrypt\${NUMBER}\$([!-#%-~]+)\${NUMBER}\${NUMBER}\${B64}", _scrypt_django),
        (rf"\$pbkdf2(?:-(sha1|sha256|sha512))?\${NUMBER}\$([A-Za-z0-9./]+)\$([A-Za-z0-9./]+)", _pbkdf2_b64),
        (rf"\$pbkdf2-(sha1|sha256|sha512)\$i={NUMBER},l=\d{{1,3}}\${B64}\${B64}", _pbkdf2_b64),
        (rf"pbkdf2_(sha1|sha256|sha512)\${NUMBER}\$([!-#%-~]+)\${B64}", _pbkdf2_django),
    )
)
