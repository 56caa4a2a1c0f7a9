"""The studio: its start, thumbnails of every style on a photo, and many requests at once with the memory they take.

    python -m benchmarks.studio --output benchmarks/results/studio.json

The start is timed from the command to the first answer. Thumbnails and load are measured in processes of their own,
which serve a studio on a port and are its clients too. Each request of the load has a photo of its own; the painting
is right if it resembles that photo more than any other. Memory is compared with that after a first round, once what
was sent and painted has been forgotten by age.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import processes
from benchmarks.shapes import Studio, StudioLoad, StudioThumbnails

if TYPE_CHECKING:
    from impasto.studio import Client

AT_ONCE = 3  # thumbnails that the page asks for at a time
SIDE = 192  # pixels of a thumbnail
STYLES = ("great-wave", "the-scream", "red-fuji", "water-lilies")  # of the load
WAITING = 5  # jobs that may wait during the load, so that some of 8 clients find it busy
LOOK = 12  # pixels a side at which paintings are compared with photos


@contextlib.contextmanager
def serving(**limits: Any) -> Generator[str]:
    """Serve a studio in this process; yield its address."""
    from impasto.studio.limits import Limits
    from impasto.studio.serve import Settings, StudioServer

    begun = threading.Event()
    server = StudioServer(Settings(port=0, device="cpu", limits=Limits(**limits)), lambda _: begun.set())
    thread = threading.Thread(target=server.run)
    thread.start()
    begun.wait()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()


def make_photo(width: int, height: int, seed: int = 0) -> bytes:
    """Make a photo of large soft patches, which resembles that of no other seed."""
    import numpy as np
    from PIL import Image

    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(out, "JPEG", quality=92)
    return out.getvalue()


def look_of(data: bytes) -> Any:
    """Return the light and dark of a picture at a very small size, as a vector of mean 0 and length 1."""
    import numpy as np
    from PIL import Image

    values = np.asarray(Image.open(io.BytesIO(data)).convert("L").resize((LOOK, LOOK)), np.float64).ravel()
    values -= values.mean()
    return values / (np.linalg.norm(values) or 1.0)


def first_answer(command: Sequence[str]) -> float:
    """Start the studio by a command, and return the seconds until it answers."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            address = next(word for word in running.stdout.readline().split() if word.startswith("http"))
            with urllib.request.urlopen(address.partition("?")[0] + "health") as answer:
                answer.read()
            return time.perf_counter() - started
        finally:
            running.terminate()


def all_thumbnails(client: Client, photo: bytes) -> float:
    """Send a photo and ask for the thumbnail of every style, as the page does; return the seconds."""
    started = time.perf_counter()
    sent = client.send(photo)["id"]
    found = client.styles()
    names = [style["name"] for kind in ("gallery", "drawn") for style in found[kind]]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(client.thumbnail, sent, size=SIDE), names))
    return time.perf_counter() - started


def thumbnails(request: dict[str, Any]) -> StudioThumbnails:
    """Time the thumbnails in this process. It should be fresh, so that the first are cold."""
    from impasto.studio import Client

    width, height = request["photo"]
    photo = make_photo(width, height)
    with serving() as address:
        client = Client(address)
        with contextlib.suppress(urllib.error.HTTPError):  # the page sets a cookie, and asks without it are refused
            urllib.request.urlopen(address)
        cold = all_thumbnails(client, photo)
        time.sleep(1.0)
        warm = median(all_thumbnails(client, photo) for _ in range(3))
        other = Client(address)
        job = other.start(photo, "night", effort="best", size=request["large"], keep=True)
        while other.job(job)["state"] == "waiting" or other.job(job)["fraction"] < 0.01:
            time.sleep(0.1)
        busy = median(all_thumbnails(client, photo) for _ in range(3))
        other.stop(job)
        found = client.styles()
    return {
        "photo": (width, height),
        "styles": len(found["gallery"]) + len(found["drawn"]),
        "cold": cold,
        "warm": warm,
        "busy": busy,
    }


def load(request: dict[str, Any]) -> StudioLoad:
    """Ask for many paintings at once in this process."""
    import numpy as np

    count, clients, forget = request["requests"], request["clients"], request["forget"]
    photos = [make_photo(320, 240, seed) for seed in range(count)]
    looks = np.array([look_of(photo) for photo in photos])
    ages = {"picture_age": forget, "result_age": forget, "session_age": forget, "sweep": forget / 10}
    with serving(queue=WAITING, **ages) as address, _Memory() as memory:
        _ask(address, photos[:clients], clients, looks)
        before = memory.settled(1.3 * forget)
        memory.peak = before
        started = time.perf_counter()
        answers = _ask(address, photos, clients, looks)
        seconds = time.perf_counter() - started
        peak, after = memory.peak, memory.settled(1.3 * forget)
    return {
        "requests": count,
        "clients": clients,
        "right": answers.count("right"),
        "busy": answers.count("busy"),
        "wrong": answers.count("wrong"),
        "seconds": seconds,
        "memory_before_mb": before,
        "memory_peak_mb": peak,
        "memory_after_mb": after,
    }


def _ask(address: str, photos: Sequence[bytes], clients: int, looks: Any) -> list[str]:
    """Ask for a painting of each photo; return for each whether it was right, busy or wrong."""
    from impasto.studio import Client
    from impasto.studio.client import StudioError

    def ask(number: int) -> str:
        client = Client(address, session=f"client {number % clients}")
        try:
            job = client.start(photos[number], STYLES[number % len(STYLES)], size=256)
            client.wait(job)
            made = client.picture(job, format="jpeg")
        except StudioError as error:
            if error.status in (429, 503):
                time.sleep(0.05)  # a person would wait longer
                return "busy"
            raise
        return "right" if int((looks @ look_of(made)).argmax()) == number else "wrong"

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(ask, range(len(photos))))


class _Memory:
    """Watches the resident memory of this process, in MB."""

    def __init__(self) -> None:
        import psutil

        self._process, self._done, self.peak = psutil.Process(), threading.Event(), 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def now(self) -> float:
        return self._process.memory_info().rss / 1e6

    def settled(self, seconds: float) -> float:
        """Return what is left after a while."""
        time.sleep(seconds)
        gc.collect()
        return self.now()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.peak = max(self.peak, self.now())

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def work(arguments: Sequence[str]) -> StudioThumbnails | StudioLoad:
    """Measure in this process. The arguments are ``thumbnails`` or ``load``, and its request as JSON."""
    part, request = arguments
    return {"thumbnails": thumbnails, "load": load}[part](json.loads(request))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/studio.json"))
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--photo", default="4000x3000", help="pixels of the photo that thumbnails are painted of")
    parser.add_argument("--large", type=int, default=2048, help="pixels of the large painting beside thumbnails")
    parser.add_argument("--forget", type=float, default=5.0, help="seconds after which the studio forgets")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker)))
        return
    from benchmarks.machine import describe

    command = [sys.executable, "-m", "impasto", "studio", "--no-browser", "--port", "0"]
    first_answer(command)  # files are read from the disk once
    photo = [int(each) for each in options.photo.split("x")]
    asked = {"requests": options.requests, "clients": options.clients, "forget": options.forget}
    result: Studio = {
        "command": processes.command_line("studio"),
        "date": processes.today(),
        "machine": describe(),
        "first_answer_seconds": median(first_answer(command) for _ in range(3)),
        "thumbnails": processes.measure("studio", "thumbnails", {"photo": photo, "large": options.large}),
        "load": processes.measure("studio", "load", asked),
    }
    processes.write(options.output, result)
    print(json.dumps({name: result[name] for name in ("first_answer_seconds", "thumbnails", "load")}, indent=1))
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
