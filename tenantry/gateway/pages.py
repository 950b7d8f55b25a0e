"""What the gateway shows by itself: the API's description, and /docs, a page to read it and to try it."""

from dataclasses import dataclass
from pathlib import Path

from tenantry.project import CODE

FOLDER = CODE / "gateway" / "pages"
# Scripts and styles are the gateway's own files, calls go to the gateway alone, and nobody may frame the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Page:
    path: str
    file: Path
    content_type: str


PAGES = (
    Page("/openapi.json", CODE / "docs" / "openapi.json", "application/json"),
    Page("/docs", FOLDER / "docs.html", "text/html; charset=utf-8"),
    Page("/docs/docs.js", FOLDER / "docs.js", "text/javascript; charset=utf-8"),
    Page("/docs/swagger-ui.css", FOLDER / "swagger-ui" / "swagger-ui.css", "text/css; charset=utf-8"),
    Page(
        "/docs/swagger-ui-bundle.js", FOLDER / "swagger-ui" / "swagger-ui-bundle.js", "text/javascript; charset=utf-8"
    ),
)
LARGEST = 2 * 1024 * 1024
