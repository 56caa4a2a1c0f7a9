"""Routes of clips: sending one, and taking the painted one home."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from .bodies import form_of
from .clips import receive_clip
from .endpoints import Endpoint, Parameter, in_thread, query_of, session_of, studio_of
from .films import Film
from .job_routes import file_name
from .jobs import Job
from .pictures import Upload
from .refusals import Refusal

_KIND = "video/mp4"


async def _send(request: Request) -> Response:
    studio, owner = studio_of(request), session_of(request)
    if studio.clip_uploads >= studio.limits.clip_uploads:
        raise Refusal(
            429,
            f"{studio.clip_uploads} clips are being sent; expected at most {studio.limits.clip_uploads}: try again "
            "soon",
            {"Retry-After": "2"},
        )
    studio.clip_uploads += 1
    try:
        async with form_of(request, studio.limits) as form:
            files = form.getlist("file")
            if len(files) != 1 or not isinstance(files[0], UploadFile):
                raise Refusal(400, f"the form has {len(files)} fields file; expected one, a file")
            file, name = files[0].file, files[0].filename or "clip"
            folder = await in_thread(studio, studio.folders.make, owner)
            upload: Upload = await in_thread(studio, receive_clip, file, name, studio.limits, folder)
    finally:
        studio.clip_uploads -= 1
    studio.keep_picture(owner, upload)
    studio.thumbnails.warm()
    return JSONResponse(upload.described(), 201)


class _FilmResponse(FileResponse):
    """Sends a painted clip, or the parts that are asked for. The file stays until it is sent."""

    def __init__(self, film: Film, **more: Any) -> None:
        super().__init__(film.path, media_type=_KIND, **more)
        self._film = film


async def _film(request: Request) -> Response:
    studio = studio_of(request)
    job: Job = studio.jobs.get(session_of(request), request.path_params["id"])
    if job.film is None:
        if not job.is_over:
            raise Refusal(409, "the job is not over; expected one that is: wait for it, or stop it")
        raise Refusal(404, f"the job has no clip ({job.state}); expected one that has painted some of a clip")
    name = file_name(job.film.path.name, job.method, ".mp4")
    kind = "attachment" if query_of(request).get("download") else "inline"
    return _FilmResponse(job.film, filename=name, content_disposition_type=kind)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/clips",
        _send,
        "Send a clip. It is a picture too, its first frame; a job with its id and `film` paints the whole clip.",
        body="form",
        fields={"file": "file of the clip"},
        answers={201: "application/json"},
    ),
    Endpoint(
        "GET",
        "/api/jobs/{id}/clip",
        _film,
        "The painted clip of a job that is over, with its recipe inside; whole, or the range that is asked for.",
        query={"download": Parameter("yes or no", "Have the browser save the file.")},
        answers={200: _KIND, 206: _KIND},
    ),
)
"""The routes of this module."""
