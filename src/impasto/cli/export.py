"""``impasto export``: writes a trained network as an ONNX file."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from . import DONE
from .flags import reflow


@reflow
def export(
    net: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    style: Annotated[list[str] | None, Parameter(negative="")] = None,
    whole: Annotated[bool, Parameter(negative="")] = False,
    encoder: str | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Write a trained network as an ONNX file, for programs without PyTorch.

    Its results are compared with PyTorch's before it is written. Its metadata describes its inputs and outputs. This
    needs the extra impasto[onnx].

    Args:
        net: Name of a network that comes with impasto, name of a style in the gallery, or a .safetensors file of
            `impasto train`.
        output: File to write; NET.onnx in the current folder if left out.
        style: Style of a network that knows several, as NAME[:WEIGHT]; several are blended. If left out, the
            weights of all styles are an input of the ONNX network.
        whole: With a decoder of adain: write the encoder and the transform too, so that the ONNX network takes a
            photo and a style picture. If left out, the decoder alone is written, which takes features.
        encoder: With --whole: the encoder, by name or file, if the network was trained against another than vgg19.
        overwrite: Replace an existing file.
        json: Print one JSON object.
    """
    from ..methods.export import ADAIN_KIND, SUFFIX
    from ..methods.export import export as export_net

    done = export_net(
        net,
        output or Path(Path(net).stem + SUFFIX),
        styles=style or (),
        whole=whole,
        encoder=encoder,
        overwrite=overwrite,
    )
    sizes = [f"{width}×{height}" for height, width in done.sizes]
    if json:
        print(
            json_text.dumps(
                {
                    "path": str(done.path),
                    "bytes": done.path.stat().st_size,
                    "inputs": dict(done.inputs),
                    "compared_at": sizes,
                    "largest_difference": done.difference,
                }
            )
        )
        return DONE
    print(done.path)
    print(f"largest difference from PyTorch {done.difference:.1e}, at {', '.join(sizes)} pixels", file=sys.stderr)
    if done.kind == ADAIN_KIND:
        print("this is the decoder alone, which takes features; --whole takes a photo and a style", file=sys.stderr)
    return DONE
