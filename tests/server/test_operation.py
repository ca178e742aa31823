"""What runs the service day by day: start, memory, webhooks, health, metrics, logs."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import changed, link, step
from server.service import Service, toys
from server.test_jobs_api import SAVED

GREEDY = '''
from nodegraph import node

@node(version=1)
def hoard() -> int:
    """Ask for more memory than there is."""
    return len(bytearray(2**62))
'''
STUBBORN = '''
import time
from nodegraph import node

@node(version=1)
def sleep(seconds: float) -> int:
    """Notice nothing.

    Args:
        seconds: How long.
    """
    time.sleep(seconds)
    return 1
'''


def test_it_answers_before_a_worker_is_there(start: Callable[..., Service]) -> None:
    began = time.monotonic()
    service = start()
    assert service.get("/healthz").json["status"] == "ok"
    took, began = time.monotonic() - began, time.monotonic()
    subprocess.run([sys.executable, "-c", "import nodegraph.server.app"], check=True)
    assert took < 1 + 3 * (time.monotonic() - began), "more than what it is made of took to load"
    job = service.submit(SAVED, wait=False)
    assert service.until_state(job["id"], "done")["results"]


def test_an_address_in_use_ends_the_server_at_once(service: Service, tmp_path: Path) -> None:
    """Also while its worker is only being started."""
    command = [sys.executable, "-c", "from nodegraph.cli import main; main()", "serve", "--data", str(tmp_path)]
    done = subprocess.run(
        [*command, "--port", str(service.port)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: cannot listen on '127.0.0.1', port {service.port}: ")


def test_out_of_memory_fails_that_job_alone(start: Callable[..., Service], tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(GREEDY)
    service = start("--pack", str(tmp_path / "greedy.py"))
    worker = service.worker()
    document = {"nodes": {"hoard": {"type": "greedy/Hoard@1", "inputs": {}}}}
    job = service.post("/api/jobs?wait=1", {"document": document}).json
    assert (job["state"], job["kills"]) == ("failed", 0)
    assert "MemoryError" in job["error"]
    assert service.submit(SAVED)["state"] == "done"
    assert service.worker() == worker


def test_a_node_that_does_not_notice_a_cancel_loses_its_worker(start: Callable[..., Service], tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    service = start("--pack", str(tmp_path / "stubborn.py"))
    worker = service.worker()
    document = {"nodes": {"sleep": {"type": "stubborn/Sleep@1", "inputs": {"seconds": 600.0}}}}
    job = service.post("/api/jobs", {"document": document}).json["id"]
    service.until(lambda: "sleep" in service.job(job)["nodes"])
    service.post(f"/api/jobs/{job}/cancel")
    assert service.until_state(job, "cancelled", "failed")["state"] == "cancelled"
    assert service.submit(SAVED)["state"] == "done"
    assert service.worker() != worker


class Receiver(BaseHTTPRequestHandler):
    """Refuses the first time."""

    heard: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(json.loads(body))
        self.send_response(503 if len(self.heard) == 1 else 204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    heard: list[dict[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Own", (Receiver,), {"heard": heard}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/done", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_is_told_of_the_end_until_it_takes_it(
    start: Callable[..., Service], receiver: tuple[str, list[dict[str, Any]]]
) -> None:
    url, heard = receiver
    service = start("--private-webhooks")
    job = service.submit(SAVED, webhook=url)
    service.until(lambda: len(heard) == 2)
    assert heard[0] == heard[1]
    assert (heard[0]["id"], heard[0]["state"], heard[0]["results"]) == (job["id"], "done", job["results"])
    time.sleep(0.1)
    service.stop()
    service.start()
    time.sleep(0.3)
    assert len(heard) == 2


def test_a_webhook_that_was_not_told_is_told_after_a_restart(
    start: Callable[..., Service], receiver: tuple[str, list[dict[str, Any]]]
) -> None:
    url, heard = receiver
    service = start("--private-webhooks")
    service.submit(SAVED, webhook=url)
    service.until(lambda: len(heard) == 1)  # refused; the next try is two seconds away
    service.kill()
    service.start()
    service.until(lambda: len(heard) == 2)


SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)+\})? (-?[0-9.]+(e[+-][0-9]+)?|\+Inf|NaN)')


def test_metrics_are_prometheus_text(service: Service) -> None:
    service.submit(SAVED)
    answer = service.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    for line in lines:
        if not line.startswith("#"):
            assert SAMPLE.fullmatch(line), line
            assert re.sub(r"_(bucket|sum|count)$", "", re.split(r"[{ ]", line)[0]) in typed | {
                "nodegraph_http_requests_total"
            }
    assert any(line.startswith('nodegraph_jobs{state="done"}') and float(line.split()[1]) >= 1 for line in lines)
    service.get("/api/jobs/" + "7" * 16)
    shown = service.get("/metrics").body.decode()
    assert 'path="/api/jobs/{id}"' in shown
    assert "7" * 16 not in shown


def test_logs_can_be_json(start: Callable[..., Service]) -> None:
    service = start("--log-json")
    job = service.submit(SAVED)
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert {"time", "level", "logger", "message"} <= lines[0].keys()
    assert any(job["id"] in line["message"] for line in lines)


def test_the_catalogue_is_compressed_and_has_a_tag(service: Service) -> None:
    packed = service.get("/api/nodes", **{"Accept-Encoding": "gzip, deflate, br, zstd"})  # as browsers ask
    assert packed.headers["Content-Encoding"] == "gzip"
    plain = service.get("/api/nodes")
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 3
    assert "Sample" in plain.json["nodes"]
    again = service.get("/api/nodes", **{"If-None-Match": plain.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_types_say_what_fits(service: Service) -> None:
    answer = service.get("/api/types").json
    assert {"Image", "list[Image]", "Mask"} <= set(answer["types"])
    assert answer["fits"]["Image"]["Image"] == {"how": "same", "mapped": False, "lifted": False}
    assert answer["fits"]["list[Image]"]["Image"]["mapped"] is True
    assert answer["fits"]["Mask"]["Image"]["how"] == "mask_to_image"
    assert "Latent" not in answer["fits"]["Image"]


def test_choices_are_listed(service: Service) -> None:
    assert "demo" in service.get("/api/choices/models").json["values"]
    assert service.get("/api/choices/nothing").status == 404


def test_a_full_queue_is_said(start: Callable[..., Service]) -> None:
    service = start()
    service.post("/api/queue/pause")
    body = {"document": {"nodes": toys({"p": step("Picture@1")})}, "client": "eager"}
    statuses = [service.post("/api/jobs", body).status for _ in range(1001)]
    assert statuses == [201] * 1000 + [429]
    assert service.post("/api/jobs", {**body, "client": "another"}).status == 201


def test_preview_pictures_come_with_progress(start: Callable[..., Service]) -> None:
    service = start()
    document = service.get("/api/workflows/txt2img").json["document"]
    document["nodes"] = {k: v for k, v in document["nodes"].items() if k not in ("save", "enlarge", "decode")}
    document["outputs"] = {"latent": link("sample.latent")}
    with service.events(after=0) as events:
        service.post("/api/jobs", {"document": document, "inputs": {"steps": 40}})
        seen = next(e for e in events if e.type == "Progress" and "preview" in e.data)
    assert seen.data["preview"].startswith("data:image/png;base64,iVBOR")
    assert seen.number is None


def test_an_event_stream_that_missed_too_much_says_so(start: Callable[..., Service]) -> None:
    service = start()
    service.submit(SAVED)
    service.stop()
    database = sqlite3.connect(service.data / "nodegraph.db")
    database.execute("DELETE FROM events WHERE last < (SELECT max(last) FROM events)")
    ((first,),) = database.execute("SELECT first FROM events").fetchall()
    database.commit()
    database.close()
    service.start()
    with service.events(after=1) as events:
        assert next(events) == (None, "lost", {"from": 2, "to": first - 1})
        assert next(events).number == first


def test_a_number_from_another_life_of_the_folder_begins_now(service: Service) -> None:
    service.submit(changed(SAVED, "sample.seed", 4321))
    with service.events(after=10**12) as events:
        service.submit(changed(SAVED, "sample.seed", 4322), wait=False)
        first = next(events)
    assert (first.type, first.data["state"]) == ("job", "pending")
