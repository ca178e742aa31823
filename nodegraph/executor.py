"""Demand-driven execution: the targets want their inputs, which want theirs; what is cached wants nothing.

A call that may start becomes a ticket in its lane. The thread that finishes a call settles its consumers and takes the
next ticket itself, so a chain of cheap nodes runs without a switch of threads. Async nodes run on an event loop of the
engine and hold no lane.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .background import Background
from .cache import Disk, Memory
from .calling import RunContext, describe, named, persist
from .codec import Unencodable
from .context import Cancelled, Folders, Lazy
from .events import Cached, Event, Failed, Finished, Skipped, Started, Warned
from .garbage import collector_paused
from .lanes import Lanes, Ticket
from .plan import Call, Edge, Plan
from .pool import Pool
from .receipt import Ledger, Record, ancestors, receipt, record, with_receipt
from .resumption import Resumption
from .stream import Stream

if TYPE_CHECKING:
    import asyncio

Outputs = Mapping[str, Any]


class RunFailed(RuntimeError):
    """Some nodes failed. `failures` says which and why; `errors` holds what they raised, by node."""

    def __init__(self, failures: Iterable[Failed], errors: Mapping[str, BaseException]) -> None:
        self.failures, self.errors = list(failures), dict(errors)
        super().__init__("\n".join(f"{f.node}{'.' + f.port if f.port else ''}: {f.error}" for f in self.failures))


@dataclass(frozen=True, slots=True)
class Machinery:
    """What runs of one engine share."""

    lanes: Lanes
    pool: Pool
    memory: Memory
    disk: Disk | None
    loop: Background
    ledger: Ledger
    digest: Callable[[Path], str]
    """Content digest of a file."""
    checkpoint: float
    """Seconds between two states that a call keeps of its way."""

    def close(self) -> None:
        self.lanes.close()
        self.loop.close()
        self.pool.drop_unleased()


@dataclass(slots=True)
class _State:
    """What is known of a wanted call."""

    pending: bool = False
    missing: int = 0
    """Eager inputs that are still pending."""
    held: Collection[str] = ()
    """The calls whose outputs it will read. What is read from disk needs none."""
    uses: int = 0
    """Consumers, and the caller for a target, that will still read the outputs."""
    consumers: list[str] = field(default_factory=list)
    outputs: Outputs | None = None
    because: str | None = None
    """The failed node that makes this one impossible; itself, where it failed."""
    waiters: tuple[asyncio.Future[None], ...] = ()


@dataclass(slots=True)
class _Ticket:
    lane: str
    priority: tuple[int, int]
    run: Callable[[], list[Ticket]]

    def __call__(self) -> list[Ticket]:
        return self.run()


class Run:
    """One execution of a plan, started by being made. Iterate over it for events; `outputs()` waits for the values."""

    def __init__(
        self,
        plan: Plan,
        keys: Mapping[str, str],
        machinery: Machinery,
        folders: Folders,
        document: Callable[[], str],
        number: int = 0,
    ) -> None:
        self.plan, self.keys, self.folders, self.document = plan, keys, folders, document
        self._machinery, self._number = machinery, number
        self._recorded = any(call.node.context and not call.node.pure for call in plan.calls.values())
        """Whether there is a node that may ask for the document, and with it for what is known of the others."""
        self._stop = threading.Event()
        self._lock = threading.RLock()
        self._states: dict[str, _State] = {}
        self._open = 0  # wanted calls that are not settled
        self._failures: list[Failed] = []
        self._errors: dict[str, BaseException] = {}
        self._stream: Stream[Event] = Stream()
        self._emit = self._stream.put
        self._async: set[asyncio.Task[None]] = set()
        with collector_paused(), self._lock:
            for problem in plan.problems:
                self._emit(Warned(problem.node, f"does not run, and nothing that runs needs it: {problem.message}"))
            for target in plan.targets:
                self._state(target).uses += 1
            tickets = self._want(plan.targets)
            self._close_if_done()
        machinery.lanes.push(tickets)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._stream)

    def __aiter__(self) -> AsyncIterator[Event]:
        return aiter(self._stream)

    def gather(self, linger: float, most: float | None = None) -> tuple[list[Event], bool]:
        """The events since, and whether there may be more; see `Stream.gather`."""
        return self._stream.gather(linger, most)

    def error(self, node: str) -> BaseException:
        """What a node of which `Failed` was told raised."""
        return self._errors[node]

    @property
    def done(self) -> bool:
        return self._stream.closed

    def cancel(self) -> None:
        """Stop at the next progress report. A thread cannot be killed: a running call keeps its lane until then."""
        self._stop.set()
        with self._lock:
            for task in self._async:
                task.get_loop().call_soon_threadsafe(task.cancel)

    def outputs(self) -> dict[str, Outputs]:
        """The outputs of every target by port, once the run has ended; waits for that.

        Raises:
            RunFailed: Some nodes failed; the others have run.
            Cancelled: The run was cancelled.
        """
        self._stream.wait()
        if self._failures:
            raise RunFailed(self._failures, self._errors) from next(iter(self._errors.values()))
        made = {t: found for t in self.plan.targets if (found := self._states[t].outputs) is not None}
        if len(made) < len(self.plan.targets):
            raise Cancelled
        return made

    def persist(self) -> None:
        """Write the document's outputs to the cache on disk, however little time they took, once the run has ended."""
        disk = self._machinery.disk
        if disk is None:
            return
        for id in {ref.node for ref in self.plan.outputs.values()}:
            outputs = self._states[id].outputs if id in self._states else None
            if outputs is not None and self.plan.calls[id].node.pure:
                with contextlib.suppress(Unencodable, OSError):
                    self._write(disk, id, outputs)

    def _write(self, disk: Disk, id: str, outputs: Outputs) -> None:
        """Keep outputs on disk, behind what is recorded of them: a death between the two must not lose the record."""
        if self._recorded:
            self._machinery.ledger.keep(self.keys[id], (self.keys[each] for each in ancestors(self.plan, id)))
        disk.put(self.keys[id], outputs)

    # Everything below that touches `_states` holds the lock.

    def _state(self, id: str) -> _State:
        found = self._states.get(id)
        if found is None:
            found = self._states[id] = _State()
        return found

    def _close_if_done(self) -> None:
        if not self._open:
            self._stream.close()

    def _want(self, targets: Iterable[str]) -> list[Ticket]:
        """Ask for the outputs of `targets`. Returns what may start."""
        tickets: list[Ticket] = []
        fresh: list[str] = []
        stack = list(targets)
        machinery = self._machinery
        while stack:
            id = stack.pop()
            state = self._state(id)
            if state.pending or state.because or state.outputs is not None:
                continue
            call = self.plan.calls[id]
            if call.node.pure:
                if (found := machinery.memory.get(self.keys[id])) is not None:
                    state.outputs = found
                    self._emit(Cached(id))
                    continue
                if machinery.disk is not None and self.keys[id] in machinery.disk:
                    self._open += 1
                    state.pending = True
                    tickets.append(_Ticket("io", (self._number, call.rank), partial(self._read, call)))
                    continue
            self._open += 1
            state.pending = True
            fresh.append(id)
            stack.extend(self._eager(call))
        for id in fresh:
            tickets.extend(self._expect(self.plan.calls[id]))
        return tickets

    def _eager(self, call: Call) -> list[str]:
        inputs = call.node.inputs
        return [e.source for name, into in call.edges.items() if not inputs[name].lazy for e in into]

    def _expect(self, call: Call) -> list[Ticket]:
        """Make `call` wait for its eager inputs, which are wanted already; a ticket if it need not wait."""
        state = self._state(call.id)
        state.held = tuple(call.sources)
        for id in state.held:
            self._state(id).uses += 1
        for id in set(self._eager(call)):
            source = self._states[id]
            if source.because:
                return self._settle(call.id, None, source.because)
            if source.pending:
                source.consumers.append(call.id)
                state.missing += 1
        return [] if state.missing else self._ready(call)

    def _ready(self, call: Call) -> list[Ticket]:
        if self._stop.is_set():
            return self._settle(call.id, None, "")
        if call.node.is_async:
            loop = self._machinery.loop()
            loop.call_soon_threadsafe(self._spawn, call)
            return []
        lane = call.node.lane if call.node.lane in self._machinery.lanes else "cpu"
        return [_Ticket(lane, (self._number, call.rank), partial(self._run, call))]

    def _settle(self, id: str, outputs: Outputs | None, because: str | None) -> list[Ticket]:
        """Record what became of a call and of those that only waited for it. Returns what may start."""
        tickets: list[Ticket] = []
        ends: list[tuple[str, Outputs | None, str | None]] = [(id, outputs, because)]
        while ends:
            id, outputs, because = ends.pop()
            state = self._states[id]
            if not state.pending:
                continue
            state.pending, state.outputs, state.because = False, outputs, because
            self._open -= 1
            if outputs is None and id != because:
                self._emit(Skipped(id, because or "cancelled"))
            for source in state.held:
                self._release(source)
            state.held = ()
            if not state.uses:
                state.outputs = None
            for waiter in state.waiters:
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)
            state.waiters = ()
            consumers, state.consumers = state.consumers, []
            for consumer in consumers:
                waiting = self._states[consumer]
                waiting.missing -= 1
                if not waiting.pending:
                    continue
                if outputs is None:
                    ends.append((consumer, None, because if because is not None else ""))
                elif not waiting.missing:
                    tickets.extend(self._ready(self.plan.calls[consumer]))
        self._close_if_done()
        return tickets

    def _release(self, id: str) -> None:
        state = self._states[id]
        state.uses -= 1
        if not state.uses:
            state.outputs = None

    # Calls, on the lanes' threads.

    def _read(self, call: Call) -> list[Ticket]:
        """Take a call's outputs from disk; a damaged entry makes it a call like any other."""
        machinery = self._machinery
        assert machinery.disk is not None
        outputs = None if self._stop.is_set() else machinery.disk.get(self.keys[call.id])
        if outputs is not None and outputs.keys() == call.outputs.keys():
            machinery.memory.put(self.keys[call.id], outputs)
            if self._recorded:
                machinery.ledger.recall(self.keys[call.id])
            self._emit(Cached(call.id, "disk"))
            with self._lock:
                return self._settle(call.id, outputs, None)
        with self._lock:
            if self._stop.is_set():
                return self._settle(call.id, None, "")
            tickets = self._want(self._eager(call))
            return [*tickets, *self._expect(call)]

    def _run(self, call: Call) -> list[Ticket]:
        if self._stop.is_set():
            with self._lock:
                return self._settle(call.id, None, "")
        outputs, because = None, None
        try:
            outputs = self._compute(call)
        except Cancelled:
            because = ""
        except BaseException as error:
            because = self._failed(call, error)
        with self._lock:
            return self._settle(call.id, outputs, because)

    def _compute(self, call: Call) -> Outputs:
        self._emit(Started(call.id))
        began = time.perf_counter()
        with self._lock:
            kwargs = dict(call.literals) | {name: self._gather(call, name) for name in call.edges}
        context = self._context(call, kwargs)
        outputs = persist(call, kwargs, self._machinery.pool, self._emit)
        self._keep(call, context, outputs, time.perf_counter() - began)
        return outputs

    def _keep(self, call: Call, context: RunContext | None, outputs: Outputs, seconds: float) -> None:
        self._emit(Finished(call.id, seconds))
        key, disk = self.keys[call.id], self._machinery.disk
        if self._recorded:
            self._machinery.ledger.put(key, record(outputs, {} if context is None else context.notes))
        if not call.node.pure:
            return
        self._machinery.memory.put(key, outputs)
        if disk is not None and seconds >= disk.worth:
            try:
                self._write(disk, call.id, outputs)
            except Unencodable:
                pass  # a value of a third party that only lives in memory
            except OSError as error:
                self._emit(Warned(call.id, f"its result could not be kept on disk: {error}"))
        if context is not None and context.resumption is not None:
            context.resumption.clear()  # after the outputs were kept, so that a death between costs nothing

    def _context(self, call: Call, kwargs: dict[str, Any]) -> RunContext | None:
        """The context of a call, put among its arguments; None where its node takes none."""
        if call.node.context is None:
            return None
        machinery, resumption = self._machinery, None
        if machinery.disk is not None and call.node.pure:
            resumption = Resumption(machinery.disk, self.keys[call.id], machinery.checkpoint, self._stop)
        document = partial(self._told, call.id)
        made = RunContext(call.id, self.folders, document, self._emit, self._stop, machinery.pool, resumption)
        kwargs[call.node.context] = made
        return made

    def _told(self, id: str) -> str:
        """The document with the receipt of what the node `id` is given."""
        made = receipt(self.plan, id, self._known, self.folders, self._machinery.digest)
        return with_receipt(self.document(), made)

    def _known(self, id: str) -> Record | None:
        """What is recorded of a call; for one that was cached before anything was recorded, what its outputs tell."""
        key, machinery = self.keys[id], self._machinery
        found = machinery.ledger.get(key)
        if found is None and (outputs := self._states[id].outputs if id in self._states else None) is not None:
            found = record(outputs, {})
            machinery.ledger.put(key, found)
        return found

    def _failed(self, call: Call, error: BaseException) -> str:
        port = getattr(error, "port", None)
        failure = Failed(call.id, port if port in call.node.inputs else None, describe(error))
        with self._lock:
            self._failures.append(failure)
            self._errors[call.id] = error
        self._emit(failure)
        return call.id

    def _gather(self, call: Call, name: str) -> Any:
        edges = call.edges[name]
        if not call.node.inputs[name].type.is_list:
            return self._value(edges[0])
        gathered: list[Any] = []
        for edge in edges:
            value = self._value(edge)
            gathered.append(value) if edge.fit.lifted else gathered.extend(value)
        return gathered

    def _value(self, edge: Edge) -> Any:
        outputs = self._states[edge.source].outputs
        assert outputs is not None, edge
        value, coerce = outputs[edge.port], edge.fit.coerce
        if coerce is None:
            return value
        many = isinstance(value, list)
        return [coerce(v) for v in value] if many else coerce(value)

    # Async calls, on the engine's event loop.

    def _spawn(self, call: Call) -> None:
        import asyncio

        task = asyncio.get_running_loop().create_task(self._run_async(call), name=call.id)
        with self._lock:
            self._async.add(task)
        task.add_done_callback(self._async.discard)

    async def _run_async(self, call: Call) -> None:
        from asyncio import CancelledError

        outputs, because = None, None
        try:
            self._emit(Started(call.id))
            began = time.perf_counter()
            kwargs = dict(call.literals)
            for name in call.edges:
                if call.node.inputs[name].lazy:
                    kwargs[name] = Lazy(partial(self._pull, call, name))
                else:
                    with self._lock:
                        kwargs[name] = self._gather(call, name)
            context = self._context(call, kwargs)
            outputs = named(call, await call.node.fn(**kwargs))
            self._keep(call, context, outputs, time.perf_counter() - began)
        except (CancelledError, Cancelled):
            because = ""
        except _Impossible as error:
            because = str(error)
        except BaseException as error:
            because = self._failed(call, error)
        with self._lock:
            tickets = self._settle(call.id, outputs, because)
        self._machinery.lanes.push(tickets)

    async def _pull(self, call: Call, name: str) -> Any:
        """Compute a lazy input now."""
        from asyncio import get_running_loop

        waits: list[asyncio.Future[None]] = []
        with self._lock:
            sources = [e.source for e in call.edges[name]]
            tickets = self._want(sources)
            for id in sources:
                state = self._states[id]
                if state.pending:
                    waits.append(get_running_loop().create_future())
                    state.waiters += (waits[-1],)
        self._machinery.lanes.push(tickets)
        for wait in waits:
            await wait
        with self._lock:
            for id in sources:
                if self._states[id].outputs is None:
                    raise _Impossible(self._states[id].because or "")
            return self._gather(call, name)


class _Impossible(Exception):
    """A lazy input was awaited and its source failed; the message is that node."""


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
