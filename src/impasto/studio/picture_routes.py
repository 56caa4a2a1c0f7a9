"""Routes of pictures that were sent, and of their thumbnails."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from . import previews
from .bodies import form_of
from .endpoints import Endpoint, Parameter, in_thread, query_of, session_of, studio_of
from .limits import Limits
from .pictures import Upload, receive
from .previews import Encoded
from .refusals import Refusal

_MOST = 2048
_PICTURES = {200: "image/webp"}


def answer_picture(picture: Encoded) -> Response:
    """Answer with a picture."""
    return Response(picture.data, media_type=picture.kind)


async def file_in(form: FormData, field: str, limits: Limits) -> tuple[bytes, str]:
    """Return the bytes and the name of the one file in a field of a form.

    Raises:
        Refusal: there is none, or it is too large.
    """
    files = form.getlist(field)
    if len(files) != 1 or not isinstance(files[0], UploadFile):
        raise Refusal(400, f"the form has {len(files)} fields {field}; expected one, a file")
    return await read_file(files[0], limits)


async def read_file(file: UploadFile, limits: Limits) -> tuple[bytes, str]:
    """Return the bytes and the name of a file in a form.

    Raises:
        Refusal: it is too large.
    """
    data = await file.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise Refusal(413, f"the file has more than {limits.max_bytes / 1e6:g} MB; expected fewer: make it smaller")
    return data, file.filename or ""


async def _send(request: Request) -> Response:
    studio, owner = studio_of(request), session_of(request)
    async with form_of(request, studio.limits) as form:
        data, name = await file_in(form, "file", studio.limits)
    upload: Upload = await in_thread(studio, receive, data, name, studio.limits)
    studio.keep_picture(owner, upload)
    studio.thumbnails.warm()
    return JSONResponse(upload.described(), 201)


async def _show(request: Request) -> Response:
    studio = studio_of(request)
    upload = studio.pictures.get(session_of(request), request.path_params["id"])
    longest = query_of(request).get("longest", 1024)
    return answer_picture(await in_thread(studio, previews.encode, upload.view, longest))


async def _forget(request: Request) -> Response:
    studio_of(request).pictures.drop(session_of(request), request.path_params["id"])
    return Response(status_code=204)


async def _thumbnail(request: Request) -> Response:
    studio, owner = studio_of(request), session_of(request)

    def find(name: str) -> Upload:
        return studio.pictures.get(owner, name)

    def ask() -> Any:
        return studio.thumbnails.ask(photo, request.path_params["style"], size, find)

    photo, size = find(request.path_params["id"]), query_of(request).get("size", 192)
    return answer_picture(await asyncio.wrap_future(ask()))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/pictures",
        _send,
        "Send a picture: a photograph, a style, a mask, or a painting to take up again.",
        body="form",
        fields={"file": "file of the picture"},
        answers={201: "application/json"},
    ),
    Endpoint(
        "GET",
        "/api/pictures/{id}",
        _show,
        "The picture, upright, as WebP.",
        query={"longest": Parameter("whole number", "Most pixels of the longest side.", 16, _MOST)},
        answers=_PICTURES,
    ),
    Endpoint("DELETE", "/api/pictures/{id}", _forget, "Forget the picture.", answers={204: ""}),
    Endpoint(
        "GET",
        "/api/pictures/{id}/thumbnail/{style}",
        _thumbnail,
        "The picture painted small in a style: a name of the list, or picture: and the id of a picture.",
        query={"size": Parameter("whole number", "Pixels of the longest side.", 16, 384)},
        answers=_PICTURES,
    ),
)
"""The routes of this module."""
