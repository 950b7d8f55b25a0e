"""The passwords that are tried first: a list of ours, or COMMON_PASSWORDS in its place."""

import unicodedata
from pathlib import Path

SHIPPED = Path(__file__).with_suffix(".txt")


def common_passwords(path: Path | None = None) -> frozenset[str]:
    """Lower-cased, in NFC. One a line; lines that begin with # are comments. ValueError for what is no such file."""
    try:
        text = unicodedata.normalize("NFC", (path or SHIPPED).read_text("utf-8-sig")).lower()
    except (OSError, UnicodeDecodeError):
        raise ValueError("not a file that can be read as UTF-8 text") from None
    found = frozenset(line.strip() for line in text.splitlines() if not line.startswith("#")) - {""}
    if not found:
        raise ValueError("no passwords in this file, one a line is needed")
    return found
