"""A studio without networks, for tests of the page: the routes of the server with pictures made by Pillow.

``python -m tests.studio.fake`` serves it, to look at the page by hand.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
import threading
import time
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from PIL import Image, ImageFilter, ImageOps

from impasto.studio.app import ENDPOINTS
from impasto.studio.refusals import Refusal

STATIC = Path(__file__).parents[2] / "src/impasto/studio/static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
POLICY = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
EFFORT_SECONDS = {"draft": 0.2, "quick": 0.6, "fine": 3.0, "best": 6.0}
STEP_SECONDS = 0.1
LIMITS = {
    "max_bytes": 4_000_000,
    "max_pixels": 60_000_000,
    "max_size": 8192,
    "formats": {"read": ["png", "jpeg", "webp", "heic"], "write": ["png", "jpeg", "webp", "avif", "tiff"]},
}
GALLERY = [
    ("starry-night", "The Starry Night", "Vincent van Gogh", "1889"),
    ("great-wave", "The Great Wave off Kanagawa", "Katsushika Hokusai", "about 1831"),
    ("la-grande-jatte", "A Sunday on La Grande Jatte", "Georges Seurat", "1884-1886"),
    ("composition-viii", "Composition VIII", "Wassily Kandinsky", "1923"),
    ("large-blue-horses", "The Large Blue Horses", "Franz Marc", "1911"),
    ("mont-sainte-victoire", "Mont Sainte-Victoire", "Paul Cézanne", "1882-1906"),
    ("red-fuji", "Fine Wind, Clear Morning (Red Fuji)", "Katsushika Hokusai", "about 1831"),
    ("sudden-shower", "Sudden Shower over Shin-Ohashi Bridge", "Utagawa Hiroshige", "1857"),
    ("the-scream", "The Scream", "Edvard Munch", "1893"),
    ("water-lilies", "Water Lilies", "Claude Monet", "1906"),
]
DRAWN = [("night", "Night"), ("rhythm", "Rhythm"), ("river", "River"), ("wave", "Wave"), ("window", "Window")]


def _setting(kind: str, group: str, level: str, default: Any, description: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "group": group, "level": level, "default": default, "description": description, **more}


SHARED = {
    "properties": {
        "size": {
            "anyOf": [{"type": "integer", "minimum": 16, "maximum": 32768}, {"type": "null"}],
            "default": 512,
            "group": "picture",
            "level": "plain",
            "title": "Size",
            "unit": "px",
            "description": "Longest side of the result in pixels; none: as the photo.",
        },
        "colour": _setting(
            "string",
            "finish",
            "plain",
            "style",
            "Whose colours.",
            enum=["style", "luminance", "oklab", "histogram", "coral"],
        ),
        "seed": _setting("integer", "running", "plain", 0, "Seed of all random numbers.", minimum=0),
        "feather": _setting(
            "number", "finish", "advanced", 0.01, "Width of the soft border of masks.", minimum=0, maximum=1
        ),
        "encoder": _setting("string", "network", "advanced", "vgg19", "Encoder.", format="path"),
    }
}
METHODS = [
    {
        "name": "adain",
        "title": "Statistics of features",
        "summary": "Any style in one pass, by statistics of features.",
        "styles": "any",
        "presets": [{"name": "impasto", "description": "As impasto paints by itself."}],
        "schema": {
            "properties": {
                "alpha": _setting(
                    "number",
                    "style",
                    "plain",
                    1.0,
                    "How far the features follow the style.",
                    minimum=0,
                    maximum=1,
                    step=0.05,
                ),
                "style_scale": _setting(
                    "number", "strokes", "plain", 1.0, "Size of strokes.", minimum=0.0625, maximum=16, step=0.1
                ),
                "padding": _setting(
                    "string", "network", "reproduction", "zeros", "Not for a form.", enum=["zeros", "same"]
                ),
            }
        },
    },
    {
        "name": "gatys",
        "title": "Pixels by Gram matrices",
        "summary": "Optimise the pixels themselves: slow, with every number to set.",
        "styles": "any",
        "presets": [{"name": "quick", "description": "Fewer steps."}],
        "schema": {
            "properties": {"steps": _setting("integer", "steps", "plain", 300, "Steps.", minimum=0, maximum=1000000)}
        },
    },
]


def _ink(numbers: bytes, low: int, high: int) -> tuple[int, ...]:
    """A colour of three random bytes, with levels between two."""
    return tuple(int(low + each / 255 * (high - low)) for each in numbers)


def painted(photo: Image.Image, style: str, part: float = 1.0) -> Image.Image:
    """A picture of the photo's size that looks different in each style, and coarser the less of it is done."""
    digest = hashlib.sha256(style.encode()).digest()
    small = photo.convert("RGB")
    small.thumbnail((420, 420))
    coarse = small.filter(ImageFilter.MedianFilter(5)) if part >= 1 else small.reduce(3).resize(small.size)
    grey = ImageOps.autocontrast(ImageOps.grayscale(coarse))
    dark, middle, light = (
        _ink(digest[i : i + 3], *range_) for i, range_ in ((0, (0, 80)), (3, (50, 200)), (6, (150, 255)))
    )
    tinted = ImageOps.colorize(grey, dark, light, middle)
    mixed = Image.blend(coarse, tinted, 0.35 + digest[9] / 255 * 0.4)
    relief = mixed.filter(ImageFilter.EMBOSS).convert("L").convert("RGB")
    return Image.blend(ImageOps.posterize(mixed, 5), relief, 0.12).resize(photo.size, Image.Resampling.BICUBIC)


class Job:
    """A painting that takes as long as its effort says, from the moment when the one before it is over."""

    def __init__(self, studio: Studio, number: int, request: dict[str, Any]) -> None:
        self.id, self.studio, self.request = f"job{number}-{studio.mark}", studio, request
        self.begun: float | None = None
        self.over: str = ""
        self.seconds = studio.seconds.get(request.get("effort", "quick"), 1.0)
        self.moment: float | None = None  # when it was over

    @property
    def elapsed(self) -> float:
        return 0.0 if self.begun is None else min(self.seconds, (self.moment or time.monotonic()) - self.begun)

    @property
    def fraction(self) -> float:
        return 1.0 if self.over == "done" else self.elapsed / self.seconds

    def end(self, state: str) -> None:
        self.over, self.moment = state, time.monotonic()

    def picture(self, part: float = 1.0) -> Image.Image:
        photo = self.studio.pictures[self.request["photo"]]
        names = [style.get("name") or style["picture"] for style in self.request["styles"]]
        return painted(photo, "+".join(names) + ("" if part < 1 else self.request.get("effort", "")), part)

    def told(self) -> dict[str, Any]:
        fraction, photo = self.fraction, self.studio.pictures[self.request["photo"]]
        state = self.over or ("waiting" if self.begun is None else "painting")
        index = int(self.elapsed / STEP_SECONDS)
        return {
            "id": self.id,
            "state": state,
            "place": self.studio.place_of(self),
            "fraction": fraction,
            "seconds_left": self.seconds * (1 - fraction),
            "index": index,
            "total": round(self.seconds / STEP_SECONDS),
            "note": self.studio.note,
            "losses": {"style": 9 - 6 * fraction, "content": 2 + fraction}
            if self.request.get("effort") in ("fine", "best")
            else {},
            "preview": index // 2,
            "picture": state == "done" or index > 1,
            "width": photo.width,
            "height": photo.height,
            "error": None,
            "recipe": {"method": "adain", "effort": self.request.get("effort")},
            "request": self.request,
        }


class Studio:
    """What the fake keeps: pictures, jobs, and what it was asked."""

    def __init__(self, slowness: float = 1.0) -> None:
        self.seconds = {effort: seconds * slowness for effort, seconds in EFFORT_SECONDS.items()}
        self.thumbnail_seconds = 0.0
        self.mark = hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:6]
        self.pictures: dict[str, Image.Image] = {}
        self.jobs: list[Job] = []
        self.busy = 0  # how many more requests are answered with 429
        self.note = ""  # what is done now
        self.lost = False  # nothing is answered any more
        self.ahead = 0  # how many jobs of others wait before ours
        self.asked: list[tuple[str, str, Any]] = []
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()

    def add_picture(self, data: bytes) -> tuple[str, Image.Image]:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        name = f"pic{next(self.numbers)}-{self.mark}"
        self.pictures[name] = image.convert("RGB")
        return name, image

    def place_of(self, job: Job) -> int:
        waiting = [each for each in self.jobs if not each.over and each.begun is None]
        others = self.ahead + sum(each.begun is not None and not each.over for each in self.jobs)
        return others + waiting.index(job) if job in waiting else 0

    def step(self) -> None:
        """Let time pass: end what is done, begin what is next."""
        with self.lock:
            for job in self.jobs:
                if not job.over and job.begun is not None and job.fraction >= 1:
                    job.end("done")
            if not self.ahead and not any(job.begun is not None and not job.over for job in self.jobs):
                first = next((job for job in self.jobs if not job.over), None)
                if first is not None:
                    first.begun = time.monotonic()

    def job(self, name: str) -> Job | None:
        self.step()
        return next((job for job in self.jobs if job.id == name), None)


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


def check_query(method: str, path: str, query: list[tuple[str, str]]) -> None:
    """Refuse a parameter of a query that the real route refuses."""
    for endpoint in ENDPOINTS:
        if endpoint.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", endpoint.path), path):
            for name, value in query:
                if name not in endpoint.query:
                    raise Refused(400, f"there is no parameter {name} here")
                try:
                    endpoint.query[name].parse(name, value)
                except Refusal as refusal:
                    raise Refused(refusal.status, refusal.message) from None


class Handler(BaseHTTPRequestHandler):
    """Answers by the table of routes."""

    studio: Studio
    protocol_version = "HTTP/1.1"
    routes: ClassVar[list[tuple[str, re.Pattern[str], Callable[..., Any]]]] = []

    def log_message(self, *args: object) -> None:
        """Print nothing."""

    def answer(self) -> None:
        if self.studio.lost:
            self.close_connection = True
            return
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            check_query(self.command, unquote(address.path), parse_qsl(address.query))
            for method, pattern, work in self.routes:
                if method == self.command and (found := pattern.fullmatch(unquote(address.path))):
                    self.studio.asked.append((method, self.path, body if method == "POST" else None))
                    work(self, *found.groups(), query=query, body=body)
                    return
            raise Refused(404, f"{address.path} is not here; expected a route of the studio")
        except Refused as refused:
            self.send_json({"error": str(refused)}, refused.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = do_DELETE = answer

    def send(self, data: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(data)

    def send_json(self, data: Any, status: int = 200) -> None:
        more = {"Retry_After": "1"} if status == 429 else {}
        self.send(json.dumps(data).encode(), "application/json", status, **more)

    def send_picture(self, image: Image.Image, longest: int = 0, kind: str = "webp", **headers: str) -> None:
        if longest:
            image = image.copy()
            image.thumbnail((longest, longest))
        out = io.BytesIO()
        image.save(out, kind)
        self.send(out.getvalue(), f"image/{kind}", **headers)


def route(method: str, pattern: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function into the table of routes."""

    def put(work: Callable[..., Any]) -> Callable[..., Any]:
        Handler.routes.append((method, re.compile(pattern), work))
        return work

    return put


@route("GET", r"/(?:static/(.+))?")
def static(self: Handler, name: str | None, **_: Any) -> None:
    path = (STATIC / (name or "index.html")).resolve()
    if not path.is_relative_to(STATIC) or not path.is_file():
        raise Refused(404, "no such file")
    self.send(path.read_bytes(), TYPES[path.suffix])


@route("GET", r"/api/(methods|styles|limits|jobs)")
def tables(self: Handler, name: str, **_: Any) -> None:
    self.studio.step()
    gallery = [dict(zip(("name", "title", "artist", "year"), row, strict=True)) for row in GALLERY]
    drawn = [dict(zip(("name", "title"), row, strict=True)) for row in DRAWN]
    efforts = {"gallery": ["draft"], "drawn": list(EFFORT_SECONDS), "picture": list(EFFORT_SECONDS)}
    found = {
        "methods": {"efforts": list(EFFORT_SECONDS), "methods": METHODS, "shared": SHARED},
        "styles": {"gallery": gallery, "drawn": drawn, "efforts": efforts},
        "limits": LIMITS,
        "jobs": [job.told() for job in reversed(self.studio.jobs)],
    }
    self.send_json(found[name])


@route("POST", r"/api/pictures")
def add_picture(self: Handler, *, body: bytes, **_: Any) -> None:
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
    )
    part = next(
        each for each in message.iter_parts() if each.get_param("name", header="content-disposition") == "file"
    )
    try:
        name, image = self.studio.add_picture(part.get_payload(decode=True))
    except OSError:
        raise Refused(
            415, f"{part.get_filename()} is no picture; expected a photo such as JPEG, PNG or HEIC"
        ) from None
    recipe = json.loads(image.info["impasto"]) if "impasto" in image.info else None
    self.send_json(
        {
            "id": name,
            "width": image.width,
            "height": image.height,
            "name": part.get_filename(),
            "recipe": recipe,
            "palette": [],
        }
    )


def find_picture(self: Handler, name: str) -> Image.Image:
    if name not in self.studio.pictures:
        raise Refused(404, "that picture is not here; expected one that was sent in this session: send it again")
    return self.studio.pictures[name]


@route("GET", r"/api/pictures/([\w-]+)")
def picture(self: Handler, name: str, *, query: dict[str, str], **_: Any) -> None:
    self.send_picture(find_picture(self, name), int(query.get("longest", 1024)))


@route("GET", r"/api/pictures/([\w-]+)/thumbnail/(.+)")
def thumbnail(self: Handler, name: str, style: str, *, query: dict[str, str], **_: Any) -> None:
    small = find_picture(self, name).copy()
    small.thumbnail((192, 192))
    time.sleep(self.studio.thumbnail_seconds)
    self.send_picture(painted(small, style))


@route("POST", r"/api/jobs")
def add_job(self: Handler, *, body: bytes, **_: Any) -> None:
    with self.studio.lock:
        if self.studio.busy > 0:
            self.studio.busy -= 1
            raise Refused(429, "the queue is full; expected a free place: try again in a few seconds")
        job = Job(self.studio, next(self.studio.numbers), json.loads(body))
        find_picture(self, job.request["photo"])
        self.studio.jobs.append(job)
    self.studio.step()
    self.send_json({"id": job.id, "place": self.studio.place_of(job)}, 202)


def find_job(self: Handler, name: str) -> Job:
    if (job := self.studio.job(name)) is None:
        raise Refused(404, "that painting is not here; expected one of this session")
    return job


@route("GET", r"/api/jobs/([\w-]+)")
def one_job(self: Handler, name: str, **_: Any) -> None:
    self.send_json(find_job(self, name).told())


@route("GET", r"/api/jobs/([\w-]+)/events")
def events(self: Handler, name: str, **_: Any) -> None:
    job = find_job(self, name)
    self.send_response(200)
    self.send_header("Content-Type", "text/event-stream")
    self.send_header("Connection", "close")
    self.end_headers()
    self.close_connection = True
    while not self.studio.lost:
        self.studio.step()
        told = job.told()
        self.wfile.write(f"event: state\ndata: {json.dumps(told)}\n\n".encode())
        self.wfile.flush()
        if told["state"] in ("done", "stopped", "failed"):
            return
        time.sleep(0.05)


@route("GET", r"/api/jobs/([\w-]+)/preview")
def preview(self: Handler, name: str, **_: Any) -> None:
    self.send_picture(find_job(self, name).picture(0.5), 512)


@route("GET", r"/api/jobs/([\w-]+)/picture")
def painting(self: Handler, name: str, *, query: dict[str, str], **_: Any) -> None:
    image = find_job(self, name).picture()
    if query.get("colour") in ("luminance", "oklab"):
        image = ImageOps.grayscale(image).convert("RGB")
    if "size" in query:
        scale = int(query["size"]) / max(image.size)
        image = image.resize([round(side * scale) for side in image.size])
    kind = query.get("format", "png")
    more = {"Content_Disposition": f'attachment; filename="painting.{kind}"'} if query.get("download") else {}
    self.send_picture(image, int(query.get("longest", 0)), kind, **more)


@route("POST", r"/api/jobs/([\w-]+)/print")
def enlarge(self: Handler, name: str, *, body: bytes, **_: Any) -> None:
    job = Job(self.studio, next(self.studio.numbers), {**find_job(self, name).request, **json.loads(body)})
    self.studio.jobs.append(job)
    self.send_json({"id": job.id, "place": 0}, 202)


@route("DELETE", r"/api/jobs/([\w-]+)")
def stop(self: Handler, name: str, *, query: dict[str, str], **_: Any) -> None:
    job = find_job(self, name)
    if query.get("forget"):
        self.studio.jobs.remove(job)
    elif not job.over:
        job.end("stopped")
    self.send_json(job.told())


def serve(studio: Studio, port: int = 0) -> ThreadingHTTPServer:
    """Serve a studio in a thread; the caller calls ``shutdown``."""
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Fake", (Handler,), {"studio": studio}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


if __name__ == "__main__":
    print(f"http://127.0.0.1:{serve(Studio(slowness=3), 8123).server_port}/")
    threading.Event().wait()
