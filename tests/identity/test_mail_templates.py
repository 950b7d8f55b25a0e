"""The texts of mails: complete, replaceable file by file, and nothing gets into them that should not."""

from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from identity_service.mail.texts import LINKS, NAMES, RESET, TEMPLATES, VERIFY, Template
from identity_service.settings import Settings
from shared.mail.message import NotDeliveredError, in_ascii, make_message
from shared.mail.texts import SAMPLE_TOKEN, Rendered, Texts
from shared.settings import describe
from tenantry.testing.pair import identity_settings

URL = "postgresql://identity:password@db/identity"
LINK = "https://app.example.com/verify?a=1&b=2#token={token}"
SHOWN = {"address": "ada@example.com", "ip": "203.0.113.7", "time": "22 November 2026, 20:15 UTC"}


def rendered(
    name: str, *, link: str = "", product_name: str = "Acme", folder: Path | None = None, **shown: str
) -> Rendered:
    texts = Texts(TEMPLATES, product_name=product_name, links={VERIFY: link, RESET: link}, folder=folder)
    token = SAMPLE_TOKEN if name in LINKS else None
    return texts.render(name, shown={**SHOWN, **shown}, token=token, lifetime=timedelta(minutes=15))


class Words(HTMLParser):
    """The words of a page's body, its links, and whatever it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            if name == "href":
                self.links.append(value or "")
            elif name in ("src", "background", "srcset") or (name == "style" and "url(" in (value or "")):
                self.loaded.append(value or "")

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def test_there_is_a_text_for_every_mail_that_is_sent() -> None:
    assert set(Template.__args__) | {"already_registered"} == set(NAMES)  # type: ignore[attr-defined]


@pytest.mark.parametrize("link", ["", LINK], ids=["code", "link"])
@pytest.mark.parametrize("name", NAMES)
def test_every_mail_says_the_same_in_text_and_in_html(name: str, link: str) -> None:
    mail = rendered(name, link=link)
    page = Words(mail.html)
    assert "Acme" in mail.subject
    assert "Subject:" not in mail.text
    assert page.loaded == []
    assert not page.tags & {"img", "script", "iframe", "link", "form", "object"}
    assert all(paragraph.split()[0] in page.words for paragraph in mail.text.split("\n\n") if "://" not in paragraph)
    for part in (mail.text, " ".join(page.words)):
        assert "Acme" in part
        assert "on 22 November 2026, 20:15 UTC, from the internet address 203.0.113.7." in part
        assert "{" not in part
        if name in LINKS:
            assert "15 minutes" in part
            assert (link.replace("{token}", SAMPLE_TOKEN) if link else SAMPLE_TOKEN) in part
    assert page.links == ([link.replace("{token}", SAMPLE_TOKEN)] if link and name in LINKS else [])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_an_address_that_is_not_known(name: str) -> None:
    mail = rendered(name, ip="")
    for part in (mail.text, mail.html):
        assert "internet address" not in part
        assert "20:15 UTC." in part


def test_what_is_shown_is_text_in_html_too() -> None:
    mail = rendered("second_factor_changed", product_name='A&B <script>"', ip="<img src=x>")
    assert mail.subject == 'The second factor of your A&B <script>" account has changed'
    assert not Words(mail.html).tags & {"script", "img"}
    assert "A&amp;B &lt;script&gt;" in mail.html


def settings(folder: Path) -> Settings:
    return identity_settings(URL, MAIL_TEMPLATES=folder)


def test_files_of_the_operator_replace_ours_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "password_changed.txt").write_text("Subject: Neues Passwort bei {{ product_name }}\n\nUm {{ time }}.\n")
    (tmp_path / "_layout.html").write_text("<main>{% block body %}{% endblock %}</main>")
    (tmp_path / "README.md").write_text("not a template")
    assert settings(tmp_path).mail_templates == tmp_path
    mail = rendered("password_changed", folder=tmp_path)
    assert mail.subject == "Neues Passwort bei Acme"
    assert mail.text == "Um 22 November 2026, 20:15 UTC.\n"
    assert mail.html.startswith("<main>")
    assert rendered("email_changed", folder=tmp_path).text == rendered("email_changed").text


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("sign_up.html", "{% if link %}", "sign_up cannot be rendered: line 1 of sign_up.html"),
        ("sign_up.txt", "Subject: x\n\n{{ token }}", "sign_up cannot be rendered: 'token' is undefined"),
        ("sign_up.txt", "Subject: x\n\nGo to {{ link }}", "sign_up.txt shows neither `link` nor `code`"),
        ("reset_password.html", "<p>{{ code }}</p>", "reset_password.html shows neither `link` nor `code`"),
        ("password_changed.txt", "Hello\n", "password_changed.txt: needs a first line `Subject: …`"),
        ("password_changed.txt", "Subject:  \n\nHello\n", "password_changed.txt: needs a first line"),
        ("password_changed.txt", f"Subject: {'x' * 151}\n\nHello\n", "at most 150 characters"),
        ("password_changed.txt", "Subject: Hello\n", "password_changed.txt is empty"),
        ("password_changed.html", " ", "password_changed.html is empty"),
        ("password-changed.txt", "Subject: x\n\nx", "password-changed.txt is the name of no mail; there are sign_up, "),
    ],
)
def test_a_text_that_could_not_be_sent_is_named_at_start(tmp_path: Path, name: str, text: str, wrong: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValidationError) as caught:
        settings(tmp_path)
    told = describe(Settings, caught.value)
    assert told.startswith("1 setting is wrong:\n  MAIL_TEMPLATES: ")
    assert wrong in told


def test_a_text_in_another_encoding_is_named_at_start(tmp_path: Path) -> None:
    (tmp_path / "sign_up.txt").write_bytes("Subject: Bestätigen\n\n{{ link or code }}".encode("latin-1"))
    with pytest.raises(ValidationError, match="sign_up"):
        settings(tmp_path)


@pytest.mark.parametrize("hostile", ["a\nBcc: eve@example.com", "a\r\n\r\nbody", "a\x00b", "a\u2028b"])
def test_a_product_name_cannot_break_a_header(hostile: str) -> None:
    with pytest.raises(ValidationError, match="printable"):
        identity_settings(URL, PRODUCT_NAME=hostile)


@pytest.mark.parametrize("hostile", ["x\nBcc: eve@example.com", "x\r\ny"])
def test_no_header_takes_a_line_break(hostile: str) -> None:
    good = Rendered("x", "x", "x")
    with pytest.raises(ValueError, match=r"header|line"):
        make_message(Rendered(hostile, "x", "x"), product_name="Acme", sender="a@example.com", address="b@example.com")
    with pytest.raises(ValueError, match=r"header|line|invalid"):
        make_message(good, product_name=hostile, sender="a@example.com", address="b@example.com")
    with pytest.raises(NotDeliveredError):
        make_message(good, product_name="Acme", sender="a@example.com", address=f"{hostile}@example.com")


@pytest.mark.parametrize(
    "hostile",
    [
        "a@example.com, eve@example.com",
        "Ada <eve@example.com>",
        "a@example.com\n",
        "",
        "nobody",
        "@",
        "a@b@c.d",
    ],
)
def test_one_address_is_one_recipient(hostile: str) -> None:
    with pytest.raises(NotDeliveredError):
        in_ascii(hostile)


def test_the_domain_is_written_as_mail_servers_take_it() -> None:
    assert in_ascii("ada@bücher.example") == "ada@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"SMTP_URL": "http://mail.example.com"}, "SMTP_URL: needs smtp://user:password@host:port"),
        ({"SMTP_URL": "smtp://"}, "SMTP_URL: needs smtp://"),
        ({"SMTP_URL": "smtp://mail.example.com:port"}, "SMTP_URL: not a URL with a host and a port"),
        ({"SMTP_URL": "smtp://mail.example.com/x"}, "SMTP_URL: needs smtp://"),
        ({"SMTP_URL": "smtp://hunter2@mail.example.com"}, "SMTP_URL: needs a user and a password, or neither"),
        ({"SMTP_URL": "smtp://u:hunter2@mail.example.com?starttls=off"}, "SMTP_URL: starttls=off is for relays nearby"),
        ({"SMTP_URL": "smtps://mail.example.com?starttls=off"}, "SMTP_URL: starttls=off is for relays nearby"),
        ({"SMTP_URL": "smtp://mail.example.com?tls=hunter2"}, "SMTP_URL: knows no other option than ?starttls=off"),
        ({"SMTP_URL": "smtp://mail.example.com", "MAIL_FROM": None}, "SMTP_URL: needs a MAIL_FROM too"),
        ({"MAIL_FROM": "Acme <hunter2@example.com>"}, "MAIL_FROM: not an email address"),
        ({"VERIFY_EMAIL_URL": "https://app.example.com/"}, "VERIFY_EMAIL_URL: needs an http(s) address with {token}"),
        ({"RESET_PASSWORD_URL": "javascript:{token}"}, "RESET_PASSWORD_URL: needs an http(s) address with {token}"),
    ],
)
def test_wrong_settings_are_named_without_their_values(changes: dict[str, Any], wrong: str) -> None:
    values = {"MAIL_FROM": "no-reply@example.com"} | changes
    with pytest.raises(ValidationError) as caught:
        identity_settings(URL, **{name: value for name, value in values.items() if value is not None})
    told = describe(Settings, caught.value)
    assert told.startswith("1 setting is wrong:")
    assert f"  {wrong}" in told
    assert "hunter2" not in told
