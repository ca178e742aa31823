"""ComfyUI's HTTP routes and websocket over the same jobs, for clients that were written for it.

Prompts become ordinary durable jobs; queue, history, files and messages are told in ComfyUI's shapes. Every route
exists bare and under `/api`. Nothing here holds state of its own but what is in the database.
"""

from __future__ import annotations

from . import catalogue, files, front, history, queue, socket, submission, userdata
from .wire import Wire

WIRES: tuple[Wire, ...] = tuple(
    value
    for module in (submission, queue, history, files, catalogue, socket, front, userdata)
    for each in vars(module).values()
    if isinstance(each, Wire)
    for value in each.all
)

__all__ = ["WIRES", "Wire"]
