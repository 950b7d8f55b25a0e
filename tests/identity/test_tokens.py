"""Tokens: the same bytes as express-session makes, and nothing else is accepted."""

import base64
import json
from pathlib import Path

import pytest

from identity_service import tokens

VECTORS = json.loads((Path(__file__).parents[1] / "express" / "vectors.json").read_text())
SECRET = b"the first of two secrets, long enough"
OLDER = b"the second of two secrets, also long"
SID = "dJdGzPmYpLbRkU3fQ0lXhA7sVn2eWcTi"
TOKEN = tokens.sign(SID, SECRET)
MAC = TOKEN.rpartition(".")[2]


def test_express_signs_the_same() -> None:
    assert len(VECTORS) >= 50
    for vector in VECTORS:
        secret = vector["secret"].encode()
        assert tokens.sign(vector["sid"], secret) == vector["token"]
        assert tokens.read(vector["token"], [secret]) == vector["sid"]


def test_every_secret_verifies_and_another_does_not() -> None:
    assert tokens.read(TOKEN, [SECRET, OLDER]) == SID
    assert tokens.read(TOKEN, [OLDER, SECRET]) == SID
    assert tokens.read(TOKEN, [OLDER]) is None


def test_a_sid_has_192_random_bits() -> None:
    sids = {tokens.make_sid() for _ in range(1000)}
    assert len(sids) == 1000
    assert {len(base64.urlsafe_b64decode(sid)) for sid in sids} == {24}


def other_spellings_of_the_mac() -> list[str]:
    """43 characters hold two bits more than the mac has: three other last ones decode to the same."""
    decoded = base64.b64decode(MAC + "=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    found = [MAC[:-1] + last for last in alphabet if base64.b64decode(MAC[:-1] + last + "=") == decoded]
    assert len(found) == 4
    return [spelling for spelling in found if spelling != MAC]


DAMAGED = {
    "empty": "",
    "bare sid": SID,
    "without its prefix": TOKEN.removeprefix("s:"),
    "with its prefix twice": f"s:{TOKEN}",
    "another prefix": f"j:{SID}.{MAC}",
    "without mac": f"s:{SID}",
    "empty mac": f"s:{SID}.",
    "short mac": TOKEN[:-1],
    "long mac": f"{TOKEN}A",
    "padded": f"{TOKEN}=",
    "hexadecimal": f"s:{SID}.{base64.b64decode(MAC + '=').hex()}",
    "empty sid": tokens.sign("", SECRET),
    "another sid": f"s:{SID[:-1]}x.{MAC}",
    "another mac": f"s:{SID}.{tokens.sign('other', SECRET).rpartition('.')[2]}",
    "still URL-encoded": TOKEN.replace(":", "%3A"),
    "space before": f" {TOKEN}",
    "space behind": f"{TOKEN} ",
    "line feed behind": f"{TOKEN}\n",
    "mac not ASCII": f"s:{SID}.{'é' * 43}",
    "NUL in a signed sid": tokens.sign("a\0b", SECRET),
    "half a surrogate pair": f"s:\ud800.{MAC}",
    "two tokens": f"{TOKEN}.{TOKEN}",
    "too long": tokens.sign("x" * 500, SECRET),
    **{f"mac spelled {n}": f"s:{SID}.{mac}" for n, mac in enumerate(other_spellings_of_the_mac())},
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_token_is_refused(damage: str) -> None:
    assert tokens.read(DAMAGED[damage], [SECRET, OLDER]) is None


def test_the_url_safe_alphabet_is_refused() -> None:
    sids = [tokens.make_sid() for _ in range(100)]
    for token in (tokens.sign(sid, SECRET) for sid in sids):
        sid, _, mac = token.rpartition(".")
        url_safe = f"{sid}.{mac.replace('+', '-').replace('/', '_')}"
        assert url_safe == token or tokens.read(url_safe, [SECRET]) is None


def test_every_flipped_bit_is_refused() -> None:
    for place in range(len(TOKEN)):
        for bit in range(7):
            flipped = TOKEN[:place] + chr(ord(TOKEN[place]) ^ (1 << bit)) + TOKEN[place + 1 :]
            assert tokens.read(flipped, [SECRET]) is None, place


def test_the_longest_token_is_512_characters() -> None:
    longest = tokens.sign("x" * (512 - len("s:.") - 43), SECRET)
    assert len(longest) == 512
    assert tokens.read(longest, [SECRET]) is not None
