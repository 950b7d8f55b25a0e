"""`tenantry up --gateway`: Envoy beside the pair, said, found in run.json, and ended with it."""

import os
import signal
import stat
from pathlib import Path

import httpx

from tests.command_line.launched import all_gone, environment, launched, new_folder, tenantry

SIGN_UP = {"email": "bo@example.com", "password": "a stove and a lizard", "display_name": "Bo"}


def test_it_answers_over_http_and_everything_ends_when_it_does() -> None:
    with new_folder() as folder, launched(folder, env=environment(folder, GATEWAY="1", GATEWAY_PORT="0")) as up:
        state = up.read_state()
        url = state["gateway"]["url"]
        assert f"gateway    {url}   ready" in up.lines
        assert url == f"http://{state['gateway']['address']}"
        assert httpx.post(f"{url}/v1/users:signUp", json=SIGN_UP).json() == {}
        configuration = folder / "gateway"
        assert stat.S_IMODE(configuration.stat().st_mode) == 0o700
        os.kill(state["pids"]["gateway"], signal.SIGKILL)
        assert "gateway was ended by signal 9" in up.rest()
        assert up.process.returncode == 1
        assert all_gone(state["pids"])


def test_a_setting_that_is_wrong_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    refused = tenantry(tmp_path / "data", "up", GATEWAY="1", GATEWAY_PORT="0", GATEWAY_TRUSTED_HOPS="some")
    assert refused.returncode == 2
    assert refused.stderr.startswith("1 setting is wrong:\n  GATEWAY_TRUSTED_HOPS: ")
    assert not (tmp_path / "data" / "postgres").exists()


def test_the_configuration_is_checked_without_anything_running(tmp_path: Path) -> None:
    for more in ({"GATEWAY_ORIGINS": "https://app.example.com"}, {"GATEWAY_ADDRESS": "0.0.0.0:8080"}):
        right = tenantry(tmp_path, "gateway", "--check", **more)
        assert right.returncode == 0, right.stderr
        assert "OK" in right.stdout + right.stderr
    wrong = tenantry(tmp_path, "gateway", "--check", GATEWAY_ADDRESS="nowhere", GATEWAY_CERTIFICATE="/x")
    assert wrong.returncode == 2
    assert "GATEWAY_ADDRESS: needs host:port" in wrong.stderr
    apis = tmp_path / "apis.toml"
    apis.write_text('[[api]]\nname = "x"')
    refused = tenantry(tmp_path, "gateway", "--check", GATEWAY_APIS=str(apis))
    assert refused.returncode == 2
    assert "api.0.address" in refused.stderr
