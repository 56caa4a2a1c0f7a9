"""``POST /api/paint``: pictures in, a painting out, in one request."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from ..untrusted import read_json
from . import previews
from .bodies import form_of
from .endpoints import Endpoint, in_thread, session_of, studio_of
from .jobs import DONE, FAILED, Job
from .orders import PaintRequest, parse
from .picture_routes import answer_picture, file_in, read_file
from .pictures import Upload, receive
from .previews import EXTENSIONS
from .refusals import Refusal, public
from .state import Studio

_POLL = 0.05  # seconds between two looks for the end of the job
_NUMBERS = ("boldness", "size", "dpi")
_FIELDS = {
    "photo": "file of the photograph",
    "style": "file of a style picture, or the name of a style; several are blended",
    "mask": "file of a mask, one for each style in turn",
    "effort": "draft, quick, fine or best",
    "boldness": "from 0, every detail of the photo, to 1, large forms only",
    "method": "a method, instead of effort and boldness",
    "preset": "a preset of the method",
    "settings": "settings by name, a JSON object",
    "size": "longest side in pixels",
    "print": "size of a print, such as 40x30cm",
    "dpi": "pixels per inch of the print",
    "format": f"of the answer: {', '.join(EXTENSIONS)}",
    "quality": "of the answer, 1 to 100",
}


async def _paint(request: Request) -> Response:
    studio, owner = studio_of(request), session_of(request)
    studio.queue.check_room(owner)
    sent: list[Upload] = []
    try:
        async with form_of(request, studio.limits) as form:
            _check_fields(form)
            texts = {name: text for name in _FIELDS if isinstance(text := form.get(name), str)}
            format, quality = _check_format(texts)
            data = await _request(studio, owner, form, texts, sent)
        job: Job = await in_thread(studio, studio.add_job, owner, parse(PaintRequest, data))
        return await _wait(request, studio, job, format, int(quality))
    finally:
        for upload in sent:
            _forget(studio, owner, upload)


def _check_fields(form: FormData) -> None:
    for name in form:
        if name not in _FIELDS:
            raise Refusal(
                400, f"the form has a field {public(repr(name[:60]))}; expected one of {', '.join(_FIELDS)}"
            )


def _check_format(texts: dict[str, str]) -> tuple[str, float]:
    format, quality = texts.get("format", "png"), parse_number("quality", texts.get("quality", "92"))
    if format not in EXTENSIONS or not previews.has(format) or not 1 <= quality <= 100:
        raise Refusal(422, f"format or quality is wrong; expected one of {', '.join(EXTENSIONS)}, and 1 to 100")
    return format, quality


async def _request(
    studio: Studio, owner: str, form: FormData, texts: dict[str, str], sent: list[Upload]
) -> dict[str, Any]:
    """Keep the pictures of a form, and return the request for a job that it stands for."""

    async def keep(data: bytes, name: str) -> str:
        upload: Upload = await in_thread(studio, receive, data, name, studio.limits)
        studio.keep_picture(owner, upload)
        sent.append(upload)
        return upload.id

    found: dict[str, Any] = {"photo": await keep(*await file_in(form, "photo", studio.limits)), "keep": True}
    styles: list[dict[str, str]] = []
    for style in form.getlist("style"):
        if isinstance(style, UploadFile):
            styles.append({"picture": await keep(*await read_file(style, studio.limits))})
        else:
            styles.append({"name": style})
    for style, mask in zip(styles, form.getlist("mask"), strict=False):
        if isinstance(mask, UploadFile):
            style["mask"] = await keep(*await read_file(mask, studio.limits))
    found["styles"] = styles
    found |= {name: texts[name] for name in ("effort", "method", "preset", "print") if name in texts}
    found |= {name: parse_number(name, texts[name]) for name in _NUMBERS if name in texts}
    if "settings" in texts:
        try:
            found["settings"] = read_json(texts["settings"])
        except (ValueError, json.JSONDecodeError):
            raise Refusal(422, "settings are not JSON; expected one object") from None
    return found


def parse_number(name: str, text: str) -> float:
    """Read a number in a field of a form.

    Raises:
        Refusal: it is none.
    """
    try:
        value = float(text[:40])
    except ValueError:
        raise Refusal(422, f"{name} is {public(repr(text[:40]))}; expected a number") from None
    return int(value) if value.is_integer() else value


async def _wait(request: Request, studio: Studio, job: Job, format: str, quality: int) -> Response:
    """Wait for a job and answer with its painting. The job is stopped if the client leaves."""
    try:
        with studio.visitors.stream(job.owner):
            while not job.is_over:
                if studio.closing() or await request.is_disconnected():
                    raise Refusal(503, "the request was given up before the painting was done")
                await asyncio.sleep(_POLL)
        if job.state == FAILED:
            raise Refusal(422, job.error)
        if job.result is None or job.state != DONE:
            raise Refusal(503, "the painting was stopped before it was done; expected it to be left alone")
        return answer_picture(await in_thread(studio, partial(job.result.encode, format, quality=quality)))
    finally:
        await in_thread(studio, studio.forget, job.owner, job.id)


def _forget(studio: Studio, owner: str, upload: Upload) -> None:
    try:
        studio.pictures.drop(owner, upload.id)
    except Refusal:  # it was dropped for want of room
        return


ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/paint",
        _paint,
        "Paint a photograph, and answer with the painting.",
        body="form",
        fields=_FIELDS,
        answers={200: "image/png"},
    ),
)
"""The routes of this module."""
