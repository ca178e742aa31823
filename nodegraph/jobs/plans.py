"""Plans of jobs that wait, so that what was checked when it came need not be read and checked again by a worker."""

from __future__ import annotations

from collections import OrderedDict

from ..plan import Plan


class Plans:
    """Plans by job. Kept in memory alone: what is durable is the document.

    Args:
        most: Calls in all of them. The oldest plans go first, and their documents are read again.
    """

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._kept: OrderedDict[str, Plan] = OrderedDict()
        self._calls = 0

    def put(self, job: str, plan: Plan) -> None:
        self._kept[job] = plan
        self._calls += len(plan.calls)
        while self._calls > self._most and len(self._kept) > 1:
            self.take(next(iter(self._kept)))

    def take(self, job: str) -> Plan | None:
        """The plan of a job that begins or has ended, which is not kept any longer."""
        plan = self._kept.pop(job, None)
        if plan is not None:
            self._calls -= len(plan.calls)
        return plan
