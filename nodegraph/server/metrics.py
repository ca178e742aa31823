"""Numbers for Prometheus, in its text format (version 0.0.4)."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[str, Mapping[str, str], float]
"""Suffix of the name, labels, value."""
Family = tuple[str, str, str, list[Sample]]
"""Name, kind, help, samples."""


class Metrics:
    """What was counted since the start."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """`path` is the route's pattern, never what a client wrote: else it could make endless numbers."""
        self._requests[method, path, status] += 1
        self._seconds[path] += seconds
        for bound in BUCKETS:
            if seconds <= bound:
                self._buckets[path, bound] += 1

    def families(self) -> Iterator[Family]:
        requests: list[Sample] = [
            ("", {"method": m, "path": p, "status": str(s)}, float(n)) for (m, p, s), n in self._requests.items()
        ]
        yield "nodegraph_http_requests_total", "counter", "Requests answered.", requests
        durations: list[Sample] = []
        counts: Counter[str] = Counter()
        for (_, path, _), n in self._requests.items():
            counts[path] += n
        for path, count in counts.items():
            for bound in BUCKETS:
                durations.append(("_bucket", {"path": path, "le": f"{bound:g}"}, float(self._buckets[path, bound])))
            durations.append(("_bucket", {"path": path, "le": "+Inf"}, float(count)))
            durations.append(("_sum", {"path": path}, self._seconds[path]))
            durations.append(("_count", {"path": path}, float(count)))
        yield "nodegraph_http_request_seconds", "histogram", "Seconds from request to answer.", durations


def gauge(
    name: str, help: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> tuple[str, str, str, list[Sample]]:
    return name, "gauge", help, [("", labels, value) for labels, value in samples]


def process_families(started: float) -> Iterator[Family]:
    """About this process."""
    yield gauge("process_start_time_seconds", "Start of the process.", [({}, started)])
    yield gauge("nodegraph_uptime_seconds", "Seconds since the start.", [({}, time.time() - started)])
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return
    resident = float(pages * os.sysconf("SC_PAGE_SIZE"))
    yield gauge("process_resident_memory_bytes", "Memory of the process.", [({}, resident)])


def text(families: Iterable[Family]) -> str:
    """The families in Prometheus' text format."""
    lines = []
    for name, kind, help, samples in families:
        lines += [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]
        for suffix, labels, value in samples:
            inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(f"{name}{suffix}{f'{{{inside}}}' if inside else ''} {value:g}")
    return "\n".join([*lines, ""])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
