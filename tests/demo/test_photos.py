import socket

import numpy as np
import pytest

from impasto.demo.photos import PHOTOS, demo_photo
from impasto.errors import RequestError


@pytest.mark.parametrize("name", PHOTOS)
def test_is_there_without_a_network(name, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a demo photograph must not be downloaded")

    monkeypatch.setattr(socket, "socket", refuse)
    photo = demo_photo(name)
    assert photo.mode == "RGB"
    assert PHOTOS[name].endswith(f"{photo.width}×{photo.height}")
    assert np.asarray(photo).std() > 20


def test_unknown_name_offers_near_misses():
    with pytest.raises(RequestError, match="did you mean chelsea"):
        demo_photo("chelsey")
