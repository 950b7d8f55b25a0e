"""Texts that the tests put into every field."""

HOSTILE = [
    "\x00", "a\x00b", "'; DROP TABLE users; --", "%_%", "{0}{violations}%s", "\u202eevil", "\ud7ff\uffff", "🦊" * 30,
    "../../etc/passwd", "<script>", "\r\nx-injected: 1", "null", "-1", "9" * 40, "x" * 5000,
]  # fmt: skip
