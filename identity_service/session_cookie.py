"""The session cookie: set where a token is handed out, cleared where the caller's session ends, if the gateway asks.

Its attributes are those of NIST SP 800-63B-4, 5.1.1. It lasts as long as the session can at most: the idle limit moves
with every use, and of most uses the browser gets no answer from here.
"""

from urllib.parse import quote

from identity_service.settings import Settings
from shared.authentication import HOST, cookie_names
from shared.call import Context

# Only the gateway sends it to us: it takes away what comes from outside. Over TLS the browser's cookie is to be secure.
ASKED = "x-set-session-cookie"
SECURE, PLAIN = "secure", "plain"


async def give(context: Context, settings: Settings, token: str) -> None:
    """After the commit: what is sent cannot be taken back."""
    # As Express's encodeURIComponent does: of what tokens are made of, both leave the same as it is.
    await _send(context, settings, quote(token, safe=""), settings.session_absolute_seconds)


async def take_away(context: Context, settings: Settings) -> None:
    """After the commit that ended the caller's session."""
    await _send(context, settings, "", 0)


async def _send(context: Context, settings: Settings, value: str, seconds: int) -> None:
    """Under one name. What the browser has under the other is cleared: it might count instead of the new one."""
    asked = next((text for key, text in context.invocation_metadata() or () if key == ASKED), None)
    if asked not in (SECURE, PLAIN):
        return
    names = cookie_names(settings.session_cookie_name)
    name = names[0] if asked == SECURE else names[-1]
    cookies = [_cookie(each, value, seconds) if each == name else _cookie(each, "", 0) for each in names]
    await context.send_initial_metadata([("set-cookie", cookie) for cookie in cookies])


def _cookie(name: str, value: str, seconds: int) -> str:
    secure = "; Secure" if name.startswith(HOST) else ""
    return f"{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}"
