"""Frames of a camera are painted one by one."""

import threading

import pytest

from impasto.studio.live import Painted

from .studios import opened, picture

pytestmark = pytest.mark.usefixtures("tiny_shipped")

JPEG = {"Content-Type": "image/jpeg"}


def frame(seed=0, size=(64, 48)):
    return picture(*size, seed=seed, format="JPEG")


def paint(api, data=None, style="great-wave", size=96, headers=JPEG):
    content = frame() if data is None else data
    return api.ask("POST", f"/api/live?style={style}&size={size}", content=content, headers=headers)


@pytest.mark.parametrize("style", ["great-wave", "night", "picture:"])
def test_a_frame_is_painted_in_any_style(api, style):
    style += api.photo(seed=4) if style.endswith(":") else ""
    answers = [paint(api, frame(seed), style) for seed in (1, 2)]
    for answer in answers:
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg", answer.text
        assert opened(answer.content).width > opened(answer.content).height
        assert int(answer.headers["x-painted-ms"]) >= 0 and answer.headers["x-others"] == "0"
    assert answers[0].content != answers[1].content


@pytest.mark.parametrize(
    ("data", "headers", "query", "status", "word"),
    [
        (b"nonsense", JPEG, "style=great-wave", 415, "frame"),
        (frame()[:200], JPEG, "style=great-wave", 422, "damaged"),
        (frame(), {"Content-Type": "text/plain"}, "style=great-wave", 415, "image/jpeg"),
        (frame(), JPEG, "style=nonsense", 404, "nonsense"),
        (frame(), JPEG, "style=picture:x", 404, "picture"),
        (frame(), JPEG, "", 422, "style"),
        (frame(), JPEG, "style=great-wave&size=4000", 422, "size"),
        (frame(size=(900, 900)), JPEG, "style=great-wave", 413, "900×900"),
        (b"x" * 300_000, JPEG, "style=great-wave", 413, "MB"),
    ],
    ids=["noise", "cut", "kind", "style", "picture", "no style", "size", "pixels", "bytes"],
)
def test_what_is_no_frame_is_refused_and_the_next_one_painted(api, data, headers, query, status, word):
    answer = api.ask("POST", f"/api/live?{query}", content=data, headers=headers)
    assert answer.status_code == status and word in answer.json()["error"], answer.text
    assert paint(api).status_code == 200


def test_only_so_many_paint_live_until_one_leaves(open_studio):
    studio = open_studio(live=2, live_idle=5.0)
    ann, ben, cat = (studio.other(name) for name in ("ann", "ben", "cat"))
    assert paint(ann).status_code == paint(ben).status_code == 200
    refused = paint(cat)
    assert refused.status_code == 429 and "2 people" in refused.json()["error"] and refused.headers["retry-after"]
    assert ben.ask("DELETE", "/api/live").status_code == 204
    assert paint(cat).status_code == 200
    assert paint(ben).status_code == 429
    studio.clock.now += 6
    assert paint(ben).status_code == 200


def test_one_frame_of_a_session_at_a_time(open_studio, monkeypatch):
    studio = open_studio()
    go, begun = threading.Event(), threading.Event()
    real = studio.studio.live.paint

    def held(*arguments):
        begun.set()
        assert go.wait(20)
        return real(*arguments)

    monkeypatch.setattr(studio.studio.live, "paint", held)
    answers = []
    first = threading.Thread(target=lambda: answers.append(paint(studio.api)))
    first.start()
    assert begun.wait(20)
    assert "one frame at a time" in paint(studio.api).json()["error"]
    go.set()
    first.join(20)
    assert answers[0].status_code == 200


def test_live_painting_rests_and_says_so_while_others_paint(open_studio):
    studio = open_studio()
    live = studio.studio.live
    assert live.rest_after(Painted(b"", 0.5, 0)) == 0
    other = studio.other("somebody")
    job = other.start(other.slow(keep=True))
    other.wait(job, "painting")
    answer = paint(studio.api)
    assert answer.status_code == 200 and answer.headers["x-others"] == "1"
    assert paint(other).headers["x-others"] == "0"
    assert live.rest_after(Painted(b"", 0.5, 1)) == 0.5
    other.ask("DELETE", f"/api/jobs/{job}")
