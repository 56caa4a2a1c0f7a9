"""Jobs wait in turn, are stopped, are left, and are forgotten."""

import threading

import pytest

from impasto.studio.refusals import Refusal
from impasto.studio.shelf import Shelf

from .studios import TOKEN, Clock, opened, picture

pytestmark = pytest.mark.usefixtures("tiny_shipped")


def test_one_is_painted_and_the_others_wait_in_their_place(open_studio):
    studio = open_studio()
    first, second, third = (studio.other(name) for name in "abc")
    painting = first.start(first.slow(keep=True))
    first.wait(painting, "painting")
    waiting, last = second.start(second.request()), third.start(third.request())
    assert second.job(waiting)["state"] == "waiting" and second.job(waiting)["place"] == 1
    assert third.job(last)["place"] == 2
    assert second.ask("DELETE", f"/api/jobs/{waiting}").json()["state"] == "stopped"
    assert third.job(last)["place"] == 1
    assert second.ask("GET", f"/api/jobs/{waiting}/picture").status_code == 404
    first.ask("DELETE", f"/api/jobs/{painting}")
    assert third.wait(last)["place"] == 0


def test_stop_keeps_the_picture(open_studio):
    api = open_studio().api
    job = api.start(api.slow())
    seen = api.until(lambda: api.job(job), lambda each: each["preview"] >= 2)
    assert seen["total"] == 100_000 and seen["losses"]["total"] > 0 and seen["fraction"] < 1
    assert api.ask("GET", f"/api/jobs/{job}/picture").status_code == 409
    shown = api.ask("GET", f"/api/jobs/{job}/preview?n={seen['preview']}")
    assert max(opened(shown.content).size) == 32
    api.ask("DELETE", f"/api/jobs/{job}")
    stopped = api.wait(job, "stopped")
    assert stopped["picture"] and stopped["recipe"]["method"] == "gatys"
    kept = api.ask("GET", f"/api/jobs/{job}/picture")
    assert opened(kept.content).size == (32, 24)
    assert '"stopped":"interrupted"' in kept.content.decode("latin-1")
    continued = api.start({**api.request(), "start": {"job": job}})
    assert api.wait(continued)["state"] == "done"
    assert api.ask("DELETE", f"/api/jobs/{job}?forget=1").status_code == 204
    assert api.ask("GET", f"/api/jobs/{job}").status_code == 404


def test_a_job_without_a_painting_can_t_be_continued(open_studio):
    api = open_studio().api
    busy = api.start(api.slow())
    waiting = api.start(api.request())
    assert api.ask("POST", f"/api/jobs/{waiting}/print", json={"size": 96}).status_code == 409
    assert api.ask("POST", "/api/jobs", json={**api.request(), "start": {"job": waiting}}).status_code == 409
    api.ask("DELETE", f"/api/jobs/{busy}?forget=1")


@pytest.mark.parametrize("wanted", [{}, {"size": 96, "print": "3x3cm"}, {"size": 4}, {"print": "3x3cm", "dpi": 1}])
def test_wrong_prints_are_explained(open_studio, wanted):
    api = open_studio().api
    job = api.start(api.request())
    api.wait(job)
    answer = api.ask("POST", f"/api/jobs/{job}/print", json=wanted)
    assert answer.status_code == 422 and answer.json()["error"]
    larger = api.ask("GET", f"/api/jobs/{job}/picture?size=96")
    assert larger.status_code == 422 and "print" in larger.json()["error"]


def test_a_full_queue_says_so(open_studio):
    studio = open_studio(queue=2, own_queue=2)
    me, you = studio.other("me"), studio.other("you")
    painting = me.start(me.slow(keep=True))
    me.wait(painting, "painting")
    me.start(me.request())
    answer = me.ask("POST", "/api/jobs", json=me.request())
    assert answer.status_code == 429 and "your jobs" in answer.json()["error"]
    you.start(you.request())
    answer = you.ask("POST", "/api/jobs", json=you.request())
    assert answer.status_code == 429 and "2 jobs wait" in answer.json()["error"]
    paint = you.ask("POST", "/api/paint", files={"photo": picture()}, data={"style": "great-wave"})
    assert paint.status_code == 429
    assert len(you.ask("GET", "/api/jobs").json()) == 1


def test_a_failed_job_says_why_without_a_path(open_studio, monkeypatch):
    studio = open_studio()

    def fail(*_, **__):
        from impasto.errors import WeightsError

        raise WeightsError("there is no file /home/ann/nets/vgg19.pth; expected a network")

    monkeypatch.setattr("impasto.session.session.Session.paint", fail)
    job = studio.api.start(studio.api.request())
    assert studio.api.wait(job, "failed")["error"] == "there is no file vgg19.pth; expected a network"
    assert studio.api.ask("GET", f"/api/jobs/{job}/picture").status_code == 404


def test_a_job_that_breaks_does_not_end_the_queue(open_studio, monkeypatch):
    api = open_studio().api
    monkeypatch.setattr("impasto.studio.jobs.Result.of", lambda *_: 1 / 0)
    broken = api.start(api.request())
    assert "log" in api.wait(broken, "failed")["error"]
    monkeypatch.undo()
    other = api.start(api.request())
    api.wait(other, "done", "failed")


def test_leaving_ends_a_job_unless_it_is_to_be_kept(open_studio):
    studio = open_studio(leave=60.0)
    api, keeper = studio.api, studio.other("keeper")
    kept = keeper.start(keeper.slow(keep=True))
    left = api.start(api.slow())
    studio.studio.sweep()
    assert api.job(left)["state"] == "waiting"
    studio.clock.now += 61
    studio.studio.sweep()
    assert api.job(left)["state"] == "stopped"
    assert keeper.job(kept)["state"] == "painting"
    keeper.ask("DELETE", f"/api/jobs/{kept}")


def test_whoever_watches_has_not_left(open_studio):
    studio = open_studio(leave=60.0)
    session = studio.studio.visitors.by_name("")
    with studio.studio.visitors.stream(session):
        studio.clock.now += 3600
        assert not studio.studio.visitors.has_left(session)
    assert not studio.studio.visitors.has_left(session)
    studio.clock.now += 61
    assert studio.studio.visitors.has_left(session)


def test_what_is_old_is_forgotten(open_studio):
    studio = open_studio(picture_age=100.0, result_age=200.0, session_age=300.0)
    api = studio.api
    photo, job = api.photo(), api.start(api.request())
    api.wait(job)
    studio.clock.now += 90
    assert api.ask("GET", f"/api/pictures/{photo}").status_code == 200  # used again
    for seconds, pictures, jobs, sessions in [(90, 1, 1, 1), (20, 0, 1, 1), (100, 0, 0, 1), (300, 0, 0, 0)]:
        studio.clock.now += seconds
        studio.studio.sweep()
        found = len(studio.studio.pictures), len(studio.studio.jobs), len(studio.studio.visitors._known)
        assert found == (pictures, jobs, sessions)


def test_a_painting_ends_when_its_time_is_over(open_studio):
    api = open_studio(job_time=0.0).api
    assert api.wait(api.start(api.slow()), "stopped")["error"] is None


def test_too_many_sessions_are_refused(open_studio):
    studio = open_studio(sessions=3)
    for number in range(3):
        assert studio.other(str(number)).ask("GET", "/api/jobs").status_code == 200
    answer = studio.other("3").ask("GET", "/api/jobs")
    assert answer.status_code == 503 and "sessions" in answer.json()["error"]
    studio.clock.now += 10**6
    assert studio.other("3").ask("GET", "/api/jobs").status_code == 200


@pytest.mark.parametrize("name", ["x" * 101, "a\tb"])
def test_names_of_sessions_are_bounded(open_studio, name):
    assert open_studio().other(name).ask("GET", "/api/jobs").status_code == 400


def test_thumbnails_come_while_something_large_is_painted(open_studio):
    studio = open_studio()
    api = studio.api
    job = api.start(api.slow())
    api.until(lambda: api.job(job), lambda each: each["preview"] >= 1)
    answer = studio.other("you").ask("GET", f"/api/pictures/{studio.other('you').photo()}/thumbnail/great-wave")
    assert answer.status_code == 200 and api.job(job)["state"] == "painting"
    before = api.job(job)["index"]
    api.until(lambda: api.job(job), lambda each: each["index"] > before)
    api.ask("DELETE", f"/api/jobs/{job}")


def test_thumbnails_that_wait_are_bounded_and_shared(open_studio, monkeypatch):
    studio = open_studio(thumbnails=2)
    gate, made = threading.Event(), []
    real = studio.studio.thumbnails._make

    def wait(photo, style, *rest):
        gate.wait(10)
        made.append(style)
        return real(photo, style, *rest)

    monkeypatch.setattr(studio.studio.thumbnails, "_make", wait)
    photo = studio.studio.pictures.get("api ", studio.api.photo())
    ask = studio.studio.thumbnails.ask
    first = ask(photo, "great-wave", 96, lambda _: photo)
    assert ask(photo, "great-wave", 96, lambda _: photo) is first
    second = ask(photo, "the-scream", 96, lambda _: photo)
    with pytest.raises(Refusal) as refused:
        ask(photo, "starry-night", 96, lambda _: photo)
    assert refused.value.status == 429 and refused.value.headers["Retry-After"]
    gate.set()
    assert first.result().data != second.result().data and len(made) == 2


def test_a_large_painting_pauses_once_for_all_thumbnails_that_wait(open_studio, monkeypatch):
    from impasto.session.turns import TURNS

    studio, gate, turns = open_studio(), threading.Event(), []
    photo = studio.studio.pictures.get("api ", studio.api.photo())
    job = studio.api.start(studio.api.slow())
    studio.api.wait(job, "painting")
    real, end = studio.studio.thumbnails._make, TURNS.end

    def make(*arguments):
        gate.wait(10)
        turns.append("thumbnail")
        return real(*arguments)

    monkeypatch.setattr(studio.studio.thumbnails, "_make", make)
    monkeypatch.setattr(TURNS, "end", lambda turn: (turns.append(turn.priority), end(turn)))
    asked = [
        studio.studio.thumbnails.ask(photo, style, 96, lambda _: photo)
        for style in ("great-wave", "the-scream", "red-fuji")
    ]
    before = studio.api.job(job)["index"]
    gate.set()
    assert all(each.result(10).data for each in asked)
    studio.api.until(lambda: studio.api.job(job), lambda each: each["index"] > before)
    # Each painting of a thumbnail ends a turn, within the one that ends last.
    assert turns == ["thumbnail", 1, "thumbnail", 1, "thumbnail", 1, 1]
    studio.api.ask("DELETE", f"/api/jobs/{job}")


def test_networks_are_loaded_ahead_and_what_is_asked_for_comes_between(open_studio, monkeypatch):
    from impasto.studio import thumbnails

    studio, order, gate = open_studio(eager=True), [], threading.Event()
    real = thumbnails.small_recipe

    def note(style, longest, source):
        gate.wait(10)
        order.append((style, longest))
        return real(style, longest, source)

    monkeypatch.setattr(thumbnails, "small_recipe", note)
    assert studio.client.get(f"/?token={TOKEN}").status_code == 303
    assert studio.client.get("/").status_code == 200 and studio.client.get("/").status_code == 200
    photo = studio.studio.pictures.get("api ", studio.api.photo())
    asked = studio.studio.thumbnails.ask(photo, "the-scream", 96, lambda _: photo)
    gate.set()
    assert asked.result().data
    studio.api.until(lambda: list(order), lambda seen: len(seen) == 7)
    assert order[1] == ("the-scream", 96) and [longest for _, longest in order].count(192) == 6


def test_the_nets_of_the_gallery_are_loaded_once(open_studio, monkeypatch):
    from impasto.nets import files

    api, loaded = open_studio(fresh=True).api, []
    real = files.load_net
    monkeypatch.setattr(files, "load_net", lambda *a, **k: loaded.append(a) or real(*a, **k))
    photo = api.photo()
    for style in ("great-wave", "the-scream", "great-wave"):
        assert api.ask("GET", f"/api/pictures/{photo}/thumbnail/{style}").status_code == 200
    assert len(loaded) == 1


def test_a_shelf_is_bounded_in_number_bytes_and_age():
    clock, gone = Clock(), set()
    shelf = Shelf(
        "thing", most=3, own_bytes=100, all_bytes=150, age=10.0, busy=lambda thing: thing == "busy", clock=clock
    )
    shelf.gone = lambda owner: owner in gone
    names = [shelf.put("me", number, 10) for number in range(4)]
    assert shelf.of("me") == [3, 2, 1] and shelf.bytes == 30
    with pytest.raises(Refusal) as refused:
        shelf.get("me", names[0])
    assert refused.value.status == 404
    large = shelf.put("me", "large", 95)
    assert shelf.of("me") == ["large"]
    with pytest.raises(Refusal) as refused:
        shelf.put("me", "too large", 101)
    assert refused.value.status == 413
    with pytest.raises(Refusal) as refused:
        shelf.put("you", "one more", 60)
    assert refused.value.status == 503
    gone.add("me")
    yours = shelf.put("you", "one more", 60)
    assert shelf.of("me") == []
    shelf.weigh(yours, 90)
    assert shelf.bytes == 90
    shelf.put("you", "busy", 0)
    clock.now += 11
    shelf.sweep()
    assert shelf.all() == ["busy"]
    assert large not in (yours,)


def test_pictures_of_one_session_do_not_drive_out_those_of_another(open_studio):
    studio = open_studio(pictures=3)
    me, you = studio.other("me"), studio.other("you")
    yours = you.photo()
    mine = [me.photo(seed) for seed in range(5)]
    assert [me.ask("GET", f"/api/pictures/{each}").status_code for each in mine] == [404, 404, 200, 200, 200]
    assert you.ask("GET", f"/api/pictures/{yours}").status_code == 200


def test_closing_stops_what_is_painted(open_studio):
    studio = open_studio()
    api = studio.api
    job = api.start(api.slow())
    api.wait(job, "painting")
    kept = studio.studio.jobs.get("api ", job)
    studio.studio.close()
    assert kept.ended.wait(10) and not studio.studio.queue._thread.is_alive()
    assert len(studio.studio.jobs) == 0 and len(studio.studio.pictures) == 0
