"""The demo tells the story of the README, and knows when an answer is not the expected one."""

import json
import re
from dataclasses import replace
from pathlib import Path

from tenantry import demo
from tests.command_line.launched import Launched, tenantry

TABLE = r"""who\tasks_for\ton\tanswer\trole\tsource\tbecause
ada\tproject:update\tacme/api\tyes\tADMIN\tOWNER\towners may do everything
bo\tproject:read\tacme/api\tyes\tVIEWER\tINHERITED\tacme gives members VIEWER
bo\tproject:update\tacme/api\tno\tVIEWER\tINHERITED\tneeds ADMIN
bo\tproject:read\tacme/web\tno\tNONE\tOVERRIDE\tlowered from VIEWER by ada
bo\tproject:read\tacme/api\t-\t-\t-\tUNAUTHENTICATED: session revoked \d+ ms before the check
zoe\tproject:read\tacme/api\tno\tNONE\tNOT_A_MEMBER\t
6 answers, all as expected, each from the database at that moment\.
"""


def test_it_runs_against_the_running_pair_again_and_again(up: Launched) -> None:
    for _ in range(2):
        told = tenantry(up.folder, "demo")
        assert told.returncode == 0, told.stderr
        assert re.fullmatch(TABLE, told.stdout)
        assert told.stderr == ""


def test_without_a_pair_it_starts_one_of_its_own_and_leaves_nothing(folder: Path) -> None:
    told = tenantry(folder, "demo", "--json", TMPDIR=str(folder.parent))
    assert told.returncode == 0, told.stderr
    assert "starting one for the demo" in told.stderr
    answers = [json.loads(line)["answer"] for line in told.stdout.splitlines()]
    assert answers == ["yes", "yes", "no", "no", "-", "no"]
    assert list(folder.parent.iterdir()) == []


def test_an_answer_that_differs_is_noticed() -> None:
    expected = demo.EXPECTED[0]
    assert demo._is_expected(expected, replace(expected, because="owners may do everything"))
    assert not demo._is_expected(expected, replace(expected, answer="no"))
    assert not demo._is_expected(demo.EXPECTED[demo.REVOKED], replace(demo.EXPECTED[demo.REVOKED], because=""))
