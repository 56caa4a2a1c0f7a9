"""Server-sent events follow a job, and leave nothing behind."""

import asyncio
import gc
import json
from types import AsyncGeneratorType, SimpleNamespace

import pytest

from impasto.studio.events import events

from .studios import ask_raw

pytestmark = pytest.mark.usefixtures("tiny_shipped")


def states(body):
    return [json.loads(line[5:]) for line in body.decode().splitlines() if line.startswith("data:")]


def test_events_lead_to_the_end_of_a_job(open_studio):
    studio = open_studio()
    job = studio.api.start(studio.api.request())
    answer = asyncio.run(ask_raw(studio.app, "GET", f"/api/jobs/{job}/events", {"x-session": ""}))
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert b"event: state\n" in answer.body
    seen = states(answer.body)
    assert seen[-1]["state"] == "done" and seen[-1] == studio.api.job(job)
    assert [each["fraction"] for each in seen] == sorted(each["fraction"] for each in seen)


def test_there_is_a_pause_between_two_events(open_studio, monkeypatch):
    studio = open_studio(frame=0.25)
    job = studio.studio.jobs.get("api ", studio.api.start(studio.api.slow()))
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)
        job.version += 1

    async def go():
        stream = events(studio.studio, "api ", job)
        seen = [await anext(stream) for _ in range(10)]
        await stream.aclose()
        return seen

    monkeypatch.setattr("impasto.studio.events.asyncio", SimpleNamespace(sleep=pause))
    assert all(each.startswith("event: state") for each in asyncio.run(go()))
    assert pauses == [0.25] * 9 and studio.studio.visitors.streams == 0
    studio.studio.queue.stop(job)


def test_streams_that_are_closed_leave_nothing(open_studio):
    studio = open_studio()
    job = studio.api.start(studio.api.slow())

    async def go():
        for _ in range(50):
            await ask_raw(studio.app, "GET", f"/api/jobs/{job}/events", {"x-session": ""}, leave_after=1)
            assert studio.studio.visitors.streams == 0
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(go()) == []
    gc.collect()
    streams = [each for each in gc.get_objects() if type(each) is AsyncGeneratorType]
    assert not [each for each in streams if each.__name__ == "events"]
    assert studio.api.job(job)["state"] in ("waiting", "painting")
    studio.api.ask("DELETE", f"/api/jobs/{job}")


def test_a_quiet_stream_shows_that_it_lives(open_studio):
    studio = open_studio(heartbeat=0.02)
    busy = studio.other("busy")
    painting = busy.start(busy.slow(keep=True))
    busy.wait(painting, "painting")
    job = studio.api.start(studio.api.request())
    answer = asyncio.run(ask_raw(studio.app, "GET", f"/api/jobs/{job}/events", {"x-session": ""}, leave_after=4))
    assert answer.body.count(b": here\n\n") >= 2 and states(answer.body)[0]["place"] == 1
    busy.ask("DELETE", f"/api/jobs/{painting}")


def test_streams_are_bounded_and_end_with_the_studio(open_studio):
    studio = open_studio(own_streams=2)
    job = studio.api.start(studio.api.slow())
    path, headers = f"/api/jobs/{job}/events", {"x-session": ""}

    async def go():
        open_ones = [asyncio.create_task(ask_raw(studio.app, "GET", path, headers)) for _ in range(2)]
        while studio.studio.visitors.streams < 2:
            await asyncio.sleep(0.01)
        refused = await ask_raw(studio.app, "GET", path, headers)
        assert refused.status == 429 and "streams" in refused.error
        studio.studio.closing = lambda: True
        await asyncio.wait_for(asyncio.gather(*open_ones), 10)

    asyncio.run(go())
    assert studio.studio.visitors.streams == 0
    studio.api.ask("DELETE", f"/api/jobs/{job}")
