"""Make the table of permissions in docs/tenancy.md: python -m tenantry.permissions_page"""

from pathlib import Path

from tenancy_service.permissions import BUILT_IN, OrgRole

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tenancy.md"
BEGIN, END = "<!-- made by python -m tenantry.permissions_page -->\n", "<!-- end -->"


def page(text: str) -> str:
    """The text with the table as it follows from the code."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def table() -> str:
    rows = [
        f"| `{permission}` | {'the organization' if isinstance(least, OrgRole) else 'the project'} | {least.name} |\n"
        for permission, least in sorted(BUILT_IN.items())
    ]
    return "| permission | in | least role |\n|---|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
