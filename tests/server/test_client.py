"""The Python client, and the commands that use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import changed
from nodegraph.client import Client, ServerError, Unreachable
from server.pictures import png
from server.service import Service, toys
from server.test_jobs_api import SAVED


@pytest.fixture
def client(service: Service) -> Client:
    return Client(f"http://{service.host}:{service.port}")


def test_submit_wait_save(client: Client, tmp_path: Path) -> None:
    job = client.wait(client.submit({"nodes": toys(SAVED)}, inputs={"sample.seed": 8}))
    assert job["state"] == "done"
    first, again = client.save(job, tmp_path), client.save(job, tmp_path)
    assert [p.name for p in first] == ["toy_00001.txt"]
    assert again[0].name == f"toy_00001-{job['results'][0]}.txt"
    assert first[0].read_bytes() == again[0].read_bytes()


def test_refusals_carry_the_problems(client: Client) -> None:
    with pytest.raises(ServerError, match=r"sample.steps: input should be greater") as caught:
        client.submit({"nodes": toys(changed(SAVED, "sample.steps", 0))})
    assert (caught.value.status, caught.value.code) == (422, "invalid_workflow")


def test_nobody_there() -> None:
    with pytest.raises(Unreachable, match="nodegraph serve"):
        Client("http://127.0.0.1:9", timeout=2).get("/healthz")


def test_events_go_on_from_a_number(client: Client) -> None:
    job = client.wait(client.submit({"nodes": toys(changed(SAVED, "sample.seed", 63))}))
    states = []
    for type, fields in client.events(after=0):
        if type == "job" and fields["job"] == job["id"]:
            states.append(fields["state"])
            if fields["state"] == "done":
                break
    assert states == ["pending", "running", "done"]


def test_an_upload_has_the_name_of_its_content(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(3, 2))
    (tmp_path / "b.png").write_bytes(png(3, 2))
    assert client.upload(tmp_path / "a.png") == client.upload(tmp_path / "b.png")


class Command:
    def __init__(self, service: Service, folder: Path) -> None:
        self.env = {**os.environ, "NODEGRAPH_SERVER": f"http://{service.host}:{service.port}"}
        self.folder = folder

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from nodegraph.cli import main; main()", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def command(service: Service, tmp_path: Path) -> Command:
    return Command(service, tmp_path)


def test_the_command_submit_prints_files(command: Command, tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text(json.dumps({"nodes": toys(SAVED)}))
    done = command("submit", "flow.json", "--set", "prompt.text=a newt", "--out", "there")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{Path('there') / 'toy_00001.txt'}\n"
    assert "a newt" in (tmp_path / "there" / "toy_00001.txt").read_text()


def test_the_command_jobs_lists_and_shows(command: Command, service: Service) -> None:
    id = service.submit(changed(SAVED, "sample.seed", 64))["id"]
    assert any(line.startswith(f"{id}\tdone\t") for line in command("jobs").stdout.splitlines())
    shown = command("jobs", id).stdout
    assert "sample\tdone\t" in shown
    again = json.loads(command("jobs", id, "--retry", "--json").stdout)
    assert again["id"] != id
    assert command("jobs", "0" * 16).stderr == "error: there is no job '0000000000000000'\n"
    assert command("jobs", "--cancel").returncode == 2
