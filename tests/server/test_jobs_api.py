"""Jobs over HTTP: a toy pack does the work, in a real worker of a real server."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness import changed, link, step
from server.service import Service, toys
from toy import TXT2IMG

SAVED = {**TXT2IMG, "keep": step("Keep@1", image=link("decode.image"))}
SLOW = changed(changed(SAVED, "sample.steps", 1000), "sample.pause", 0.01)


def test_a_job_runs_and_its_result_says_what_made_it(service: Service) -> None:
    nodes = changed(changed(SAVED, "prompt.text", "a green owl"), "sample.seed", 41)
    job = service.submit(changed(nodes, "model.source", "met never before"), client="me")
    assert (job["state"], job["error"], job["client"], job["attempts"]) == ("done", None, "me", 1)
    assert {id: n["state"] for id, n in job["nodes"].items()} == dict.fromkeys(SAVED, "done")
    assert all(n["seconds"] >= 0 for n in job["nodes"].values())
    (id,) = job["results"]
    result = service.get(f"/api/results/{id}").json
    assert (result["prompt"], result["seed"], result["node"], result["job"]) == ("a green owl", 41, "keep", job["id"])
    assert result["name"] == "toy_00001.txt"
    file = service.get(result["url"])
    assert file.body.startswith(b"(")
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"].startswith("attachment")


def test_the_same_again_comes_from_the_cache(service: Service) -> None:
    nodes = changed(SAVED, "sample.seed", 77)
    service.submit(nodes)
    again = service.submit(nodes)
    assert {id for id, n in again["nodes"].items() if n["state"] == "cached"} >= {"decode"}
    assert again["nodes"]["keep"]["state"] == "done"


def test_problems_are_refused_with_their_codes(service: Service) -> None:
    broken = changed(changed(SAVED, "sample.steps", 0), "prompt.txt", "x")
    answer = service.post("/api/jobs", {"document": {"nodes": toys(broken)}})
    assert (answer.status, answer.code) == (422, "invalid_workflow")
    assert {p["code"] for p in answer.json["error"]["problems"]} == {"bad_value", "unknown_input"}
    checked = service.post("/api/check", {"document": {"nodes": toys(broken)}})
    assert checked.status == 200
    assert {(p["node"], p["port"]) for p in checked.json["problems"]} == {("sample", "steps"), ("prompt", "txt")}


def test_a_failing_node_fails_its_job_and_names_itself(service: Service) -> None:
    job = service.submit({"bad": step("Boom@1"), "keep": step("Keep@1", image=link("bad.image"))})
    logged = "the server's log has the traceback"
    assert (job["state"], job["error"]) == ("failed", f"bad: ValueError: no luck\n{logged}")
    assert job["nodes"]["bad"]["error"] == f"ValueError: no luck; {logged}"
    log = service.log.read_text()
    assert re.search(rf"job {job['id']}, node bad failed\nTraceback .*, in boom\n.*ValueError: no luck", log, re.DOTALL)
    assert job["nodes"]["keep"]["state"] == "skipped"


def test_plan_says_what_would_run(service: Service) -> None:
    document = {"nodes": toys(changed(SAVED, "sample.seed", 1234))}
    plan = service.post("/api/check", {"document": document, "plan": True}).json["plan"]
    assert {p["node"]: p["state"] for p in plan}["keep"] == "always"


def test_an_idempotency_key_is_one_job(service: Service) -> None:
    body = {"document": {"nodes": toys(SAVED)}, "key": "only once"}
    answers = [service.post("/api/jobs", {**body, "inputs": inputs}) for inputs in ({}, {}, {"no longer": "right"})]
    assert [answer.status for answer in answers] == [201, 200, 200]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_cancelling_a_running_job_does_not_wait_for_its_node(service: Service) -> None:
    job = service.submit(SLOW, wait=False)
    service.until_progress(job["id"])
    running = [n for n in service.get(f"/api/jobs/{job['id']}").json["nodes"].values() if n["state"] == "running"]
    assert running
    assert all(1 <= node["step"] <= node["total"] for node in running)
    service.post(f"/api/jobs/{job['id']}/cancel")
    ended = service.until_state(job["id"], "cancelled", "done", "failed")
    assert ended["state"] == "cancelled"
    assert ended["ended"] - ended["started"] < 8
    assert ended["results"] == []


def test_pause_holds_jobs_back_and_priority_moves_them(start: Callable[..., Service]) -> None:
    service = start()
    assert service.post("/api/queue/pause").json["paused"] is True
    jobs = [service.submit(changed(SAVED, "sample.seed", i), wait=False)["id"] for i in range(3)]
    gone = service.post(f"/api/jobs/{jobs[0]}/cancel").json
    assert gone["state"] == "cancelled"
    moved = service.ask("PATCH", f"/api/jobs/{jobs[2]}", {"priority": 5}).json
    assert moved["priority"] == 5
    assert service.get("/api/queue").json.items() >= {"paused": True, "pending": 2, "running": 0}.items()
    service.post("/api/queue/resume")
    last, first = service.until_state(jobs[1], "done"), service.until_state(jobs[2], "done")
    assert first["started"] < last["started"]


def test_retry_is_another_job_of_the_same(service: Service) -> None:
    job = service.submit({"bad": step("Boom@1")}, targets=["bad"])
    again = service.post(f"/api/jobs/{job['id']}/retry")
    assert again.status == 201
    assert again.json["id"] != job["id"]
    assert service.until_state(again.json["id"], "failed")["error"] == job["error"]


def test_jobs_are_listed_by_state_in_pages(service: Service) -> None:
    for i in range(3):
        service.submit(changed(SAVED, "sample.seed", 900 + i))
    page = service.get("/api/jobs?state=done&limit=2").json
    assert [j["state"] for j in page["jobs"]] == ["done", "done"]
    behind = service.get(f"/api/jobs?state=done&limit=2&before={page['next']}").json
    assert max(j["number"] for j in behind["jobs"]) < min(j["number"] for j in page["jobs"])
    oldest = service.get("/api/jobs?state=done&limit=500").json["jobs"][-1]["number"]
    assert service.get(f"/api/jobs?state=done&limit=1&before={oldest + 1}").json["next"] is None


def test_targets_choose_what_runs(service: Service) -> None:
    nodes = changed(changed(SAVED, "model.source", "another"), "prompt.text", "a hare")
    assert set(service.submit(nodes, targets=["prompt"])["nodes"]) == {"model", "prompt"}


def test_outputs_of_any_node_are_served_from_a_workers_memory(service: Service) -> None:
    job = service.submit(changed(SAVED, "sample.seed", 5), outputs={"image": link("decode.image")})
    shown = service.get(f"/api/jobs/{job['id']}/outputs/decode/image")
    assert shown.status == 200
    assert shown.json["data"][0] == pytest.approx(12)
    kept = service.get(f"/api/jobs/{job['id']}/outputs/prompt/conditioning")
    assert kept.json == {"text": "toy:a cat"}
    assert service.get(f"/api/jobs/{job['id']}/outputs/prompt/nothing").status == 404
    assert service.get(f"/api/jobs/{job['id']}/outputs/nobody/image").status == 404


def test_events_are_numbered_and_resumable(service: Service) -> None:
    before = service.submit(SAVED)
    with service.events(after=0) as events:
        first = next(events)
        assert first.number is not None
    job = service.submit(changed(SAVED, "sample.seed", 31))
    with service.events(headers={"Last-Event-ID": str(first.number)}) as events:
        seen = []
        for event in events:
            seen.append(event)
            if event.type == "job" and event.data["job"] == job["id"] and event.data["state"] == "done":
                break
    numbers = [e.number for e in seen if e.number is not None]
    assert numbers == list(range(first.number + 1, numbers[-1] + 1))
    states = [e.data["state"] for e in seen if e.type == "job" and e.data["job"] == job["id"]]
    assert states == ["pending", "running", "done"]
    saved = [e.data for e in seen if e.type == "Saved" and e.data["job"] == job["id"]]
    assert [s["result"] for s in saved] == job["results"]
    assert before["results"] != job["results"]
