"""What can be wrong with a document, said so that people and programs can act on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong.

    Args:
        code: Stable name of the kind of problem, for programs and tests.
        node: Id of the node at fault; "" for the document as a whole.
        port: Its input at fault, if one is.
        message: What was needed, what was given and what to do next.
    """

    code: str
    node: str
    port: str | None
    message: str

    @property
    def where(self) -> str:
        return f"{self.node}.{self.port}" if self.port else self.node or "document"

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def shown(given: Any) -> str:
    """What was given, as a message can hold it: at most 80 letters."""
    text = repr(given.decode(errors="replace") if isinstance(given, bytes) else given)
    return text if len(text) <= 80 else f"{text[:77]}..."


class InvalidWorkflow(ValueError):
    """A document cannot run. `problems` holds everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))
