"""Read a deployment's own permissions from its permissions.toml, checked at start.

[project]
"containers:view" = "VIEWER"
"containers:restart" = "EDITOR"

[organization]
"billing:read" = "ADMIN"
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tenancy_service.permissions import BUILT_IN, LeastRole, OrgRole, ProjectRole

NAME = re.compile(r"[a-z][a-z0-9_]{0,49}:[a-z][a-z0-9_]{0,49}")
LEVELS: Mapping[str, type[OrgRole] | type[ProjectRole]] = {"organization": OrgRole, "project": ProjectRole}
MOST = 1000


def read_permissions(path: Path) -> dict[str, LeastRole]:
    """The built-in permissions and the file's; ValueError naming everything that is wrong with it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    permissions = dict(BUILT_IN)
    wrong = [f"[{level}] is not one of [organization], [project]" for level in content.keys() - LEVELS.keys()]
    for level, roles in LEVELS.items():
        for name, role in content.get(level, {}).items():
            problem = _problem(name, role, roles, permissions)
            if problem:
                wrong.append(problem)
            else:
                permissions[name] = roles[role]
    if len(permissions) > MOST:
        wrong.append(f"{len(permissions)} permissions, at most {MOST:,}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return permissions


def _problem(
    name: str, role: object, roles: type[OrgRole] | type[ProjectRole], taken: Mapping[str, LeastRole]
) -> str | None:
    if not NAME.fullmatch(name):
        return f'"{name[:100]}" is not of the form thing:verb (a-z, 0-9 and _)'
    if name in taken:
        return f'"{name}" is defined twice or built in'
    if not isinstance(role, str) or role not in roles.__members__ or role == ProjectRole.NONE.name:
        allowed = ", ".join(known for known in roles.__members__ if known != ProjectRole.NONE.name)
        return f'"{name}" needs one of {allowed}'
    return None
