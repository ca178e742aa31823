"""Which worker does a job: one that holds its model, on this machine and in a Ray cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.service import Service

PACK = '''
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from nodegraph import Choices, Context, choices, node


@dataclass(frozen=True)
class Weights:
    key: str
    size: int = 6
    place: str = "cpu"

    @property
    def name(self):
        return self.key

    def capacity(self):
        return 10

    def load(self, report):
        return self.key

    def drop(self, value):
        pass


@choices("models")
def listed(folders):
    return {"red": "a toy", "blue": "a toy", "green": "a toy"}


@node(version=1, pure=False)
def weigh(ctx: Context, model: Annotated[str, Choices("models")]) -> str:
    """Load a model. A worker has room for one."""
    with ctx.lease(Weights(model)) as found:
        return found


@node(version=1)
def slow(number: int) -> int:
    """Take long enough to be kept."""
    time.sleep(0.1)
    return number


@node(version=1, lane="gpu")
def count(ctx: Context, start: int, steps: int, gate: str) -> int:
    """Count, go on where it was interrupted, and end once there is a file at the gate."""
    step = ctx.resumed() or 0
    if step:
        ctx.progress(step, steps)  # it may have come to its end before, and then only the gate was shut
    while step < steps or not Path(gate).exists():
        time.sleep(0.02)
        step = min(step + 1, steps)
        ctx.progress(step, steps)
        ctx.checkpoint(lambda step=step: step)
    return start + steps
'''


@pytest.fixture
def pack(tmp_path: Path) -> str:
    (tmp_path / "heavy.py").write_text(PACK)
    return str(tmp_path / "heavy.py")


def workers(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get("/api/workers").json["workers"]
    return found


def ready(service: Service, count: int, seconds: float = 60.0) -> list[dict[str, Any]]:
    return service.until(
        lambda: found if len(found := [w for w in workers(service) if w["ready"]]) == count else None, seconds
    )


def test_a_job_goes_to_the_worker_that_holds_its_model(start: Callable[..., Service], pack: str) -> None:
    service = start("--workers", "2", "--pack", pack)
    ready(service, 2)

    def use(model: str) -> int:
        """The number of the worker that did a job with this model."""
        before = [w["done"] for w in workers(service)]
        document = {"nodes": {"weigh": {"type": "heavy/Weigh@1", "inputs": {"model": model}}}}
        assert service.post("/api/jobs?wait=1", {"document": document}).json["state"] == "done"
        (chosen,) = [w["number"] for w in workers(service) if w["done"] > before[w["number"]]]
        return int(chosen)

    red, blue = use("red"), use("blue")
    assert red != blue, "the other worker held nothing, so nothing had to make room"
    assert [use(model) for model in ("blue", "red", "red", "blue", "red")] == [blue, red, red, blue, red]
    green = use("green")  # nobody holds it: any free worker takes it, and lets go of what it held
    assert {w["number"]: w["holds"] for w in workers(service)} == {
        green: ["green"], 1 - green: ["red" if 1 - green == red else "blue"]
    }  # fmt: skip


RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # so that it stays on the loopback address
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(600)
def test_a_lost_machine_loses_no_job(
    start: Callable[..., Service], pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two machines of a Ray cluster each do a job; one is killed; the other finishes its job from where it was."""
    for name, value in RAY.items():
        monkeypatch.setenv(name, value)
    from ray.cluster_utils import Cluster

    memory = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**memory, "include_dashboard": False})
    try:
        other = cluster.add_node(**memory)
        service = start("--ray", cluster.address, "--pack", pack, "--checkpoint", "0.1")
        assert workers(service) == []  # it answers before it has found the cluster
        listed = ready(service, 2, 300)
        assert all(w["host"] and w["device"] == "cpu" for w in listed)
        gate = tmp_path / "gate"
        inputs = {"start": {"$from": "slow.int"}, "steps": 40, "gate": str(gate)}
        document = {
            "nodes": {
                "slow": {"type": "heavy/Slow@1", "inputs": {"number": 1}},
                "count": {"type": "heavy/Count@1", "inputs": inputs},
            },
            "outputs": {"all": {"$from": "count.int"}},
        }
        _killed_alone(service, document, gate)
        with service.events() as events:
            jobs = [service.post("/api/jobs", {"document": document, "inputs": {"slow.number": n}}).json["id"]
                    for n in (1, 2)]  # fmt: skip
            steps: dict[str, list[int]] = {id: [] for id in jobs}
            lost = ""
            cached = []
            ended: dict[str, str] = {}
            for event in events:
                id = str(event.data.get("job"))
                if event.type == "Progress":
                    steps[id].append(event.data["step"])
                    if not lost and all(s and s[-1] == 40 for s in steps.values()):
                        doomed = [w for w in workers(service) if _is_of(w["process"], other)]
                        (lost,) = [w["job"] for w in doomed]
                        steps[lost].append(0)  # marks the place
                        cluster.remove_node(other, allow_graceful=False)
                elif event.type == "Cached":
                    cached.append((id, event.data["node"]))
                elif event.type == "job" and id == lost and event.data["state"] == "pending":
                    gate.touch()  # not before: what is lost may live on for a moment
                elif event.type == "job" and event.data["state"] in ("done", "failed", "cancelled"):
                    ended[id] = event.data["state"]
                    if len(ended) == 2:
                        break
        assert ended == dict.fromkeys(jobs, "done")
        again = service.job(lost)
        assert (again["attempts"], again["kills"]) == (2, 0)  # a machine that is lost is not the job's fault
        assert service.job(next(id for id in jobs if id != lost))["attempts"] == 1
        after = steps[lost][steps[lost].index(0) + 1 :]
        assert after[0] > 20, "it went on from its last state"
        assert (lost, "slow") in cached or "slow" not in again["nodes"]
        (value,) = [service.get(f"/api/jobs/{lost}/outputs/count/int").json]
        assert value == 40 + jobs.index(lost) + 1
        assert [w["deaths"] > 0 for w in workers(service) if not w["ready"]] == [True]
        assert "died: its machine" in service.log.read_text()
        assert service.stop() == 0
    finally:
        cluster.shutdown()


def _killed_alone(service: Service, document: dict[str, Any], gate: Path) -> None:
    """A worker that dies while its machine lives is replaced, and counts against its job."""
    job = service.post("/api/jobs", {"document": document, "inputs": {"slow.number": 0}}).json["id"]
    service.until_progress(job)
    (busy,) = [w for w in workers(service) if w["job"]]
    os.kill(busy["process"], signal.SIGKILL)
    gate.touch()
    ended = service.until_state(job, "done", "failed", seconds=300)
    gate.unlink()
    assert (ended["state"], ended["attempts"], ended["kills"]) == ("done", 2, 1)
    assert sum(w["deaths"] for w in ready(service, 2, 300)) == 1


def _is_of(process: int, node: Any) -> bool:
    """Whether a process runs on a node of the cluster: these are groups of processes here, each under its raylet."""
    raylets = {p.process.pid for p in node.all_processes["raylet"]}
    while process > 1 and process not in raylets:
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return process in raylets
