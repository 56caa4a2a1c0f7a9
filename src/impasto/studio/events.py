"""Server-sent events: the state of a job whenever it changes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator

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
