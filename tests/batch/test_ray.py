"""A Ray cluster paints what one machine paints, also when it loses a node; from and to object storage.

These need the extra ``ray`` and moto: ``pip install '.[ray]' 'moto[server]'``.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import impasto
from impasto.batch import storage
from impasto.batch.names import Pattern
from impasto.batch.plan import Request
from impasto.batch.rows import Report, Stop
from impasto.batch.ways import Maker

from .conftest import files, picture

pytestmark = pytest.mark.slow

ray = pytest.importorskip("ray", reason="the extra ray is not installed")


@pytest.fixture
def recipe(tiny_nets: dict[str, Path], photos: Path) -> impasto.Recipe:
    net = str(tiny_nets["johnson"])
    return impasto.make_recipe("johnson", settings={"net": net, "size": 64, "precision": "exact"})


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes on this machine, one CPU each."""
    from ray.cluster_utils import Cluster

    source = str(Path(impasto.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, *filter(None, sys.path)]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


def batch(cluster: Any, recipe: impasto.Recipe, *inputs: str, out: str = "out", begun: Any = None) -> Report:
    from impasto.batch.ray import RayBatch

    request = Request(
        inputs=inputs,
        out=out if storage.is_remote(out) else Path(out),
        maker=Maker(method=recipe.method, base=recipe),
        pattern=Pattern("{photo}.{ext}", "png"),
    )
    with RayBatch(request, "cpu", cluster.address) as made:
        for number, _ in enumerate(made.paint(made.plan(), Stop()), 1):
            if begun is not None:
                begun(number)
    return made.report


def alone(recipe: impasto.Recipe, photo: Path) -> Any:
    """The pixels of a painting made by one thread in this process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return np.asarray(impasto.bind(recipe, device="cpu").paint(photo).done().to_pil())
    finally:
        torch.set_num_threads(threads)


def test_a_node_lost_midway_loses_nothing(cluster: Any, recipe: impasto.Recipe) -> None:
    made = [picture(Path(f"many/{number:03}.png"), number, (60, 40)) for number in range(200)]
    lost = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    killed: list[float] = []

    def kill(number: int) -> None:
        if number == 60:
            threading.Thread(target=lambda: cluster.remove_node(lost, allow_graceful=False)).start()
            killed.append(time.monotonic())

    report = batch(cluster, recipe, "many", begun=kill)
    assert killed
    assert sorted(row.photo for row in report.rows) == [str(path) for path in made]
    assert {row.status for row in report.rows} <= {"painted", "skipped"}
    assert files() == {f"{number:03}.png" for number in range(200)}
    for path in made[::20]:
        with Image.open(Path("out") / path.name) as image:
            assert np.array_equal(np.asarray(image), alone(recipe, path))
    again = batch(cluster, recipe, "many")
    assert again.count("skipped") == 200


def test_errors_are_rows_of_a_cluster_too(cluster: Any, recipe: impasto.Recipe, photos: Path) -> None:
    data = picture(photos / "cut.png", 8, (90, 80)).read_bytes()
    (photos / "cut.png").write_bytes(data[: len(data) // 2])
    report = batch(cluster, recipe, "photos")
    assert (report.count("painted"), report.count("failed")) == (3, 1)
    assert "damaged or cut short" in (report.failed[0].error or "")


def test_a_network_that_is_gone_is_an_error_of_each_row(cluster: Any, recipe: impasto.Recipe, photos: Path) -> None:
    options = recipe.options.model_copy(
        update={"net": (recipe.options.known_styles[0].model_copy(update={"name": "/no.safetensors"}),)}
    )
    report = batch(cluster, recipe.model_copy(update={"options": options}), "photos/one.jpg")
    assert "no.safetensors" in (report.failed[0].error or "")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket on a server that behaves as S3."""
    pytest.importorskip("s3fs", reason="the extra ray is not installed")
    server = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()  # it knows another server
    fsspec.filesystem("s3").makedirs("bucket", exist_ok=True)
    yield "s3://bucket"
    server.stop()


def test_from_and_to_object_storage(bucket: str, cluster: Any, recipe: impasto.Recipe, photos: Path) -> None:
    import fsspec

    system = fsspec.filesystem("s3")
    system.put(str(photos), "bucket/in", recursive=True)
    system.pipe_file("bucket/in/bad.jpg", b"<html>")
    first = batch(cluster, recipe, f"{bucket}/in", out=f"{bucket}/out")
    assert (first.count("painted"), first.count("failed")) == (3, 1)
    assert "a web page" in (first.failed[0].error or "")
    names = {f"{bucket}/out/{name}" for name in ("one.png", "two.png", "sub/three.png")}
    assert {row.output for row in first.rows if row.status == "painted"} == names
    data = storage.load(f"{bucket}/out/two.png")
    Path("two.png").write_bytes(data)
    with Image.open("two.png") as image:
        assert np.array_equal(np.asarray(image), alone(recipe, photos / "two.png"))
    second = batch(cluster, recipe, f"{bucket}/in", out=f"{bucket}/out")
    assert (second.count("skipped"), second.count("failed")) == (3, 1)


def test_missing_credentials_are_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(impasto.RequestError, match="credentials"):
        list(storage.files_below(f"{bucket}/in"))
