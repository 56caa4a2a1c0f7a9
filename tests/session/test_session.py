"""Photograph after photograph through one session."""

import shutil
import threading
import time

import psutil
import pytest
import torch

import impasto
from impasto import Cancelled, RequestError, Session, bind, make_recipe
from impasto.api import last
from impasto.cli import main
from impasto.methods.adain.painter import AdainPainter
from impasto.methods.common import loader
from impasto.session import work as room
from impasto.session.turns import Turns

pytestmark = pytest.mark.usefixtures("tiny_encoder")


@pytest.fixture
def recipe(style, tiny_nets):
    """Makes recipes of adain with a tiny net."""

    def make(**settings):
        settings = {"net": str(tiny_nets["adain"]), "precision": "exact", **settings}
        return make_recipe("adain", [impasto.Style(path=str(style))], settings=settings)

    return make


@pytest.fixture
def counted(monkeypatch):
    """How often networks were loaded, and styles encoded at what size."""
    found = {"nets": 0, "encoders": 0, "styles": []}
    load, vgg, encode = loader.load_decoder, loader.VGG, AdainPainter.encode

    def count(name, real):
        def counting(*given, **more):
            found[name] += 1
            return real(*given, **more)

        return counting

    def encoding(self, size, *, apart):
        found["styles"].append(size)
        return encode(self, size, apart=apart)

    monkeypatch.setattr(loader, "load_decoder", count("nets", load))
    monkeypatch.setattr(loader, "VGG", count("encoders", vgg))
    monkeypatch.setattr(AdainPainter, "encode", encoding)
    return found


def test_forty_photos_of_eight_sizes(recipe, counted, picture):
    sizes = [40, 48, 56, 64, 72, 80, 88, 96]
    photos = [(picture(sizes[n % 8] * 3 // 4, sizes[n % 8], n), recipe(size=sizes[n % 8])) for n in range(40)]
    session = Session(device="cpu", cache="50MB")
    made = [session.paint(own, photo).done().image for photo, own in photos]
    assert (counted["nets"], counted["encoders"]) == (1, 1)
    assert sorted(counted["styles"]) == sizes
    assert 0 < session.cache.bytes <= 50e6
    for (photo, own), image in zip(photos, made, strict=True):
        assert torch.equal(last(bind(own, device="cpu").paint(photo)).image, image)


def test_another_style_or_setting_reloads_no_network(recipe, counted, picture, tmp_path, style):
    session, photo = Session(device="cpu"), picture(36, 48, 1)
    session.paint(recipe(size=48), photo).done()
    session.paint(recipe(size=48), photo, styles=[picture(40, 40, 2)]).done()
    session.paint(recipe(size=48, alpha=0.5), photo).done()
    session.paint(recipe(size=48, strength=0.5), photo).done()
    assert (counted["nets"], counted["encoders"]) == (1, 1)
    assert len(counted["styles"]) == 3, "strength acts after painting"
    again = tmp_path / "the same.png"
    shutil.copy(style, again)
    session.paint(recipe(size=48), photo, styles=[again]).done()
    assert len(counted["styles"]) == 3, "a style is known by its content"


def test_a_net_retrained_on_disk_is_noticed(recipe, counted, picture, tiny_nets, tiny_net):
    session, photo = Session(device="cpu"), picture(36, 48, 1)
    before = session.paint(recipe(size=48), photo).done()
    other = tiny_net("adain-decoder", "relu4_1", {"covariance": 0.1}, inject=("relu2_1",))
    shutil.copy(other, tiny_nets["adain"])
    after = session.paint(recipe(size=48), photo).done()
    assert counted["nets"] == 2
    assert before.recipe.nets != after.recipe.nets
    assert torch.equal(after.image, bind(recipe(size=48), device="cpu").paint(photo).done().image)


@pytest.mark.parametrize("bound", [0, "20KB"])
def test_a_bound_of_nothing_or_little_changes_no_picture(recipe, counted, picture, bound):
    session, photo = Session(device="cpu", cache=bound), picture(36, 48, 1)
    first, second = (session.paint(recipe(size=48), photo).done().image for _ in range(2))
    assert torch.equal(first, second)
    assert session.cache.bytes <= session.cache.limit
    assert counted["nets"] == 2


@pytest.mark.parametrize("bound", [-1, "much", "1 parsec", None, True])
def test_a_bound_of_nonsense_is_refused(bound):
    with pytest.raises(RequestError, match=r"cache is .*expected bytes, or an amount such as 512MB"):
        Session(device="cpu", cache=bound)


def test_closed_it_loads_anew(recipe, counted, picture):
    with Session(device="cpu") as session:
        session.paint(recipe(size=48), picture(36, 48, 1)).done()
    assert session.cache.bytes == 0
    session.paint(recipe(size=48), picture(36, 48, 1)).done()
    assert counted["nets"] == 2


def test_a_bound_painter_outlives_the_cache(recipe, counted, photo, picture):
    painter = Session(device="cpu", cache=0).bind(recipe(size=48))
    first, second = (painter.paint(photo).done().image for _ in range(2))
    assert torch.equal(first, second)
    assert (counted["nets"], len(counted["styles"])) == (1, 1)


@pytest.mark.parametrize("note", ["reading the pictures", "loading the networks", "encoding the style"])
def test_cancelled_before_painting(recipe, picture, note):
    cancel, told = threading.Event(), []

    def watch(progress):
        told.append(progress.note)
        if progress.note == note:
            cancel.set()

    session = Session(device="cpu")
    work = session.paint(recipe(size=48), picture(36, 48, 1), cancel=cancel, watch=watch)
    with pytest.raises(Cancelled):
        work.done()
    assert told[-1] == note
    with pytest.raises(impasto.ImpastoError, match="no steps"):
        _ = work.painting
    cancel.clear()
    session.paint(recipe(size=48), picture(36, 48, 1), cancel=cancel).done()


def test_used_from_eight_threads(recipe, picture, monkeypatch):
    monkeypatch.setattr(room, "TURNS", Turns())
    session, photos = Session(device="cpu"), [picture(36, 48, n) for n in range(8)]
    expected = [bind(recipe(size=48), device="cpu").paint(photo).done().image for photo in photos]
    now, most, made = [], [], {}
    pictures = AdainPainter.pictures

    def watched(self, seen):
        now.append(1)
        most.append(len(now))
        time.sleep(0.005)
        yield from pictures(self, seen)
        now.pop()

    monkeypatch.setattr(AdainPainter, "pictures", watched)

    def paint(number):
        made[number] = session.paint(recipe(size=48), photos[number]).done().image

    threads = [threading.Thread(target=paint, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(most) == {1}
    for number, image in enumerate(expected):
        assert torch.allclose(made[number], image, atol=1e-6)


def test_one_of_higher_priority_goes_first(recipe, picture, monkeypatch):
    monkeypatch.setattr(room, "TURNS", Turns())
    session, order, begun = Session(device="cpu"), [], threading.Event()

    def urgent():
        begun.wait(20)
        session.paint(recipe(size=40), picture(30, 40, 2), priority=1).done()
        order.append("urgent")

    thread = threading.Thread(target=urgent, daemon=True)
    thread.start()

    def watch(progress):
        if progress.done > 0.2 and not begun.is_set():
            begun.set()
            while not room.TURNS._waiting:
                time.sleep(0.001)

    large = session.paint(recipe(size=256), picture(192, 256, 1), watch=watch).done()
    order.append("large")
    thread.join(20)
    assert order == ["urgent", "large"]
    assert torch.equal(large.image, bind(recipe(size=256), device="cpu").paint(picture(192, 256, 1)).done().image)


def test_a_painting_left_early_lets_the_next_begin(recipe, picture):
    session = Session(device="cpu")
    work = session.paint(recipe(size=48), picture(36, 48, 1))
    next(work)
    assert work.painting.stopped == "finished"
    work.close()
    done = []
    thread = threading.Thread(
        target=lambda: done.append(session.paint(recipe(size=48), picture(36, 48, 1)).done()), daemon=True
    )
    thread.start()
    thread.join(60)
    assert done


def test_a_start_is_read_and_recorded(recipe, picture, tmp_path, photo):
    session = Session(device="cpu")
    first = session.paint(recipe(size=24), photo).done()
    first.save(tmp_path / "small.png")
    by_path = session.paint(recipe(size=48), photo, start=tmp_path / "small.png").done()
    assert by_path.recipe.start == str(tmp_path / "small.png")
    by_recipe = session.paint(recipe(size=48, start=str(tmp_path / "small.png")), photo).done()
    assert torch.equal(by_path.image, by_recipe.image)
    assert not torch.equal(by_path.image, session.paint(recipe(size=48), photo).done().image)
    in_memory = session.paint(recipe(size=48), photo, start=first.image).done()
    assert in_memory.recipe.start == "a picture in memory"
    clear = first.to_pil().convert("RGBA")
    clear.putalpha(0)
    assert torch.equal(session.paint(recipe(size=48), photo, start=clear).done().image, by_path.image)
    with pytest.raises(RequestError, match="proportions"):
        session.paint(recipe(size=48), photo, start=picture(40, 40, 1)).done()
    with pytest.raises(RequestError, match=r"none\.png"):
        session.paint(recipe(size=48), photo, start="none.png").done()


def test_memory_stays_as_it_is_after_a_hundred_cancels(recipe, picture):
    session, photo, process = Session(device="cpu"), picture(144, 192, 1), psutil.Process()
    cancel = threading.Event()

    def watch(progress):
        if progress.done > 0.3:
            cancel.set()

    used = []
    for _ in range(100):
        cancel.clear()
        with pytest.raises(Cancelled):
            session.paint(recipe(size=192), photo, cancel=cancel, watch=watch).done()
        used.append(process.memory_info().rss / 1e6)
    assert max(used[50:]) - max(used[10:50]) < 20


def test_what_is_given_in_memory_is_not_taken_for_a_file(recipe, picture, tmp_path, photo, capsys):
    mask = tmp_path / "mask.png"
    impasto.paint(picture(36, 48, 3), picture(36, 48, 4), method="gatys", steps=0, size=48).to_pil().save(mask)
    session = Session(device="cpu")
    by_path = session.paint(recipe(size=48), photo, masks=[mask]).done()
    by_path.save(tmp_path / "a.png")
    assert by_path.recipe.styles[0].mask == str(mask)
    again = ["replay", str(tmp_path / "a.png"), "--inputs", str(tmp_path), "-q", "-o", str(tmp_path / "b.png")]
    assert main(again) == 0
    assert torch.equal(impasto.read(tmp_path / "a.png").pixels, impasto.read(tmp_path / "b.png").pixels)
    for given in ({"masks": [impasto.read(mask)]}, {"start": by_path.image}):
        session.paint(recipe(size=48), photo, **given).done().save(tmp_path / "a.png", overwrite=True)
        assert main([*again, "--overwrite"]) == 2
        assert "a picture in memory was not a file" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 2])
def test_styles_that_the_recipe_does_not_count_are_refused(recipe, picture, count):
    with pytest.raises(RequestError, match=f"{count} style pictures for the 1 styles of the recipe"):
        Session(device="cpu").paint(recipe(size=48), picture(36, 48, 1), styles=[picture(40, 40, 2)] * count).done()


def test_a_cancel_that_is_none_is_refused(recipe, picture):
    with pytest.raises(RequestError, match=r"threading\.Event"):
        Session(device="cpu").paint(recipe(size=48), picture(36, 48, 1), cancel=True).done()


def test_two_paintings_of_one_thread_go_on_in_turn(style, picture, monkeypatch):
    monkeypatch.setattr(room, "TURNS", Turns())
    settings = {"steps": 3, "size": 32, "min_size": None}
    own = make_recipe("gatys", [impasto.Style(path=str(style))], settings=settings)
    session, done = Session(device="cpu"), []

    def paint():
        one, other = (session.paint(own, picture(36, 48, n)) for n in (1, 2))
        done.extend(zip(one, other, strict=True))

    thread = threading.Thread(target=paint, daemon=True)
    thread.start()
    thread.join(60)
    assert [(a.index, b.index) for a, b in done] == [(1, 1), (2, 2), (3, 3)]


def test_a_painting_that_nobody_holds_lets_the_next_begin(style, picture, monkeypatch):
    monkeypatch.setattr(room, "TURNS", Turns())
    own = make_recipe("gatys", [impasto.Style(path=str(style))], settings={"steps": 3, "size": 32})
    work = Session(device="cpu").paint(own, picture(36, 48, 1))
    next(work)
    assert room.TURNS._painting
    del work
    assert not room.TURNS._painting
