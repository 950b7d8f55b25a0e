"""One running pair for every test that only looks at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line.launched import Launched, launched, new_folder


@pytest.fixture(scope="session")
def up() -> Iterator[Launched]:
    with new_folder() as folder, launched(folder) as running:
        running.read_state()
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that does not exist yet."""
    with new_folder() as path:
        yield path
