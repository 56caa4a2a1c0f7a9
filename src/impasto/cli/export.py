"""``impasto export``: a trained net as an ONNX file."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .status import DONE


def export(
    net: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    style: Annotated[list[str] | None, Parameter(negative="")] = None,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Write a trained net as ONNX, for programs without PyTorch; compared with PyTorch before it is written.

    Its metadata says what goes in and comes out. Needs the extra impasto[onnx].

    Args:
        net: A shipped net's name, a style of the gallery, or a .safetensors file made by `impasto train`.
        output: File to write; NET.onnx in the current folder where left out.
        style: Style of a per-style net, as NAME[:WEIGHT]; of several, the blend. Without, weights are an input.
        overwrite: Replace the file if it exists.
        json: One JSON object on standard output.
    """
    from ..methods.export import SUFFIX
    from ..methods.export import export as export_net

    done = export_net(net, output or Path(Path(net).stem + SUFFIX), styles=style or (), overwrite=overwrite)
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
    return DONE
