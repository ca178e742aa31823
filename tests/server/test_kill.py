"""`kill -9` at any moment, to the server or to a worker: nothing is lost, nothing is doubled, pictures stay the same.

`make stress` does it thirty times with the shipped model among the jobs, the suite three times without.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import changed, link, step
from nodegraph import Engine, Folders, Pack, Registry
from server.service import TOY, Service, toys
from toy import TXT2IMG

ROUNDS = int(os.environ.get("NODEGRAPH_STRESS", "3"))
STRESS = "NODEGRAPH_STRESS" in os.environ
SAVED = {
    **TXT2IMG,
    "keep": step("Keep@1", image=link("decode.image")),
    "also": step("Keep@1", image=link("decode.image")),
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the service's workers: how a sum is divided shows in its last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def slow(seed: int, steps: int = 40) -> dict[str, Any]:
    nodes = changed(changed(SAVED, "sample.seed", seed), "sample.steps", steps)
    return changed(nodes, "sample.pause", 0.01)


def submit(service: Service, number: int) -> str:
    if STRESS and number % 10 == 0:
        asked = {"workflow": "txt2img", "inputs": {"seed": number, "steps": 30}}
    else:
        asked = {"document": {"nodes": toys(slow(number))}}
    return str(service.post("/api/jobs", {**asked, "key": f"job {number}"}).json["id"])


def strike(service: Service, dice: random.Random, hit: set[str], job: str) -> None:
    """Kill the server, or a worker that is at a job which no worker died of yet; mostly once `job` samples.

    On a machine that is slow to start processes nothing would ever come to that, were it left to the clock.
    """
    if dice.random() < 0.8:
        service.until(lambda: _samples(service.job(job)), 600)
    time.sleep(dice.uniform(0.0, 0.9))
    workers = service.get("/api/workers").json["workers"]
    busy = [w for w in workers if w["job"] and w["job"] not in hit]
    if busy and dice.random() < 0.5:
        hit.add(busy[0]["job"])
        os.kill(busy[0]["process"], signal.SIGKILL)
    else:
        service.kill()
        service.start()


def _samples(job: dict[str, Any]) -> bool:
    return "sample" in job["nodes"] or job["state"] in ("done", "failed")


def expected(document: dict[str, Any], folder: Path, engine: Engine) -> dict[str, bytes]:
    """What an undisturbed run of the document saves, by file name."""
    folders = Folders(base=folder / "uploads", output=folder / "results" / "job")
    result = engine.run(engine.read(document), folders=folders)
    made = {path.name: path.read_bytes() for path in result.files}
    for path in result.files:
        path.unlink()
    return made


@pytest.mark.usefixtures("one_thread")
@pytest.mark.timeout(120 + 90 * ROUNDS)
def test_kills_lose_nothing_and_double_nothing(start: Callable[..., Service], tmp_path: Path) -> None:
    dice = random.Random(os.environ.get("NODEGRAPH_SEED", "1"))
    service = start("--checkpoint", "0.2", "--workers", "2" if STRESS else "1")
    jobs: list[str] = []
    hit: set[str] = set()
    for number in range(ROUNDS):
        jobs += [submit(service, len(jobs) + i) for i in range(2)]
        strike(service, dice, hit, jobs[max(0, len(jobs) - 3)])
        again = submit(service, len(jobs) - 1)
        assert again == jobs[-1], f"round {number}: a key that was given before made another job"
    ended = {id: service.until_state(id, "done", "failed", "cancelled", seconds=600) for id in jobs}

    with Engine(Registry.installed([Pack.from_file(TOY)])) as engine:
        for job in ended.values():
            if job["kills"] >= 2:  # a strike meant for another job fell on it
                assert job["state"] == "failed"
                continue
            assert (job["state"], job["error"]) == ("done", None)
            results = [service.get(f"/api/results/{r}").json for r in job["results"]]
            wanted = expected(job["document"], tmp_path, engine)
            assert len(results) == len(wanted)
            got = Counter(service.get(r["url"]).body for r in results)
            assert got == Counter(wanted.values())
    stored = {path.name for id in jobs for path in (service.data / "results" / id).iterdir()}
    listed = service.get("/api/results?limit=500").json["results"]
    assert len(listed) == sum(len(job["results"]) for job in ended.values())
    names = {r["name"] for r in listed} | {f"{r['name']}.thumbnail.webp" for r in listed}
    assert stored <= names
    _check_events(service, ended)


def test_deaths_in_a_burst_lose_nothing_and_double_nothing(start: Callable[..., Service]) -> None:
    """While its jobs are quick, a worker has the next one already."""
    service = start()
    service.post("/api/queue/pause")
    quick = changed(changed(SAVED, "sample.steps", 1), "sample.pause", 0.0)
    jobs = [service.submit(changed(quick, "sample.seed", seed), wait=False)["id"] for seed in range(60)]
    service.post("/api/queue/resume")
    service.until_state(jobs[4], "done")
    assert service.post(f"/api/jobs/{jobs[-1]}/cancel").json["state"] == "cancelled"
    os.kill(service.worker(), signal.SIGKILL)
    service.until_state(jobs[20], "done")
    service.kill()
    service.start()
    ended = {id: service.until_state(id, "done", "failed", "cancelled") for id in jobs[:-1]}
    assert {job["state"] for job in ended.values()} == {"done"}
    assert sum(job["kills"] for job in ended.values()) <= 1
    listed = service.get("/api/results?limit=500").json["results"]
    assert Counter(r["job"] for r in listed) == dict.fromkeys(ended, 2)
    _check_events(service, ended)


def _check_events(service: Service, ended: dict[str, Any]) -> None:
    """Their numbers have no gaps, each job ended once, and each result was told once."""
    numbers: list[int] = []
    ends: Counter[str] = Counter()
    saved: Counter[str] = Counter()
    last = int(next(v for k, v in _metrics(service) if k == "nodegraph_last_event"))
    with service.events(after=0) as events:
        for event in events:
            if event.number is None:
                continue
            numbers.append(event.number)
            if event.type == "job" and event.data["state"] in ("done", "failed"):
                ends[event.data["job"]] += 1
            if event.type == "Saved":
                saved[event.data["result"]] += 1
            if event.number >= last:
                break
    assert numbers == list(range(1, last + 1))
    assert ends == Counter(list(ended))
    assert saved == Counter([r for job in ended.values() for r in job["results"]])


def _metrics(service: Service) -> list[tuple[str, float]]:
    lines = service.get("/metrics").body.decode().splitlines()
    return [(line.split(" ")[0], float(line.split(" ")[1])) for line in lines if not line.startswith("#")]


def test_a_job_that_kills_its_worker_twice_is_given_up(start: Callable[..., Service]) -> None:
    service = start()
    job = service.submit(slow(1, steps=1000), wait=False)["id"]
    for _ in range(2):
        service.until_progress(job)
        os.kill(service.worker(), signal.SIGKILL)
    ended = service.until_state(job, "failed", "done")
    assert ended["state"] == "failed"
    assert ended["error"].startswith("killed its worker 2 times (the last: SIGKILL)")
    assert service.submit(slow(2, steps=2))["state"] == "done"
    (worker,) = service.get("/api/workers").json["workers"]
    assert (worker["deaths"], worker["died_of"]) == (2, "SIGKILL")


def test_a_stopped_server_puts_its_job_back_and_ends_well(start: Callable[..., Service]) -> None:
    service = start()
    service.until(service.worker)
    job = service.submit(slow(1, steps=120), wait=False)["id"]
    service.until_progress(job)
    assert service.stop() == 0
    service.start()
    ended = service.until_state(job, "done", "failed", "cancelled")
    assert (ended["state"], ended["kills"], ended["attempts"]) == ("done", 0, 2)
    assert len(ended["results"]) == 2


def test_a_job_that_was_being_cancelled_is_not_begun_again(start: Callable[..., Service]) -> None:
    service = start()
    service.until(service.worker)
    job = service.submit({"stuck": step("Many@1"), **slow(1, steps=1000)}, wait=False)["id"]
    service.until_progress(job)
    service.post(f"/api/jobs/{job}/cancel")
    service.kill()
    service.start()
    assert service.until_state(job, "cancelled", "done")["state"] == "cancelled"


@pytest.mark.usefixtures("one_thread")
@pytest.mark.timeout(400)  # three processes load torch, one after the other
def test_sampling_goes_on_from_its_last_step_in_another_worker(start: Callable[..., Service], tmp_path: Path) -> None:
    service = start("--checkpoint", "0")
    document = service.get("/api/workflows/txt2img").json["document"]
    del document["nodes"]["enlarge"]  # which would only cost time
    document["nodes"]["save"]["inputs"]["image"] = link("decode.image")
    job = service.post("/api/jobs", {"document": document, "inputs": {"seed": 4, "steps": 60}}).json["id"]
    steps: list[int] = []
    with service.events(after=0) as events:
        for event in events:
            if event.type == "Progress" and event.data["node"] == "sample" and event.data["total"] == 60:
                steps.append(event.data["step"])
                if len(steps) == 3:
                    os.kill(service.worker(), signal.SIGKILL)
            if event.type == "job" and event.data["state"] in ("done", "failed"):
                break
    assert steps == sorted(steps)
    ended = service.job(job)
    assert (ended["state"], ended["kills"]) == ("done", 1)
    with Engine() as engine:
        (wanted,) = expected(ended["document"], tmp_path, engine).values()
    assert service.get(f"/api/results/{ended['results'][0]}/image").body == wanted
