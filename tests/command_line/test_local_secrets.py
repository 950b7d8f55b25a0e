"""secrets.json of the local stack: made once, kept, and completed when a newer version needs more."""

import json
import stat
from pathlib import Path

from tenantry.local_secrets import load_or_make


def test_secrets_are_made_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = load_or_make(path)
    assert load_or_make(path) == made
    values = [made.superuser_password, made.session_secret, made.factor_secret, *made.service_keys.values()]
    assert len(set(values)) == len(values)
    assert all(len(value) >= 48 for value in values)


def test_a_file_from_before_second_factors_gets_a_secret_for_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    load_or_make(path)
    older = json.loads(path.read_text())
    del older["factor_secret"]
    path.write_text(json.dumps(older))
    completed = load_or_make(path)
    assert load_or_make(path) == completed
    assert len(completed.factor_secret) == 48
    assert json.loads(path.read_text()).items() >= older.items()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
