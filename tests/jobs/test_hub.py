"""From one writer to many readers."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

import nodegraph.jobs.hub as module
from nodegraph.jobs.hub import AT_ONCE, BACKLOG, Gone, Hub, Reader
from nodegraph.jobs.job import Said


def event(number: int) -> Said:
    return Said(number, "a", "{}")


def test_readers_hear_what_is_said_from_their_coming_to_their_going(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PULSE", 0.01)

    async def scenario() -> None:
        hub = Hub()
        hub.publish([event(1)])
        reader, other = hub.reader(), hub.reader()
        hub.publish([event(2), event(0)])
        hub.publish([event(3)])
        assert await reader.next() == [event(2), event(0), event(3)]
        assert await reader.next() == []
        other.leave()
        assert len(hub) == 1
        with pytest.raises(Gone):
            await other.next()

    asyncio.run(scenario())


def test_a_reader_that_falls_behind_is_let_go_and_others_are_not() -> None:
    async def scenario() -> None:
        hub = Hub()
        slow, quick = hub.reader(), hub.reader()
        for i in range(BACKLOG + 1):
            hub.publish([event(i)])
            if i % 999 == 0:
                await quick.next()
        with pytest.raises(Gone):
            await slow.next()
        assert (await quick.next())[-1] == event(BACKLOG)

    asyncio.run(scenario())


def test_closing_sends_everybody_home() -> None:
    async def scenario() -> None:
        hub = Hub()
        waiting = asyncio.create_task(hub.reader().next())
        await asyncio.sleep(0)
        hub.close()
        with pytest.raises(Gone):
            await waiting

    asyncio.run(scenario())


def test_many_readers_are_woken_in_groups_between_which_others_get_their_turn() -> None:
    async def scenario() -> None:
        hub = Hub()
        heard: list[int] = []

        async def listen(reader: Reader) -> None:
            heard.append(len(await reader.next()))

        tasks = [asyncio.create_task(listen(hub.reader())) for _ in range(10 * AT_ONCE)]
        await asyncio.sleep(0)
        hub.publish([event(1)])
        seen = [len(heard)]
        while len(heard) < len(tasks):
            await asyncio.sleep(0)
            seen.append(len(heard))
            if len(seen) == 3:
                hub.publish([event(2)])  # whoever is not woken yet hears both at once
        assert max(now - before for before, now in pairwise(seen)) <= 2 * AT_ONCE
        assert heard.count(1) + heard.count(2) == len(tasks)
        assert heard.count(2) > len(tasks) / 2

    asyncio.run(scenario())
