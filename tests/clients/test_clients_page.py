"""docs/clients.md: its code is that of the examples, and its curl block works."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import psycopg
import pytest

from tenantry.testing.pair import Pair
from tests.gateway.gateways import running_gateway

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "clients.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CODE = {"js": "node/*.js", "go": "go/*.go"}


@pytest.mark.parametrize(
    ("language", "text"), [block for block in BLOCKS if block[0] in CODE], ids=lambda value: value.strip()[:40]
)
def test_its_code_is_that_of_an_example(language: str, text: str) -> None:
    assert any(text in path.read_text() for path in (DOCS / "examples").glob(CODE[language]))


async def test_its_curl_block_works(pair: Pair) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    [block] = [text for language, text in BLOCKS if language == "bash"]
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as connection:
        await connection.execute("DELETE FROM login_throttle")  # of the tests before, from the same address
    async with running_gateway(pair) as gateway:
        environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_URL": gateway.url,
            "MAIL_FOLDER": str(pair.mail_folder),
        }
        process = await asyncio.create_subprocess_exec(
            "bash", "-ec", block, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, errors
    assert re.search(rb'"allowed":true.*"reason":"BAD_REQUEST"', out), out
