"""How a request is refused: always as JSON, never with a traceback or a path of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from ..problems import InvalidWorkflow, Problem, shown

SHOWN = 50
"""Problems of a malformed body that are listed, at most."""


class Refused(Exception):
    """An answer of 4xx or 5xx.

    Args:
        code: Stable name of the reason, for programs.
        message: What was needed, given, and to do next.
        problems: What is wrong with a document.
    """

    def __init__(self, status: int, code: str, message: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.status, self.code, self.problems = status, code, list(problems)

    def response(self) -> web.Response:
        return refusal(self.status, self.code, str(self), self.problems)


def refusal(status: int, code: str, message: str, problems: Iterable[Problem] = ()) -> web.Response:
    error: dict[str, Any] = {"code": code, "message": message}
    if listed := [p.to_dict() for p in problems]:
        error["problems"] = listed
    return web.json_response({"error": error}, status=status, dumps=json.dumps)


def bad_request(error: ValidationError) -> Refused:
    """A body that does not have the shape it needs."""
    problems = []
    for found in error.errors(include_url=False)[:SHOWN]:
        where = ".".join(map(str, found["loc"])) or "the body"
        text = f"{where}: {found['msg'][0].lower()}{found['msg'][1:]}, given {shown(found.get('input'))}"
        problems.append(Problem("bad_body", "", None, text))
    return Refused(400, "bad_request", problems[0].message, problems)


def invalid(error: InvalidWorkflow) -> Refused:
    """A document that cannot run."""
    count = len(error.problems)
    more = f" (and {count - 1} more)" if count > 1 else ""
    return Refused(422, "invalid_workflow", f"{error.problems[0]}{more}", error.problems)


def not_found(what: str, name: str) -> Refused:
    return Refused(404, "not_found", f"there is no {what} {name!r}")
