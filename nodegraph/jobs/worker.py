"""The worker process: an engine that does what lines of JSON on standard input say, one job at a time.

Standard output is the way back to the server; what nodes print goes to standard error. When standard input ends, the
server has gone, and the process with it: the job is put back by the next server.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import sys
import threading
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import IO, Any

from pydantic_core import from_json, to_json

from ..calling import surprising
from ..codec import Unencodable
from ..context import Cancelled, Folders
from ..engine import Engine
from ..executor import Run, RunFailed
from ..garbage import collect_rarely
from ..pack import Pack, Registry
from ..policy import safety_policy
from ..problems import InvalidWorkflow
from .documents import Accepted, Documents
from .telling import LOGGED, Message, Teller


class Worker:
    """One engine, and the job it is at.

    Args:
        setup: What the server says first: folders, packs and limits.
        say: Sends a message to the server, from any thread.
    """

    def __init__(self, setup: Mapping[str, Any], say: Callable[[Message], None]) -> None:
        self._say = say
        self._folders = Folders(
            base=Path(setup["uploads"]), output=Path(setup["results"]), models=tuple(map(Path, setup["models"]))
        )
        self._private = sorted(setup["private"], key=len, reverse=True)
        self._engine = Engine(
            Registry.installed(Pack.from_file(Path(file)) for file in setup["packs"]),
            folders=self._folders,
            cache=Path(setup["cache"]),
            memory=setup["memory"],
            disk=setup["disk"],
            checkpoint=setup["checkpoint"],
        )
        policy = safety_policy(self._engine.registry, setup["safety"])
        self._previews = policy is None or not policy.strict
        self._documents = Documents(self._engine, self._folders.base, Path(setup["examples"]), policy)
        self._checked: tuple[int, Accepted] | None = None
        """What was checked last, and by which request."""
        self._keys: Mapping[str, str] | None = None
        """Those of its plan, for one run."""
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        """Jobs that were ordered and not begun."""
        self._job = ""
        self._run: Run | None = None
        self._stopped = False
        self._weights: dict[str, frozenset[Hashable]] = {}
        """What came into the pool for each model that a job named."""
        self._orders: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="jobs", daemon=True).start()

    def order(self, message: Message) -> None:
        """Do what a line asks for. One thread runs jobs and checks documents, in their order."""
        match message["do"]:
            case "run":
                with self._lock:
                    self._waiting.add(message["job"])
                self._orders.put(message)
            case "check":
                self._orders.put(message)
            case "cancel":
                with self._lock:
                    if message["job"] in self._waiting:
                        self._waiting.remove(message["job"])
                        self._teller(message["job"]).end("cancelled", None, list(self._weights))
                    elif message["job"] == self._job:
                        self._stopped = True
                        if self._run is not None:
                            self._run.cancel()
            case "keep":
                threading.Thread(target=self._keep, args=(message,), name="keep", daemon=True).start()

    def _keep(self, message: Message) -> None:
        try:
            workflow = self._engine.read(from_json(message["document"]))
            found = self._engine.recall(workflow, message["node"], persist=True) is not None
        except (InvalidWorkflow, Unencodable, OSError):
            found = False
        self._answer(message, found)

    def _answer(self, message: Message, answer: Any) -> None:
        self._say({"answers": message["request"], "answer": answer})

    def _serve(self) -> None:
        try:
            while True:
                message = self._orders.get()
                if message["do"] == "check":
                    self._check(message)
                elif self._begin(message["job"]):
                    self._work(message)
                    gc.collect(1)  # an error holds what its frames held: pictures, weights
        finally:
            os._exit(1)  # nobody would do what is ordered next; the server starts another worker

    def _check(self, message: Message) -> None:
        """Answer what is queued of a document, or what is wrong with it. Its plan is kept for the job that follows."""
        self._checked = self._keys = None
        try:
            made = self._documents.accept(message["document"], message["inputs"], message["targets"])
        except InvalidWorkflow as error:
            self._answer(message, {"problems": [problem.to_dict() for problem in error.problems]})
        except Exception:  # the server tries it too, and logs what it sees
            self._answer(message, None)
        else:
            self._checked = message["request"], made
            name, document, models = made.queueable
            same = document is message["document"]
            self._answer(message, {"name": name, "document": None if same else document, "models": models})
            if made.plan is not None:
                with contextlib.suppress(InvalidWorkflow):  # a file is gone since: the job will say so
                    self._keys = self._engine.keys(made.plan)  # while the server writes the job down

    def _begin(self, job: str) -> bool:
        """Take on a job that waits. False where it was cancelled before."""
        with self._lock:
            if job not in self._waiting:
                return False
            self._waiting.remove(job)
            self._job, self._stopped, self._run = job, False, None
            return True

    def _teller(self, job: str) -> Teller:
        return Teller(job, self._say, self._folders.output / job, self._public, previews=self._previews)

    def _work(self, message: Message) -> None:
        teller = self._teller(message["job"])
        before = self._engine.loaded()
        state, error = "done", None
        try:
            self._execute(message, teller)
        except InvalidWorkflow as problems:
            state, error = "failed", str(problems)
        except Cancelled:
            state = "cancelled"
        except RunFailed as failures:
            state, error = "failed", str(failures)
            if any(map(surprising, failures.errors.values())):
                error += f"\n{LOGGED}"
        except BaseException as other:
            state, error = "failed", teller.explain("", other)
        if self._stopped and state == "failed":
            state, error = "cancelled", None
        with self._lock:
            self._job, self._run = "", None
        teller.end(state, error, self._holds(message["models"], before))

    def _holds(self, models: list[str], before: frozenset[Hashable]) -> list[str]:
        """Of the models that jobs named, those of which weights are loaded."""
        loaded = self._engine.loaded()
        if came := loaded - before:
            self._weights |= {model: self._weights.get(model, frozenset()) | came for model in models}
        self._weights = {model: weights for model, keys in self._weights.items() if (weights := keys & loaded)}
        return list(self._weights)

    def _execute(self, message: Message, teller: Teller) -> None:
        folders = Folders(self._folders.base, self._folders.output / message["job"], self._folders.models)
        run = self._start(message, folders)
        with self._lock:
            self._run = run
            if self._stopped:
                run.cancel()
        teller.follow(run)
        run.outputs()
        run.persist()

    def _start(self, message: dict[str, Any], folders: Folders) -> Run:
        checked, keys = self._checked, self._keys
        self._checked = self._keys = None
        if checked is not None and checked[0] == message["checked"]:
            _, workflow, plan = checked[1]
            if plan is not None:
                return self._engine.follow(plan, keys or self._engine.keys(plan), workflow, folders)
        else:
            workflow = self._engine.read(from_json(message["document"]))
            policy = self._documents.policy
            if policy is not None:  # the job may have been queued when there was none
                plan = self._engine.compile(workflow, targets=message["targets"] or None, folders=folders)
                workflow = policy.enforce(workflow, plan)
        return self._engine.start(workflow, targets=message["targets"] or None, folders=folders)

    def _public(self, text: str) -> str:
        """`text` without the names of folders of this machine, and such that it can be written down."""
        for folder in self._private:
            text = text.replace(f"{folder}{os.sep}", "")
        return text.encode("utf-8", "backslashreplace").decode()


def lines(file: IO[bytes]) -> Callable[[Message], None]:
    """Sends messages through a file, as lines of JSON, from any thread."""
    lock = threading.Lock()

    def say(message: Message) -> None:
        line = to_json(message) + b"\n"
        with lock, contextlib.suppress(OSError):  # the server has died; the main thread sees it and ends the process
            file.write(line)
            file.flush()

    return say


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    say = lines(out)
    try:
        worker = Worker(from_json(sys.stdin.buffer.readline()), say)
    except ValueError:  # the server had gone before it said anything
        os._exit(0)
    collect_rarely()
    say({"ready": os.getpid()})
    for line in sys.stdin.buffer:
        worker.order(from_json(line))
    os._exit(0)  # not sys.exit: that would wait for a node


if __name__ == "__main__":
    main()
