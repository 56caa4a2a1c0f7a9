"""A clip is sent, painted whole by the queue, and taken home; what is no clip is refused."""

import gc
import threading
import time
from pathlib import Path

import pytest

from impasto.studio import clips

pytest.importorskip("av", reason="the extra video is not installed")
pytest.importorskip("cv2", reason="the extra video is not installed")

from .films import SIZE, clip, decoded, gif, sound_alone
from .studios import opened, picture

pytestmark = pytest.mark.usefixtures("tiny_shipped")


def send(api, data, name="cat.mp4"):
    return api.ask("POST", "/api/clips", files={"file": (name, data)})


def sent(api, data=None, name="cat.mp4"):
    answer = send(api, clip() if data is None else data, name)
    assert answer.status_code == 201, answer.text
    return answer.json()


def film(api, photo, **more):
    styles = more.pop("styles", [{"name": "great-wave"}])
    return api.start({"photo": photo, "styles": styles, "film": {}, "size": 48, **more})


def files_of(studio):
    root = studio.studio.folders._root
    return [each for each in root.rglob("*") if each.is_file()] if root is not None and root.exists() else []


def left(studio, expected=0):
    """How many files there are, once it is as many as expected."""
    for _ in range(200):
        if len(files_of(studio)) == expected:
            break
        time.sleep(0.01)
    else:
        gc.collect()
    return len(files_of(studio))


def test_the_first_frame_of_a_clip_is_a_photo(api):
    told = sent(api, clip(12, sound="aac"))
    assert (told["width"], told["height"], told["name"]) == (*SIZE, "cat.mp4")
    assert told["clip"] == {"frames": 12, "seconds": pytest.approx(0.48, abs=0.05), "rate": 25.0, "sound": True}
    assert opened(api.ask("GET", f"/api/pictures/{told['id']}").content).size == SIZE
    thumbnail = api.ask("GET", f"/api/pictures/{told['id']}/thumbnail/great-wave?size=96")
    assert thumbnail.status_code == 200
    still = api.start({"photo": told["id"], "styles": [{"name": "great-wave"}], "size": 48})
    assert api.wait(still)["picture"] is True


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.mov", lambda: clip(5, ".mov")),
        ("a.mkv", lambda: clip(5, ".mkv")),
        ("a.webm", lambda: clip(5, ".webm", codec="libvpx-vp9")),
        ("a.avi", lambda: clip(5, ".avi", codec="mpeg4")),
        ("a.gif", lambda: gif(5)),
        ("no extension", lambda: clip(5)),
    ],
)
def test_kinds_of_clips_are_painted(api, name, make):
    told = sent(api, make(), name)
    assert told["clip"]["frames"] == 5
    job = api.wait(film(api, told["id"]), "done", "failed")
    assert job["state"] == "done" and job["film"]["frames"] == 5, job
    assert decoded(api.ask("GET", f"/api/jobs/{job['id']}/clip").content)[0] == 5


@pytest.mark.parametrize("styles", [[{"name": "great-wave"}], [{"name": "night"}], "picture"], ids=str)
def test_a_clip_is_painted_with_its_sound(open_studio, tmp_path, styles):
    from impasto.video.record import read_film_record

    studio = open_studio()
    api = studio.api
    mask = {"mask": api.send(picture(*SIZE), "mask.png")["id"]}
    if styles == "picture":
        styles = [{"picture": api.send(picture(seed=3), "../starry.png")["id"], **mask}]
    told = sent(api, clip(12, sound="aac"))
    name = film(api, told["id"], styles=styles, settings={"strength": 0.8})
    job = api.wait(name, "done", "failed")
    assert job["state"] == "done", job["error"]
    assert (job["index"], job["fraction"], job["picture"]) == (12, 1.0, False)
    assert job["film"]["frames"] == 12 and job["film"]["sound"] and job["rate"] > 0
    assert opened(api.ask("GET", f"/api/jobs/{name}/preview").content).size == (48, 36)
    answer = api.ask("GET", f"/api/jobs/{name}/clip?download=1")
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-disposition"] == f'attachment; filename="cat.{job["method"]}.mp4"'
    frames, seconds, codecs = decoded(answer.content)
    assert frames == 12 and seconds == pytest.approx(0.48, abs=0.1) and codecs == ["h264", "aac"]
    (tmp_path / "it.mp4").write_bytes(answer.content)
    record = read_film_record(str(tmp_path / "it.mp4"))
    assert record["recipe"]["strength"] == 0.8 and "/" not in str(record["inputs"])
    again = sent(api, answer.content, "painted.mp4")
    assert again["recipe"]["method"] == job["method"] and again["recipe"]["settings"]["strength"] == 0.8
    for each in (told, again):
        api.ask("DELETE", f"/api/pictures/{each['id']}")
    assert left(studio, 1) == 1
    assert api.ask("DELETE", f"/api/jobs/{name}?forget=1").status_code == 204
    assert left(studio) == 0


def test_sound_that_an_mp4_does_not_hold_is_left_out_and_told(api):
    told = sent(api, clip(5, ".mov", sound="pcm_mulaw"), "a.mov")
    job = api.wait(film(api, told["id"]), "done", "failed")
    assert "pcm_mulaw" in job["film"]["problems"][0] and not job["film"]["sound"]


def test_parts_of_a_painted_clip_are_sent(api):
    name = film(api, sent(api)["id"])
    api.wait(name, "done", "failed")
    path = f"/api/jobs/{name}/clip"
    whole = api.ask("GET", path).content
    part = api.ask("GET", path, headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert api.ask("GET", path, headers={"Range": "bytes=-5"}).content == whole[-5:]
    assert api.ask("GET", path, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert api.ask("GET", path, headers={"Range": "apples=1"}).status_code == 400
    assert api.ask("GET", f"/api/jobs/{name}/picture").status_code == 404


def test_nobody_else_has_the_clip(open_studio):
    studio = open_studio()
    told = sent(studio.api)
    name = film(studio.api, told["id"])
    studio.api.wait(name)
    other = studio.other("somebody")
    assert other.ask("GET", f"/api/jobs/{name}/clip").status_code == 404
    body = {"photo": told["id"], "styles": [{"name": "great-wave"}], "film": {}}
    assert other.ask("POST", "/api/jobs", json=body).status_code == 404


@pytest.fixture
def held(monkeypatch):
    """Frames after the fifth wait: `held.set()` lets them go on."""
    from impasto.video.frame_painter import FramePainter

    real, go = FramePainter.paint, threading.Event()
    count = [0]

    def paint(self, frame, motion):
        count[0] += 1
        while count[0] > 5 and not go.is_set() and not self._cancel.is_set():
            time.sleep(0.01)
        return real(self, frame, motion)

    monkeypatch.setattr(FramePainter, "paint", paint)
    return go


def test_stop_keeps_what_is_painted_as_a_film(open_studio, held):
    studio = open_studio()
    api = studio.api
    name = film(api, sent(api, clip(12, sound="aac"))["id"])
    api.until(lambda: api.job(name), lambda job: job["index"] == 5)
    assert api.ask("GET", f"/api/jobs/{name}/clip").status_code == 409
    waiting = film(api, sent(api)["id"])
    assert api.job(waiting)["place"] == 1
    api.ask("DELETE", f"/api/jobs/{waiting}")
    assert api.ask("GET", f"/api/jobs/{waiting}/clip").status_code == 404
    api.ask("DELETE", f"/api/jobs/{name}")
    job = api.wait(name, "stopped")
    assert job["film"]["frames"] == 5
    frames, seconds, codecs = decoded(api.ask("GET", f"/api/jobs/{name}/clip").content)
    assert frames == 5 and seconds == pytest.approx(0.2, abs=0.1) and codecs == ["h264", "aac"]
    assert not [each for each in files_of(studio) if "parts" in str(each)]


def test_a_clip_that_nobody_waits_for_is_stopped_and_its_files_go(open_studio, held):
    studio = open_studio(leave=10.0, result_age=100.0, picture_age=100.0)
    name = film(studio.api, sent(studio.api)["id"])
    studio.api.until(lambda: studio.api.job(name), lambda job: job["index"] == 5)
    studio.clock.now += 60
    studio.studio.sweep()
    assert studio.api.wait(name, "stopped")["film"]["frames"] == 5
    studio.clock.now += 200
    studio.studio.sweep()
    assert left(studio) == 0


def test_a_full_disk_is_told_and_ends_the_clip(open_studio, monkeypatch):
    from impasto.studio import films

    studio = open_studio()
    monkeypatch.setattr(films, "_DISK_EVERY", 3)
    photo = sent(studio.api)["id"]
    monkeypatch.setattr(studio.studio.folders, "has_room", lambda: False)
    assert "disk" in send(studio.api, clip()).json()["error"]
    job = studio.api.wait(film(studio.api, photo), "failed")
    assert "disk" in job["error"]
    rooms = iter([True])
    monkeypatch.setattr(studio.studio.folders, "has_room", lambda: next(rooms, False))
    job = studio.api.wait(film(studio.api, photo), "stopped")
    assert job["film"]["frames"] == 3 and "disk" in job["film"]["problems"][0]


def large_frames() -> bytes:
    return clip(1, size=(256, 256))


@pytest.mark.parametrize(
    ("make", "limits", "status", "word"),
    [
        (lambda: b"", {}, 422, "0 bytes"),
        (lambda: b"x" * 5000, {}, 415, "not a clip"),
        (lambda: picture(), {}, 415, "not a clip"),
        (lambda: b"ffconcat version 1.0\nfile other.mp4\n", {}, 415, "not a clip"),
        (lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:1/a.ts\n", {}, 415, "not a clip"),
        (lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n", {}, 415, "not a clip"),
        (sound_alone, {}, 415, "no picture track"),
        (large_frames, {"clip_pixels": 10_000}, 413, "256×256"),
        (lambda: clip(12), {"clip_frames": 10}, 413, "more than 10 frames"),
        (lambda: clip(12), {"clip_bytes": 1000}, 413, "MB"),
        (lambda: clip(12)[:400], {}, 415, "not a clip"),
    ],
    ids=[
        "empty",
        "noise",
        "picture",
        "concat",
        "playlist",
        "stream",
        "sound",
        "large",
        "long",
        "heavy",
        "cut before its index",
    ],
)
def test_what_is_no_clip_to_paint_is_refused_and_nothing_is_left(open_studio, make, limits, status, word):
    studio = open_studio(**limits)
    answer = send(studio.api, make())
    assert answer.status_code == status and word in answer.json()["error"], answer.text
    assert "/" not in answer.json()["error"].replace("FFmpeg/", "")
    assert len(studio.studio.pictures) == 0 and left(studio) == 0 and studio.studio.clip_uploads == 0


def test_a_clip_that_was_cut_short_is_painted_up_to_there(api):
    whole = clip(40, ".mkv")
    told = sent(api, whole[: len(whole) // 2], "a.mkv")
    job = api.wait(film(api, told["id"]), "done", "failed")
    assert job["state"] == "done" and 1 < job["film"]["frames"] < 40


@pytest.mark.parametrize("name", ["../../etc/passwd.mp4", "a/b\\c.mp4", "%05d.mp4", "x\0.mp4", "", ".mp4", "-" * 300])
def test_names_of_clips_lead_nowhere(open_studio, name):
    studio = open_studio()
    answer = send(studio.api, clip(3), name or "a")
    assert answer.status_code == 201
    root = studio.studio.folders._root
    assert all(Path(each).resolve().is_relative_to(root.resolve()) for each in files_of(studio))
    job = studio.api.wait(film(studio.api, answer.json()["id"]), "done", "failed")
    assert job["state"] == "done", job["error"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"film": {"steady": 2}}, "steady"),
        ({"film": {"steady": float("inf")}}, ""),
        ({"film": {"nonsense": 1}}, "nonsense"),
        ({"print": "A4", "size": None}, "print"),
        ({"settings": {"print": "A4"}}, "print"),
        ({"start": {"job": "x"}}, ""),
        ({"size": 2000}, "1024"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_clips_have_not_is_refused(api, more, word):
    request = {"photo": sent(api)["id"], "styles": [{"name": "great-wave"}], "film": {}, "size": 48, **more}
    if "inf" in str(more):
        answer = api.ask(
            "POST", "/api/jobs", content=str(request).replace("'", '"').replace("inf", "1e999"),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
    else:
        answer = api.ask("POST", "/api/jobs", json=request)
    assert answer.status_code in (400, 404, 422) and word in answer.json()["error"]


def test_a_picture_is_no_clip(api):
    body = {"photo": api.photo(), "styles": [{"name": "great-wave"}], "film": {}}
    answer = api.ask("POST", "/api/jobs", json=body)
    assert answer.status_code == 422 and "/api/clips" in answer.json()["error"]


def test_only_so_many_clips_are_sent_at_a_time(open_studio):
    studio = open_studio(clip_uploads=2)
    studio.studio.clip_uploads = 2
    answer = send(studio.api, clip())
    assert answer.status_code == 429 and answer.headers["retry-after"]


def test_without_the_extra_the_install_is_named(open_studio, monkeypatch):
    studio = open_studio()
    find = clips.__dict__["is_possible"]
    assert find() is True
    from impasto import video

    def missing(name, *rest):
        return None if name in ("av", "cv2") else object()

    monkeypatch.setattr(video.importlib.util, "find_spec", missing)
    assert "impasto[video]" in send(studio.api, b"x" * 50).json()["error"]
    assert studio.api.ask("GET", "/api/limits").json()["clips"]["installed"] is False


def test_closing_the_studio_removes_the_files(open_studio):
    studio = open_studio()
    sent(studio.api)
    root = studio.studio.folders._root
    assert root.exists()
    studio.studio.close()
    assert not root.exists()


def test_a_program_paints_clips_and_frames(run_studio):
    client = run_studio().client()
    assert client.send_clip(clip(5))["clip"]["frames"] == 5
    assert decoded(client.paint_clip(clip(5), "great-wave", steady=0.5, size=48))[0] == 5
    assert opened(client.paint_live(picture(format="JPEG"), "great-wave", size=96)).width > 0
