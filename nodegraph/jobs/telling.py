"""What a worker says of its job: messages, one for everything that happened within a moment.

A message is an object with "job" and some of "lines" (an event each: its type, and JSON as clients read it; a file that
was saved as an object, since the server gives it its id), "states" (of nodes), "traces" (for the log), "progress" and
"end".
"""

from __future__ import annotations

import base64
import io
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from ..calling import describe, surprising
from ..events import Cached, Event, Failed, Finished, Progress, Saved, Skipped, Started, Warned
from ..executor import Run
from .likeness import likeness
from .provenance import provenance

PACE = 0.1
"""Seconds between reports of progress; of several from one node only the latest is sent."""
LINGER = 0.01
"""Seconds that an event waits for others. The end of a job waits for nothing, and takes along what does."""
MUCH = 100
"""Events that are worth a message of their own."""
WATCHED = 0.02
"""Seconds that a node must have taken for its end and the memory then to be told."""
SMALL = 128
"""Pixels of the longest side up to which a preview is sent as PNG, which is exact."""
STATES = {"Started": "running", "Finished": "done", "Cached": "cached", "Failed": "failed", "Skipped": "skipped"}
"""What an event makes of its node."""
LOGGED = "the server's log has the traceback"
LONGEST = 20_000
"""Characters of a traceback; its end says most."""
Message = dict[str, Any]


class Teller:
    """Tells what becomes of one job.

    Args:
        say: Sends a message to the server.
        output: The folder of the job's files.
        public: Takes out of a text what is not for clients.
        previews: Whether progress may show pictures.
    """

    def __init__(
        self, job: str, say: Callable[[Message], None], output: Path, public: Callable[[str], str], *, previews: bool
    ) -> None:
        self._job, self._say, self._output, self._public, self._previews = job, say, output, public, previews
        self._lines: list[str | dict[str, Any]] = []
        self._states: dict[str, dict[str, Any]] = {}
        self._progress: dict[str, dict[str, Any]] = {}
        self._traces: dict[str, str] = {}
        self._due = 0.0
        self._saves: Counter[str] = Counter()
        self._shown: dict[str, float] = {}

    def follow(self, run: Run) -> None:
        """Tell what happens until the run ends. A little that happened last waits for `end`."""
        more = True
        while more:
            left = max(0.0, self._due - time.monotonic()) if self._progress else None
            events, more = run.gather(LINGER, left)
            self._tell(run, events)
            if more or len(self._lines) >= MUCH:
                self._send()

    def end(self, state: str, error: str | None, holds: list[str]) -> None:
        """Say how the job ended, and which of the models that it and those before it named are still loaded."""
        self._due = 0.0
        self._send(end={"state": state, "error": None if error is None else self._public(error), "holds": holds})

    def explain(self, node: str, error: BaseException) -> str:
        """An error in words. The traceback of one that nobody foresaw goes to the log, and the words say so."""
        if not surprising(error):
            return describe(error)
        self._traces[node] = "".join(traceback.format_exception(error))[-LONGEST:]
        return f"{describe(error)}; {LOGGED}"

    def _send(self, **end: Any) -> None:
        said: Message = {"job": self._job}
        if self._lines:
            said |= {"lines": self._lines, "states": self._states}
            self._lines, self._states = [], {}
        if self._traces:
            said["traces"], self._traces = self._traces, {}
        if self._progress and time.monotonic() >= self._due:
            said["progress"], self._progress = list(self._progress.values()), {}
            self._due = time.monotonic() + PACE
        if len(said) > 1 or end:
            self._say(said | end)

    def _tell(self, run: Run, events: list[Event]) -> None:
        """Write down `events` but for the beginnings of nodes whose end is among them: the ends say all."""
        over = {event.node for event in events if type(event) in (Finished, Failed)}
        head = f'{{"job":"{self._job}","time":{time.time()},'
        for event in events:
            node = event.node
            fields: dict[str, Any] = {}
            match event:
                case Finished(_, seconds):
                    fields["seconds"] = seconds
                    if seconds >= WATCHED:
                        fields |= {"ended": time.time(), "memory": resident()}
                case Cached(_, tier):
                    fields["tier"] = tier
                case Started() if node in over:
                    continue
                case Progress():
                    self._progressed(event)
                    continue
                case Saved(_, path):
                    self._lines.append({"node": node, **self._saved(run, node, Path(path))})
                    continue
                case Failed(_, port):
                    fields |= {"port": port, "error": self._public(self.explain(node, run.error(node)))}
                case Skipped(_, because):
                    fields["because"] = because
                case Warned(_, message):
                    fields["message"] = self._public(message)
            name = type(event).__name__
            if name in STATES:
                self._states[node] = {"state": STATES[name], **fields}
            self._lines.append(f"{name} {head}{to_json({'node': node, **fields}).decode()[1:]}")

    def _saved(self, run: Run, node: str, path: Path) -> dict[str, Any]:
        ordinal = self._saves[node]
        self._saves[node] += 1
        made = provenance(run.plan, node)
        facts: dict[str, Any] = {"ordinal": ordinal, "name": path.name, "bytes": path.stat().st_size, **made._asdict()}
        if (look := likeness(path)) is not None:
            path.with_name(f"{path.name}.thumbnail.webp").write_bytes(look.thumbnail)
            facts |= {"width": look.width, "height": look.height, "hash": look.hash}
        return facts

    def _progressed(self, event: Progress) -> None:
        fields: dict[str, Any] = {"node": event.node, "step": event.step, "total": event.total}
        fields["what"] = self._public(event.what)
        now = time.monotonic()
        if self._previews and event.preview is not None and now - self._shown.get(event.node, 0.0) >= 0.2:
            self._shown[event.node] = now
            if (shown := _shown(event.preview())) is not None:
                fields["preview"] = shown
        waiting = self._progress.get(event.node, {})
        if "preview" in waiting:  # not every report has a picture: the last one is not lost to the next without
            fields = {"preview": waiting["preview"], **fields}
        self._progress[event.node] = fields


def _shown(value: Any) -> str | None:
    """A value that can show itself, as a data URL."""
    draw = getattr(value, "_repr_png_", None)
    if draw is None:
        return None
    data, kind = draw(), "png"
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        if max(picture.size) > SMALL:
            file = io.BytesIO()
            picture.convert("RGB").save(file, "jpeg", quality=75)
            data, kind = file.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def resident() -> int | None:
    """Bytes of memory this process holds, where the system says it."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
