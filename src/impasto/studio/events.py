"""Server-sent events: the state of a job whenever it changes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from .jobs import Job
from .state import Studio

_HEARTBEAT = ": here\n\n"


async def events(studio: Studio, owner: str, job: Job) -> AsyncGenerator[str]:
    """Yield the state of a job as events, at most one in `Limits.frame` seconds, until it is over.

    While nothing changes, a comment shows that the connection lives. Closing the generator ends everything.

    Args:
        studio: of the job.
        owner: the session that watches, which has not left as long as it does.
        job: the job.
    """
    seen, sent = None, time.monotonic()
    with studio.visitors.stream(owner):
        while True:
            now = (job.version, studio.queue.place(job))
            if now != seen:
                seen, sent = now, time.monotonic()
                over = job.is_over
                yield f"event: state\ndata: {json.dumps(studio.describe(job), allow_nan=False)}\n\n"
                if over:
                    return
            elif time.monotonic() - sent >= studio.limits.heartbeat:
                sent = time.monotonic()
                yield _HEARTBEAT
            if studio.closing():
                return
            await asyncio.sleep(studio.limits.frame)


class EventResponse(StreamingResponse):
    """Sends the events of a job. The stream is closed at the end, also if nothing of it could be sent.

    Args:
        first: the first event, which was taken from the stream.
        stream: of `events`.
    """

    def __init__(self, first: str, stream: AsyncGenerator[str]) -> None:
        super().__init__(_joined(first, stream), headers={"X-Accel-Buffering": "no"}, media_type="text/event-stream")
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._stream.aclose()


async def _joined(first: str, stream: AsyncGenerator[str]) -> AsyncGenerator[str]:
    yield first
    async for each in stream:
        yield each
