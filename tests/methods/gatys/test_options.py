"""Settings: spellings, ranges, stages."""

import math

import pytest

from impasto import RequestError, make_recipe
from impasto.methods.gatys.options import GatysOptions
from impasto.methods.gatys.presets import PRESETS


def test_layers_are_read_from_text_lists_and_mappings():
    expected = {"relu1_1": 0.5, "conv_4": 1.0}
    for given in ("relu1_1:0.5,conv_4", ["relu1_1:0.5", "conv_4"], expected):
        assert GatysOptions(style_layers=given).style_layers == expected


def test_stages():
    assert GatysOptions(steps=7, min_size=None).stages(512) == ((512, 7),)
    ladder = GatysOptions(min_size=128, first_steps=1000, steps=500).stages(512)
    assert ladder == ((128, 1000), (181, 500), (256, 500), (362, 500), (512, 500))
    assert GatysOptions(schedule="0.5:60,1:20").stages(513) == ((256, 60), (513, 20))
    assert GatysOptions(schedule="256:60,700:20").stages(513) == ((256, 60), (700, 20))


def test_a_large_picture_begins_small_where_nothing_else_is_said():
    assert GatysOptions().stages(300) == ((300, 300),)
    assert GatysOptions().stages(512) == ((256, 300), (512, 150))
    assert GatysOptions(steps=5).stages(2048) == ((256, 5), (512, 3), (1024, 2), (2048, 1))
    assert GatysOptions(first_steps=40, steps=0).stages(1024) == ((256, 40), (512, 0), (1024, 0))
    assert [size for size, _ in GatysOptions().stages(900)] == [256, 480, 900]


@pytest.mark.parametrize("preset", sorted(PRESETS.keys() - {"quick", "crowsonkb"}))
def test_the_systems_reproduced_work_at_one_size_as_they_do(preset):
    options = PRESETS[preset].options
    assert isinstance(options, GatysOptions)
    assert len(options.stages(2048)) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"content_layers": "relu4_9"}, "relu4_"),
        ({"style_layers": "relu1_1:heavy"}, "expected a number"),
        ({"style_layers": "relu1_1,relu1_1"}, "twice"),
        ({"style_layers": {"relu1_1": -1}}, "greater than or equal to 0"),
        ({"tv_weight": math.nan}, "finite"),
        ({"style_weight": math.inf}, "finite"),
        ({"content_weight": 0, "style_weight": 0}, "weigh nothing"),
        ({"steps": -1}, "greater than or equal to 0"),
        ({"learning_rate": 0}, "greater than 0"),
        ({"schedule": "256"}, "SIZE:STEPS"),
        ({"style_scale": 100}, "0.0625 to 16"),
        ({"optimizer": "sgd"}, "lbfgs"),
        ({"size": 3}, "16"),
        ({"seed": -1}, "0"),
        ({"stepz": 3}, "did you mean steps"),
        ({"precision": "double"}, "auto"),
    ],
)
def test_nonsense_is_refused_in_one_line(settings, message):
    with pytest.raises(RequestError, match=message) as caught:
        make_recipe("gatys", settings=settings)
    assert "\n" not in str(caught.value)


def test_steps_on_top_of_a_ladder_replace_it():
    options = make_recipe("gatys", preset="quick", settings={"steps": 12}).options
    assert isinstance(options, GatysOptions)
    assert options.stages(512) == ((512, 12),)
