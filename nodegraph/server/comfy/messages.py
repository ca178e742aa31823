"""From what happens to a job to the messages of ComfyUI's websocket."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from ...jobs.job import Said
from ..site import Site
from . import records
from .history import failure_of, image, interruption_of, stamp
from .queue import remaining
from .records import Record

Frame = str | bytes
PREVIEW, PREVIEW_WITH_METADATA = 1, 4
JPEG, PNG = 1, 2
SOCKET = "SaveImageWebsocket"


def frame(type: str, data: dict[str, Any]) -> str:
    return json.dumps({"type": type, "data": data})


def status(site: Site) -> dict[str, Any]:
    return {"status": {"exec_info": {"queue_remaining": remaining(site)}}}


@dataclass(slots=True)
class Telling:
    """One prompt that is being told of."""

    record: Record
    begun: bool = False
    cached: list[str] = field(default_factory=list)
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    heard_cached: bool = False
    current: str = ""

    @property
    def wants_previews(self) -> bool:
        """Whether the prompt asks for them. Scripts do not, and take whatever is binary for a finished picture."""
        return self.record.extra.get("preview_method", "none") not in ("none", "default")


class Teller:
    """What one client is sent.

    Args:
        client: Its id: prompts that it submitted are told to it alone, the state of the queue to all.
    """

    def __init__(self, site: Site, client: str) -> None:
        self.site, self.client = site, client
        self.metadata = False
        """Whether the client wants to know which node a preview is of."""
        self._tellings: dict[str, Telling] = {}

    def joining(self) -> Iterator[Frame]:
        """What a client is sent that comes back while its prompt runs: where that is. The rest follows as usual."""
        for record in records.in_states(self.site, "running"):
            if record.client != self.client:
                continue
            telling = self._tellings[record.job] = Telling(record, begun=True, heard_cached=True)
            job = self.site.store.queue.get(record.job)
            running = (node for node, state in job.nodes.items() if state["state"] == "running") if job else ()
            for node in running:
                if node in record.theirs:
                    yield self._executing(telling, record.theirs[node])

    def say(self, said: Said) -> Iterator[Frame]:
        """The messages that follow from an event."""
        data = json.loads(said.data)
        if said.type == "job":
            yield from self._job(data)
            return
        telling = self._of(data.get("job", ""))
        if telling is None:
            return
        theirs = telling.record.theirs.get(data.get("node", ""))
        if theirs is None:
            return
        match said.type:
            case "Cached" if not telling.heard_cached:
                telling.cached.append(theirs)
            case "Started":
                yield from self._begun(telling, theirs)
            case "Progress":  # what is told at once may have the progress of a node before its beginning
                yield from self._begun(telling, theirs)
                yield from self._progress(telling, theirs, data)
            case "Saved":
                yield from self._saved(telling, theirs, data)
            case "Finished":
                yield from self._begun(telling, theirs)
                yield self._state(telling, theirs, "finished", 1, 1)
                if theirs in telling.images:
                    output = {"images": telling.images[theirs]}
                    yield frame("executed", self._about(telling, theirs) | {"output": output})

    def _of(self, job: str) -> Telling | None:
        """The prompt behind a job, if this client submitted it."""
        if job not in self._tellings:
            record = records.of_job(self.site, job)
            if record is None or record.client != self.client:
                return None
            self._tellings[job] = Telling(record)
        return self._tellings[job]

    def _job(self, data: dict[str, Any]) -> Iterator[Frame]:
        telling = self._of(data["job"])
        state = data["state"]
        if telling is not None and state == "running" and not telling.begun:
            telling.begun = True
            yield frame("execution_start", {"prompt_id": telling.record.id, "timestamp": stamp(data["time"])})
        ended = telling is not None and state in ("done", "failed", "cancelled")
        if telling is not None and ended and telling.begun:
            yield from self._cached(telling)
            yield from self._ended(telling, data)
        yield frame("status", status(self.site))
        if telling is not None and ended:
            del self._tellings[data["job"]]
            if telling.begun:
                yield frame("executing", {"node": None, "prompt_id": telling.record.id})

    def _ended(self, telling: Telling, data: dict[str, Any]) -> Iterator[Frame]:
        record = telling.record
        job = self.site.store.queue.get(record.job)
        if job is None:
            return
        match job.state:
            case "done":
                yield frame("execution_success", {"prompt_id": record.id, "timestamp": stamp(data["time"])})
            case "failed":
                yield frame("execution_error", failure_of(record, job))
            case _:
                yield frame("execution_interrupted", interruption_of(record, job))

    def _cached(self, telling: Telling) -> Iterator[Frame]:
        """Say once what was there already; always, and before any node runs."""
        if not telling.heard_cached:
            telling.heard_cached = True
            about = {"nodes": telling.cached, "prompt_id": telling.record.id}
            yield frame("execution_cached", about | {"timestamp": stamp(_began(self.site, telling.record))})

    def _begun(self, telling: Telling, theirs: str) -> Iterator[Frame]:
        """Say once that a node runs."""
        if theirs not in telling.states:
            yield from self._cached(telling)
            yield self._executing(telling, theirs)
            yield self._state(telling, theirs, "running", 0, 1)

    def _about(self, telling: Telling, theirs: str) -> dict[str, Any]:
        return {"node": theirs, "display_node": theirs, "prompt_id": telling.record.id}

    def _executing(self, telling: Telling, theirs: str) -> str:
        telling.current = theirs
        return frame("executing", self._about(telling, theirs))

    def _state(self, telling: Telling, theirs: str, state: str, value: int, most: int) -> str:
        telling.states[theirs] = self._names(telling, theirs) | {"value": value, "max": most, "state": state}
        return frame("progress_state", {"prompt_id": telling.record.id, "nodes": telling.states})

    def _names(self, telling: Telling, theirs: str) -> dict[str, Any]:
        return {
            "node_id": theirs, "prompt_id": telling.record.id, "display_node_id": theirs, "parent_node_id": None,
            "real_node_id": theirs,
        }  # fmt: skip

    def _progress(self, telling: Telling, theirs: str, data: dict[str, Any]) -> Iterator[Frame]:
        ended = telling.states.get(theirs, {}).get("state") == "finished"  # progress comes a little later than the rest
        if ended or data["what"]:  # of models that load they say nothing
            return
        about = {"value": data["step"], "max": data["total"], "prompt_id": telling.record.id, "node": theirs}
        yield frame("progress", about)
        yield self._state(telling, theirs, "running", data["step"], data["total"])
        if data.get("preview") and (self.metadata or telling.wants_previews):
            jpeg = _jpeg(data["preview"])
            if self.metadata:
                names = json.dumps(self._names(telling, theirs) | {"image_type": "image/jpeg"}).encode()
                yield struct.pack(">II", PREVIEW_WITH_METADATA, len(names)) + names + jpeg
            else:
                yield struct.pack(">II", PREVIEW, JPEG) + jpeg

    def _saved(self, telling: Telling, theirs: str, data: dict[str, Any]) -> Iterator[Frame]:
        record = telling.record
        if theirs not in record.outputs:
            return
        if record.prompt[theirs]["class_type"] == SOCKET:
            if telling.current != theirs:  # the client takes a picture to be of the node it heard of last
                yield self._executing(telling, theirs)
            path = self.site.store.results / data["file"]
            yield struct.pack(">II", PREVIEW, PNG) + path.read_bytes()
        elif (result := self.site.store.gallery.get(data["result"])) is not None:
            telling.images.setdefault(theirs, []).append(image(record, theirs, result))


def _began(site: Site, record: Record) -> float | None:
    job = site.store.queue.get(record.job)
    return None if job is None else job.started


def _jpeg(url: str) -> bytes:
    """A preview as JPEG: a client takes a PNG for a picture that is finished."""
    head, _, text = url.partition(",")
    data = base64.b64decode(text)
    if "jpeg" in head:
        return data
    file = io.BytesIO()
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        picture.convert("RGB").save(file, "jpeg", quality=90)
    return file.getvalue()
