"""Flow, what is trusted of it, grain that follows it, and paintings that are kept steady by it."""

from itertools import pairwise

import numpy as np
import pytest

from .clips import moving_object, panning, texture, with_cut


def motions(frames):
    from impasto.video.flow import find_motion

    return [find_motion(last, now) for last, now in pairwise(frames)]


def noisy_paintings(frames, amount=0.1):
    """Paintings that differ from frame to frame, as those of single frames do."""
    generator = np.random.default_rng(3)
    noise = [generator.normal(0, amount, frame.shape).astype(np.float32) for frame in frames]
    return [np.clip(frame / 255 + each, 0, 1).astype(np.float32) for frame, each in zip(frames, noise, strict=True)]


def steady(frames, paintings, moved, amount):
    from impasto.video.steady import MovedPaintings

    made = MovedPaintings(paintings[0].shape[1::-1])
    return [made.add(*each, amount) for each in zip(paintings, frames, [None, *moved], strict=True)]


def error(films, moved):
    from impasto.video.flicker import Meter

    meter = Meter()
    for last, now, motion in zip(films, films[1:], moved, strict=False):
        meter.add("film", last * 255, now * 255, motion)
    return meter.means()["film"]


@pytest.mark.parametrize("step", [1, 3, 6])
def test_the_flow_of_a_pan_is_found(step):
    motion = motions(panning(2, (160, 96), step))[0]
    inside = motion.back[16:-16, 16:-24]
    assert np.median(inside[..., 0]) == pytest.approx(step, abs=0.3)
    assert np.median(inside[..., 1]) == pytest.approx(0, abs=0.2)
    assert motion.visible[:, -step:].mean() < 0.5, "what came in at the border was not visible before"
    assert not motion.cut and not motion.still


def test_what_a_thing_uncovers_is_not_trusted():
    motion = motions(moving_object(2, (160, 96), 8))[0]
    uncovered = motion.trust[30:66, 1:6].mean()
    assert uncovered < 0.4 < 0.8 < motion.trust[:, 100:].mean()


def test_cuts_are_found_and_nothing_else():
    frames = with_cut(4, (128, 96))
    assert [motion.cut for motion in motions(frames)] == [False] * 3 + [True] + [False] * 3


def test_a_cut_between_shots_of_alike_colours_is_found():
    frames = panning(3, (128, 96)) + [frame[::-1, ::-1].copy() for frame in panning(3, (128, 96))]
    assert [motion.cut for motion in motions(frames)] == [False, False, True, False, False]


def test_half_a_pixel_at_an_edge_is_trusted_and_another_colour_is_not():
    from impasto.video.flow import colour_change

    edge = np.full((32, 32, 3), 30, np.uint8)
    edge[:, 16:] = 220
    between = edge.copy()
    between[:, 16] = 125
    assert colour_change(edge, between).max() == 0
    between[8:24, 4:12] = 60
    assert colour_change(edge, between)[16, 8] > 0.1
    assert colour_change(edge, between)[16, 24] == 0


def test_what_is_visible_is_trusted_up_to_its_border():
    for film in (panning, moving_object):
        motion = motions(film(2, (160, 96), 4))[0]
        visible = motion.visible > 0.5
        assert (motion.trust[visible] > 0.5).mean() > 0.97


def test_equal_frames_are_still():
    frame = texture(48, 64)
    assert motions([frame, frame.copy()])[0].still


@pytest.mark.parametrize("film", [panning, moving_object], ids=["camera", "thing"])
def test_paintings_flicker_less_and_keep_their_contrast(film):
    frames = film(10, (128, 96))
    moved, paintings = motions(frames), noisy_paintings(frames)
    kept = steady(frames, paintings, moved, 0.9)
    assert error(kept, moved) < 0.35 * error(paintings, moved)
    assert np.std(kept[-1]) == pytest.approx(np.std(paintings[-1]), rel=0.1)


def test_more_steady_is_steadier():
    frames = panning(8)
    moved, paintings = motions(frames), noisy_paintings(frames)
    found = [error(steady(frames, paintings, moved, amount), moved) for amount in (0, 0.3, 0.6, 0.9)]
    assert found == sorted(found, reverse=True)
    assert steady(frames, paintings, moved, 0)[-1] is paintings[-1]


def test_nothing_of_the_last_shot_stays():
    frames = with_cut(3, (128, 96))
    kept = steady(frames, noisy_paintings(frames), motions(frames), 1.0)
    assert kept[3] is not None and np.array_equal(kept[3], noisy_paintings(frames)[3])


def test_a_thing_leaves_no_trail():
    frames = moving_object(12, (160, 96), 6)
    paintings = [frame.astype(np.float32) / 255 for frame in frames]
    kept = steady(frames, paintings, motions(frames), 1.0)
    where = np.s_[24:72, 12:60]  # the thing has been here, and is gone
    assert np.abs(kept[-1] - paintings[-1])[where].mean() < 0.03


def to_and_fro(times, size=(128, 96)):
    """Frames of a camera that moves by parts of a pixel, forth and back so many times."""
    import cv2

    whole = texture(size[1], size[0] + 8)
    ways = [0.37 * n for n in range(9)]
    frames = [
        cv2.warpAffine(whole, np.array([[1, 0, -way], [0, 1, 0]]), size, flags=cv2.INTER_CUBIC)
        for way in [*ways, *ways[-2:0:-1]]
    ]
    return frames * times


def test_strokes_stay_as_strong_however_long_a_shot_is():
    frames = to_and_fro(8)
    strokes = texture(96, 128, 5)[..., ::-1] / 255 * 0.2
    paintings = [
        (frame / 255 * 0.8 + np.roll(strokes, n * 3, 0)).astype(np.float32) for n, frame in enumerate(frames)
    ]
    moved = motions(frames)
    kept = steady(frames, paintings, moved, 0.95)
    assert error(kept, moved) < 0.35 * error(paintings, moved)
    for painting, own in zip(kept[-20:], paintings[-20:], strict=True):
        assert np.std(np.diff(painting, axis=0)) == pytest.approx(np.std(np.diff(own, axis=0)), rel=0.2)


@pytest.mark.parametrize("waves", [4, 6, 8, 12], ids=lambda waves: f"{waves}-pixels")
def test_strokes_of_any_width_get_neither_weaker_nor_stronger(waves):
    frames = to_and_fro(3)
    strokes = 0.2 * np.sin(np.arange(128) * 2 * np.pi / waves)[None, :, None]
    paintings = [np.clip(frame / 255 * 0.6 + 0.2 + strokes, 0, 1).astype(np.float32) for frame in frames]
    kept = steady(frames, paintings, motions(frames), 0.95)
    for painting, own in zip(kept[-10:], paintings[-10:], strict=True):
        assert np.std(painting) == pytest.approx(np.std(own), rel=0.2)


def test_colours_follow_a_light_that_fades_slowly():
    frames = [np.clip(texture(64, 96) * (1 - 0.012 * n), 0, 255).astype(np.uint8) for n in range(40)]
    paintings = noisy_paintings(frames)
    kept = steady(frames, paintings, motions(frames), 1.0)
    assert kept[-1].mean() == pytest.approx(paintings[-1].mean(), abs=0.08)


def test_paintings_go_on_from_their_state():
    from impasto.video.steady import MovedPaintings

    frames = panning(60)
    each = [*zip(noisy_paintings(frames), frames, [None, *motions(frames)], strict=True)]
    made, other = MovedPaintings((96, 64)), MovedPaintings((96, 64))
    for painting, frame, motion in each[:40]:
        made.add(painting, frame, motion, 0.95)
    other.restore(*made.state())
    for painting, frame, motion in each[40:]:
        assert np.array_equal(made.add(painting, frame, motion, 0.95), other.add(painting, frame, motion, 0.95))


def test_small_errors_of_the_flow_do_not_add_up():
    from dataclasses import replace

    frames = panning(24, (128, 96), 1)
    paintings = [frame.astype(np.float32) / 255 for frame in frames]
    wrong = [replace(motion, back=motion.back * np.float32(0.6)) for motion in motions(frames)]
    for kept, own in zip(steady(frames, paintings, wrong, 1.0), paintings, strict=True):
        assert np.abs(kept - own)[8:-8, 8:-24].mean() < 0.055


def test_what_was_hidden_begins_with_the_paintings_colours():
    from impasto.video.steady import begun_from

    frames = moving_object(2, (160, 96), 8)
    motion = motions(frames)[0]
    painting = np.broadcast_to(np.float32([0.1, 0.2, 0.7]), (96, 160, 3)).copy()
    begun = begun_from(painting, frames[1], motion)
    assert np.allclose(begun[motion.trust > 0.99], painting[0, 0], atol=0.01)
    hidden = begun[30:66, 1:6]
    assert hidden.mean((0, 1)) == pytest.approx([0.1, 0.2, 0.7], abs=0.12)
    assert hidden.std((0, 1)).max() > 0.01, "light and dark are the frame's"


def test_grain_follows_a_pan_and_stays_as_strong():
    from impasto.video.grain import CarriedGrain

    frames = panning(9, (128, 96), 2)
    grain = CarriedGrain(96, 128, 0)
    first = grain.noise(96, 128)[0, 0].numpy()
    for motion in motions(frames):
        grain.follow(motion)
    last = grain.noise(96, 128)[0, 0].numpy()
    same = np.corrcoef(first[8:-8, 32:96].ravel(), last[8:-8, 16:80].ravel())[0, 1]
    stuck = np.corrcoef(first[8:-8, 32:96].ravel(), last[8:-8, 32:96].ravel())[0, 1]
    assert same > 0.8 and stuck < 0.4
    assert last.std() == pytest.approx(1, abs=0.08)
    assert last[:, -16:].std() > 0.7, "what came in has grain too"


def test_grain_of_a_still_film_does_not_change():
    from impasto.video.grain import CarriedGrain

    frame = texture(64, 96)
    grain = CarriedGrain(64, 96, 1)
    before = grain.noise(32, 48)
    for motion in motions([frame] * 4):
        grain.follow(motion)
    assert np.array_equal(before, grain.noise(32, 48))


def test_carried_grain_replaces_that_of_a_photo(picture):
    import torch

    from impasto.images.grain import carrying, grained

    even = torch.full((1, 3, 32, 32), 0.5)
    plain = grained(even, 0.1)
    with carrying(lambda height, width: torch.ones(1, 1, height, width)):
        assert torch.allclose(grained(even, 0.1), torch.full_like(even, 0.6), atol=1e-4)
    assert torch.equal(grained(even, 0.1), plain)


def test_a_film_of_one_colour_has_no_flicker():
    frames = [np.full((48, 64, 3), 120, np.uint8)] * 3
    assert error([frame / 255 for frame in frames], motions(frames)) == 0
