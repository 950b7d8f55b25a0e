"""The texts of mails: Jinja templates, each with a subject, a plain text and the same in HTML.

`<name>.txt` begins with a line `Subject: …` and an empty one. A folder of the operator's own replaces them file by
file; names that begin with _ are parts that others include, and those of both services are here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
    select_autoescape,
)

# Of both services: one folder of the operator's own may hold the texts of both.
NAMES = (
    "sign_up",
    "verify_email",
    "change_email",
    "reset_password",
    "already_registered",
    "email_change_started",
    "email_changed",
    "password_changed",
    "second_factor_changed",
    "invitation",
)
SUBJECT = "Subject: "
MOST_SUBJECT = 150  # characters

SAMPLE_TOKEN = "sample-of-a-token-000000000000000000000000"  # noqa: S105
SAMPLE_LINK = "https://app.example.com/#token={token}"
SAMPLE = {"address": "ada@example.com", "time": "22 November 2026, 20:15 UTC"}


@dataclass(frozen=True, slots=True)
class Templates:
    """Those of a service, in the folder `templates` of its `package`.

    `links` says of those that hand out a token what it leads to; `notices` hand out none. `samples` are what they
    may have to show.
    """

    package: str
    links: Mapping[str, str]
    notices: Sequence[str]
    samples: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str
    html: str


class Texts:
    """`links` are addresses with {token} in them by what they lead to; without one a mail shows the token itself."""

    def __init__(
        self, templates: Templates, *, product_name: str, links: Mapping[str, str], folder: Path | None
    ) -> None:
        self.product_name, self._templates, self._links = product_name, templates, links
        theirs = [FileSystemLoader(folder)] if folder else []
        ours = [PackageLoader(package, "templates") for package in (templates.package, "shared.mail")]
        self._environment = Environment(
            loader=ChoiceLoader([*theirs, *ours]),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    def render(
        self, name: str, *, shown: Mapping[str, str], token: str | None = None, lifetime: timedelta | None = None
    ) -> Rendered:
        """With a token a template has `link` or `code`, the other empty; with a lifetime of it `lasts`."""
        values = {**shown, "product_name": self.product_name}
        if lifetime is not None:
            values["lasts"] = in_words(lifetime)
        if token is not None:
            link = self._links[self._templates.links[name]].replace("{token}", token)
            values |= {"link": link, "code": "" if link else token}
        head, _, text = self._environment.get_template(f"{name}.txt").render(values).partition("\n")
        subject = head.removeprefix(SUBJECT).strip()
        if not head.startswith(SUBJECT) or not subject or len(subject) > MOST_SUBJECT or not subject.isprintable():
            raise ValueError(f"needs a first line `{SUBJECT}…` of at most {MOST_SUBJECT} characters")
        html = self._environment.get_template(f"{name}.html").render(values)
        return Rendered(subject, text.strip() + "\n", html)


def check_templates(templates: Templates, folder: Path) -> None:
    """ValueError if what the folder replaces could not be sent."""
    unknown = [
        path.name
        for path in sorted(folder.iterdir())
        if path.suffix in (".txt", ".html") and path.stem not in NAMES and not path.name.startswith("_")
    ]
    if unknown:
        raise ValueError(f"{unknown[0]} is the name of no mail; there are {', '.join(NAMES)}")
    for link in ("", SAMPLE_LINK):
        links = dict.fromkeys(templates.links.values(), link)
        texts = Texts(templates, product_name="Acme", links=links, folder=folder)
        for shown in templates.samples:
            for name in templates.links:
                check_template(texts, name, {**SAMPLE, **shown}, SAMPLE_TOKEN)
            for name in templates.notices:
                check_template(texts, name, {**SAMPLE, **shown}, None)


def check_template(texts: Texts, name: str, shown: Mapping[str, str], token: str | None) -> None:
    try:
        rendered = texts.render(name, shown=shown, token=token, lifetime=timedelta(hours=1))
    except TemplateError as error:
        place = f"line {error.lineno} of {error.name}: " if isinstance(error, TemplateSyntaxError) else ""
        raise ValueError(f"{name} cannot be rendered: {place}{error.message}") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}.txt: {error}") from None
    for kind, text in (("txt", rendered.text), ("html", rendered.html)):
        if not text.strip():
            raise ValueError(f"{name}.{kind} is empty")
        if token and token not in text:
            raise ValueError(f"{name}.{kind} shows neither `link` nor `code`, whichever is not empty")


def in_words(lifetime: timedelta) -> str:
    """24 hours, 1 hour, 15 minutes."""
    minutes = int(lifetime.total_seconds() // 60)
    count, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def on_the_clock(time: datetime) -> str:
    """22 November 2026, 20:15 UTC; sessions of the database are in UTC."""
    return f"{time:%d %B %Y, %H:%M} UTC"
