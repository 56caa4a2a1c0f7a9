"""What each shipped style is worth: how many steps of L-BFGS do no better than its network on the network's loss.

    python -m benchmarks.worth PHOTO [PHOTO ...] --styles DIR --output benchmarks/results/worth.json
    python -m benchmarks.worth PHOTO [PHOTO ...] --styles DIR --begin noise --output worth-noise.json

`--styles` is a folder with the pictures that the styles were learnt from; each file has the name of its style. Layers
and weights of the loss are read from the recipe of the network.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from benchmarks import processes
from benchmarks.shapes import StyleWorth, Worth
from benchmarks.shapes import read as read_results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--names", nargs="+", help="measure only these styles, and replace their results")
    parser.add_argument(
        "--begin",
        choices=("photo", "noise"),
        default="photo",
        help="what L-BFGS begins with; noise as Johnson et al. do",
    )
    parser.add_argument("--most", type=int, default=100, help="steps to stop at")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/worth.json"))
    return parser


def main() -> None:
    parser = _parser()
    options = parser.parse_args()

    import torch

    from benchmarks.machine import describe
    from impasto import bind, make_recipe
    from impasto.api import last
    from impasto.encoders.vgg import VGG
    from impasto.images.geometry import fit
    from impasto.images.read import read
    from impasto.methods.johnson.gallery import gallery
    from impasto.runtime import compute_dtype
    from impasto.training.tasks.johnson_options import JohnsonTraining
    from impasto.training.tasks.johnson_targets import StyleTargets
    from impasto.training.worth import objective, steps_worth
    from impasto.weights.load import load

    device = torch.device("cpu")
    vgg = VGG(load("vgg19"), device=device, dtype=compute_dtype(device, "auto"))
    photos = [fit(read(path).pixels, options.size) for path in options.photos]
    before = read_results(options.output, Worth) if options.output.exists() else None
    if before and (counted := before["begin"]) != options.begin:
        parser.error(f"{options.output} counts from the {counted}, not the {options.begin}; give another --output")
    table: dict[str, StyleWorth] = before["styles"] if before and options.names else {}
    for name, entry in gallery().items():
        if options.names and name not in options.names:
            continue
        recipe = entry.metadata["recipe"]
        settings = JohnsonTraining(**{k: v for k, v in recipe.items() if k in JohnsonTraining.model_fields})
        picture = next(options.styles.glob(f"{entry.credit.name}.*"))
        targets = StyleTargets(vgg, [read(picture).pixels], settings)
        painter = bind(make_recipe("johnson", settings={"net": name, "size": options.size}), device="cpu")
        counts: list[int] = []
        losses: list[float] = []
        for photo in photos:
            loss = objective(vgg, settings, targets, 0, photo)
            painted = last(painter.paint(photo)).image
            begin = photo
            if options.begin == "noise":
                begin = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))
            counts.append(steps_worth(loss, begin, painted, options.most)[0])
            losses.append(float(loss(painted)[0]["total"]))
        table[name] = {"steps": statistics.mean(counts), "counts": counts, "loss": statistics.mean(losses)}
        print(f"{name}: {table[name]['steps']:.1f} steps (loss {table[name]['loss']:.4f})", flush=True)
    result: Worth = {
        "date": processes.today(),
        "machine": describe(),
        "photos": [path.name for path in options.photos],
        "size": options.size,
        "begin": options.begin,
        "styles": table,
    }
    processes.write(options.output, result)
    print(f"mean of {len(table)}: {statistics.mean(row['steps'] for row in table.values()):.1f} steps")


if __name__ == "__main__":
    main()
