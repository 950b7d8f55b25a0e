"""What the supervisor does with processes, shown with stand-ins that start in no time."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tenantry.processes import is_alive
from tenantry.testing.group import Group, launched

Start = Callable[..., Group]


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    folder = tmp_path / "faults"
    folder.mkdir()
    return folder


@pytest.fixture
def start(faults: Path) -> Iterator[Start]:
    """Two stand-ins, both ready unless `wait` is false."""
    with ExitStack() as stack:

        def starting(*, steady: float = 10, wait: bool = True) -> Group:
            command = [sys.executable, "-m", "tests.workers.stand_ins", str(steady)]
            group = stack.enter_context(launched(command, {"STAND_IN": str(faults)}))
            if wait:
                group.until("worker ready", 2)
            return group

        yield starting


def started(group: Group) -> list[int]:
    return [entry["pid"] for entry in group.told("worker started")]


def alive(group: Group) -> list[int]:
    return [pid for pid in started(group) if is_alive(pid)]


def kill(group: Group, worker: int) -> None:
    os.kill(group.pids()[worker], signal.SIGKILL)


def test_a_worker_that_dies_again_and_again_is_followed_ever_later_until_one_serves(start: Start, faults: Path) -> None:
    group = start()
    fault = faults / "dies"
    fault.touch()
    kill(group, 1)
    waits = group.until("worker waits to be started again", 2)
    assert [wait["seconds"] for wait in waits] == [0.5, 1.0]
    assert len(started(group)) == 2 + 2
    fault.unlink()
    group.until("worker ready", 3)
    died = group.told("worker died")
    assert [(entry["worker"], entry["status"]) for entry in died] == [(1, -9), (1, 7), (1, 7)]


def test_a_worker_that_had_served_for_a_while_is_followed_at_once(start: Start) -> None:
    group = start(steady=0.05)
    for ready in (3, 4, 5):
        time.sleep(0.1)  # a while, by this measure
        kill(group, 2)
        group.until("worker ready", ready)
    assert group.told("worker waits to be started again") == []


def test_a_group_whose_first_worker_dies_ends_with_its_status(start: Start, faults: Path) -> None:
    (faults / "dies").touch()
    group = start(wait=False)
    assert group.process.wait(30) == 7
    assert alive(group) == []


def test_a_new_worker_that_does_not_become_ready_leaves_the_old_ones_in_their_places(
    start: Start, faults: Path
) -> None:
    group = start()
    old = group.pids()
    fault = faults / "never ready"
    fault.touch()
    group.process.send_signal(signal.SIGHUP)
    group.until("worker ended")
    assert [entry["worker"] for entry in group.told("a new worker does not become ready: the old ones stay")] == [1]
    assert sorted(alive(group)) == sorted(old.values())
    fault.unlink()
    group.process.send_signal(signal.SIGHUP)
    group.until("replaced")
    assert set(alive(group)) == set(group.pids().values())
    assert not set(group.pids().values()) & set(old.values())


def test_who_asks_while_workers_are_replaced_gets_one_more_round(start: Start, faults: Path) -> None:
    (faults / "slow").write_text("0.3")
    group = start()
    group.process.send_signal(signal.SIGHUP)
    group.until("replacing")
    for _ in range(2):
        group.process.send_signal(signal.SIGHUP)
    group.until("replaced", 2)
    assert group.end() == 0
    assert len(group.told("replacing")) == 2
    assert len(started(group)) == 2 + 2 + 2


def test_a_worker_that_dies_while_another_starts_in_its_place_leaves_one_for_each_place(
    start: Start, faults: Path
) -> None:
    group = start()
    old = group.pids()[1]
    (faults / "slow").write_text("0.6")
    group.process.send_signal(signal.SIGHUP)
    group.until("worker started", 3)
    os.kill(old, signal.SIGKILL)
    group.until("replaced")
    assert len(alive(group)) == 2
    assert group.end() == 0
    assert alive(group) == []


def test_it_can_be_ended_while_workers_are_replaced(start: Start, faults: Path) -> None:
    group = start()
    (faults / "never ready").touch()
    group.process.send_signal(signal.SIGHUP)
    group.until("worker started", 3)
    assert group.end() == 0
    assert alive(group) == []
    assert len(started(group)) == 3


def test_a_worker_that_does_not_end_is_killed(start: Start, faults: Path) -> None:
    (faults / "deaf").touch()
    group = start()
    assert group.end(signal.SIGINT) == 0
    assert {entry["worker"] for entry in group.told("worker killed, as it did not end")} == {1, 2}
    assert alive(group) == []
