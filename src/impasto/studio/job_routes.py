"""Routes of jobs: asking for a painting, watching it, stopping it, taking it home."""

from __future__ import annotations

import re
from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..prints import LEAST_DPI, MOST_DPI
from .bodies import json_of
from .endpoints import Endpoint, Parameter, in_thread, query_of, session_of, studio_of
from .events import EventResponse, events
from .jobs import ENDED, Job
from .orders import PaintRequest, PrintRequest, parse
from .picture_routes import answer_picture
from .previews import EXTENSIONS
from .refusals import Refusal
from .state import Studio

_STREAM = "text/event-stream"
COLOURS = ("style", "luminance", "oklab", "histogram")
"""Ways of colouring that act after painting; `coral` acts before."""


async def _add(request: Request) -> Response:
    studio, owner = studio_of(request), session_of(request)
    wanted = parse(PaintRequest, await json_of(request))
    job: Job = await in_thread(studio, studio.add_job, owner, wanted)
    return _accepted(studio, job)


async def _print(request: Request) -> Response:
    studio, owner = studio_of(request), session_of(request)
    wanted = parse(PrintRequest, await json_of(request))
    job: Job = await in_thread(studio, studio.print_job, owner, request.path_params["id"], wanted)
    return _accepted(studio, job)


def _accepted(studio: Studio, job: Job) -> Response:
    return JSONResponse({"id": job.id, "place": studio.queue.place(job)}, 202)


async def _list(request: Request) -> Response:
    studio = studio_of(request)
    return JSONResponse([studio.describe(job) for job in studio.jobs.of(session_of(request))])


def _find(request: Request) -> Job:
    return studio_of(request).jobs.get(session_of(request), request.path_params["id"])


async def _state(request: Request) -> Response:
    return JSONResponse(studio_of(request).describe(_find(request)))


async def _events(request: Request) -> Response:
    studio, owner, job = studio_of(request), session_of(request), _find(request)
    studio.visitors.check_streams(owner)
    stream = events(studio, owner, job)
    # Nothing else runs between the check and the first event, from which on the stream counts as open.
    return EventResponse(await anext(stream), stream)


async def _preview(request: Request) -> Response:
    return answer_picture(await in_thread(studio_of(request), _find(request).preview))


async def _picture(request: Request) -> Response:
    studio, job, asked = studio_of(request), _find(request), query_of(request)
    result = job.result
    if result is None:
        if job.film is not None:
            raise Refusal(404, "the job has painted a clip; expected a picture: the clip is at /api/jobs/ID/clip")
        if not job.is_over:
            raise Refusal(409, "the job is not over; expected one that is: wait for it, or stop it")
        raise Refusal(404, f"the job has no picture ({job.state} before its first step); expected one that has")
    format, size = asked.get("format", "png"), asked.get("size")
    if size is not None and size > max(result.size):
        raise Refusal(
            422,
            f"size is {size}, and the painting has {max(result.size)} pixels; expected fewer: paint a print of it",
        )
    longest = min((each for each in (size, asked.get("longest")) if each is not None), default=None)

    def encode() -> Response:
        made = result.encode(
            format,
            quality=asked.get("quality", 92),
            strength=asked.get("strength"),
            colour=asked.get("colour"),
            longest=longest,
            dpi=asked.get("dpi"),
        )
        return answer_picture(made)

    answer: Response = await in_thread(studio, encode)
    if asked.get("download"):
        answer.headers["Content-Disposition"] = f'attachment; filename="{_file_name(job, format)}"'
    return answer


def _file_name(job: Job, format: str) -> str:
    """A name for the painting: the photograph's and the method's, in ASCII."""
    photo = job.result.painting.photo.source if job.result is not None else ""
    return file_name(photo, job.method, EXTENSIONS[format])


def file_name(photo: str, method: str, extension: str) -> str:
    """Return a name for a file to take home, in ASCII."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePath(photo).stem).strip("-.") or "photo"
    return f"{stem}.{method}{extension}"


async def _stop(request: Request) -> Response:
    studio, job = studio_of(request), _find(request)
    if query_of(request).get("forget"):
        await in_thread(studio, studio.forget, session_of(request), job.id)
        return Response(status_code=204)
    if job.state not in ENDED:
        await in_thread(studio, studio.queue.stop, job)
    return JSONResponse(studio.describe(job))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/jobs",
        _add,
        "Ask for a painting. It waits until those before it are done.",
        body=PaintRequest,
        answers={202: "application/json"},
    ),
    Endpoint("GET", "/api/jobs", _list, "The jobs of this session, the newest first."),
    Endpoint("GET", "/api/jobs/{id}", _state, "The state of a job."),
    Endpoint(
        "GET",
        "/api/jobs/{id}/events",
        _events,
        "The state of a job whenever it changes, as server-sent events, until it is over.",
        answers={200: _STREAM},
    ),
    Endpoint(
        "GET",
        "/api/jobs/{id}/preview",
        _preview,
        "The painting so far, at most 512 pixels a side.",
        query={"n": Parameter("whole number", "Number of the preview; any value gives the newest.", 0, 10**9)},
        answers={200: "image/webp"},
    ),
    Endpoint(
        "GET",
        "/api/jobs/{id}/picture",
        _picture,
        "The painting of a job that is over, with its recipe inside.",
        query={
            "format": Parameter("text", "Format of the file; png by default.", choices=tuple(EXTENSIONS)),
            "quality": Parameter("whole number", "Quality of JPEG, WebP and AVIF.", 1, 100),
            "strength": Parameter("number", "How much of the painting shows.", 0, 1),
            "colour": Parameter("text", "Whose colours.", choices=COLOURS),
            "size": Parameter("whole number", "Pixels of the longest side, at most as many as painted.", 16, 32768),
            "longest": Parameter("whole number", "Most pixels of the longest side.", 16, 32768),
            "dpi": Parameter("number", "Pixels per inch that the file states.", LEAST_DPI, MOST_DPI),
            "download": Parameter("yes or no", "Have the browser save the file."),
        },
        answers={200: "image/png"},
    ),
    Endpoint(
        "POST",
        "/api/jobs/{id}/print",
        _print,
        "Paint an ended job again, large, from its small painting.",
        body=PrintRequest,
        answers={202: "application/json"},
    ),
    Endpoint(
        "DELETE",
        "/api/jobs/{id}",
        _stop,
        "Stop a job, and keep the painting so far.",
        query={"forget": Parameter("yes or no", "Forget the job and its painting too.")},
        answers={200: "application/json", 204: ""},
    ),
)
"""The routes of this module."""
