import pytest

from impasto.errors import RequestError
from impasto.nets.architecture import JOHNSON, Block, parse, stride


def test_the_papers_string() -> None:
    blocks = parse(JOHNSON)
    assert blocks[0] == Block("conv", 32, 9, 1)
    assert blocks[1:3] == (Block("conv", 64, 3, 2), Block("conv", 128, 3, 2))
    assert blocks[3:8] == (Block("residual", 128),) * 5
    assert blocks[8:] == (Block("up", 64), Block("up", 32), Block("conv", 3, 9, 1))
    assert stride(blocks) == 4


def test_repetition_is_shorthand() -> None:
    assert parse("c3s1-8,R8,R8,c3s1-3") == parse("c3s1-8, R8x2, c3s1-3") == parse("c3s1-8,R8*2,c3s1-3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("block 1", "character 1")),
        ("c9s1-8,q64,c9s1-3", ("block 2", "character 8", "'q64'")),
        ("c9s1-8,d16,R8,u8,c9s1-3", ("block 3", "character 12", "16 channels")),
        ("c8s1-8,c9s1-3", ("block 1", "odd kernel")),
        ("c9s3-8,c9s1-3", ("block 1", "stride")),
        ("c9s1-0,c9s1-3", ("block 1", "filters")),
        ("c9s1-8,R8×0,c9s1-3", ("block 2",)),
        ("c9s1-8,R8×99,c9s1-3", ("block 2", "64 blocks")),
        ("c9s1-8,d16×2,u8,u8,c9s1-3", ("block 2", "R blocks")),
        ("c9s1-8,u8,c9s1-3", ("block 2", "d before each u")),
        ("c9s1-8,d16,c9s1-3", ("1/2 of the size",)),
        ("c9s1-8,c9s1-4", ("4 channels",)),
        ("c9s1-8,d4,u3", ("c9s1-3",)),
    ],
)
def test_an_error_says_where(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(RequestError) as error:
        parse(text)
    assert all(word in str(error.value) for word in words), error.value
