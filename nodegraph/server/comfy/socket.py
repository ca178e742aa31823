"""The websocket: what happens, told to the client that asked for it."""

from __future__ import annotations

import asyncio
import json
import uuid

from aiohttp import WSMsgType, web

from ...jobs.hub import Gone, Reader
from ..site import Site
from .catalogue import supported
from .messages import Frame, Teller, frame, status
from .wire import wire

PULSE = 20.0
LARGEST = 1 << 16
"""Bytes of the largest message that a client may send."""


@wire("GET", "/ws")
async def connect(site: Site, request: web.Request) -> web.WebSocketResponse:
    """Connect as `clientId`. Messages tell of the prompts that were submitted with that id, and of the queue."""
    client = request.query.get("clientId", "")[:100] or uuid.uuid4().hex
    socket = web.WebSocketResponse(heartbeat=PULSE, max_msg_size=LARGEST)
    reader = site.dispatcher.hub.reader()
    teller = Teller(site, client)
    try:
        await socket.prepare(request)
        await socket.send_str(frame("status", status(site) | {"sid": client}))
        for each in teller.joining():
            await _send(socket, each)
        telling = asyncio.create_task(_tell(socket, reader, teller))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await _heard(site, socket, teller, message.data)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
    finally:
        reader.leave()
    return socket


async def _tell(socket: web.WebSocketResponse, reader: Reader, teller: Teller) -> None:
    """Send what happens until the connection or the server ends."""
    try:
        while True:
            for said in await reader.next():
                for each in teller.say(said):
                    await _send(socket, each)
    except (Gone, ConnectionError):
        await socket.close()


async def _send(socket: web.WebSocketResponse, said: Frame) -> None:
    await (socket.send_bytes(said) if isinstance(said, bytes) else socket.send_str(said))


async def _heard(site: Site, socket: web.WebSocketResponse, teller: Teller, text: str) -> None:
    """The only thing that clients say is what they can do."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(said, dict) and said.get("type") == "feature_flags":
        flags = said.get("data")
        teller.metadata = isinstance(flags, dict) and flags.get("supports_preview_metadata") is True
        await socket.send_str(frame("feature_flags", supported(site)))
