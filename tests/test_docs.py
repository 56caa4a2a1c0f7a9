"""The documentation: its links lead somewhere, and the commands it shows can be typed."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from cyclopts.exceptions import CycloptsError

import impasto
from impasto.cli import replay
from impasto.cli.app import build
from impasto.cli.batch import app_for
from impasto.cli.flags import with_signature
from impasto.cli.painting import Output
from impasto.cli.video import film_app
from impasto.methods import METHODS

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:impasto|accelerate launch -m impasto\.cli) (.*)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub writes them in addresses."""
    found: list[str] = []
    for title in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = found.count(slug)
        found += [slug, f"{slug}-{count}"] if count else [slug]
    return set(found)


def links() -> list[tuple[Path, str]]:
    every = [(page, link) for page in PAGES for link in LINK.findall(prose(page))]
    return [(page, link) for page, link in every if not re.match(r"[a-z]+:", link)]


def broken(page: Path, link: str) -> str:
    """What is wrong with a relative link of a page; nothing where it leads somewhere."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"there is no {path}"
    if anchor and anchor not in anchors(target):
        return f"{name_of(target)} has no heading {anchor}"
    return ""


def commands() -> list[tuple[str, str]]:
    """Page and arguments of every command of ours in a fenced block; comments and ``...`` are left out."""
    found: list[tuple[str, str]] = []
    for page in [ROOT / "README.md", *DOCS]:
        for block in FENCE.findall(page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if match := COMMAND.match(line.strip()):
                    found.append((name_of(page), re.sub(r"(^|\s)#.*", "", match[1]).strip()))
    return found


def check(arguments: str) -> None:
    """Have the command line parse arguments, without running the command.

    Raises:
        CycloptsError: there is no such command or flag, a value is none of its choices, or an argument is missing.
    """
    tokens = [token for token in shlex.split(arguments) if token != "..."]
    if ">" in tokens:
        tokens = tokens[: tokens.index(">")]
    if tokens[0] == "replay":  # its flags are those of the method that painted the picture
        check_replay(tokens[1:])
        return
    if tokens[0] == "video":  # its flags are those of the method that it names
        film_app(tokens[1:]).parse_args(tokens[1:], exit_on_error=False, print_error=False)
        return
    if tokens[0] == "batch":  # its flags are those of the method that it paints with
        there = tokens.index("--recipe") if "--recipe" in tokens else len(tokens)
        rest = tokens[1:there] + tokens[there + 2 :]  # the recipe is not there
        app_for(rest).parse_args(rest, exit_on_error=False, print_error=False)
        return
    command, _, _ = build(tokens[0]).parse_args(tokens, exit_on_error=False, print_error=False)
    if getattr(command, "__name__", "") in ("help_print", "version_print"):
        assert {"--help", "--help-all", "-h", "--version"} & set(tokens), f"no command in {arguments!r}"


def check_replay(tokens: list[str]) -> None:
    picture, *flags = tokens
    assert not picture.startswith("-"), "the picture comes first"
    own = with_signature(replay._general, "replay", "", replay._arguments(Output))
    apps = [replay._app("PICTURE", own, everything=True), *(build(name)[name] for name in METHODS)]
    known = {name for app in apps for argument in app.assemble_argument_collection() for name in argument.names}
    for flag in flags:
        assert not re.match(r"--?[a-z]", flag) or flag in known, f"replay has no {flag}"


@pytest.mark.parametrize(("page", "link"), links(), ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_links_lead_somewhere(page, link):
    assert not broken(page, link)


@pytest.mark.parametrize(("page", "arguments"), commands())
def test_commands_can_be_typed(page, arguments):
    try:
        check(arguments)
    except CycloptsError as error:
        pytest.fail(f"{page}: impasto {arguments}: {error}")


def extras(page: Path) -> set[str]:
    """The extras that a page says to install in a clone."""
    found = re.findall(r'pip install "?\.\[([\w,]+)\]', page.read_text("utf-8"))
    return {extra for each in found for extra in each.split(",")}


def test_pages_install_extras_that_exist_and_the_same_ones_for_training():
    with (ROOT / "pyproject.toml").open("rb") as file:
        known = set(tomllib.load(file)["project"]["optional-dependencies"])
    assert all(extras(page) <= known for page in PAGES)
    for name in ("train", "tutorial"):
        page = ROOT / f"docs/{name}.md"
        assert any(where == name_of(page) and line.startswith("train ") for where, line in commands())
        assert extras(page) == {"train", "plot"}


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/index.md").read_text("utf-8")
    assert all(f"({page.relative_to(ROOT / 'docs').as_posix()})" in index for page in DOCS if page.name != "index.md")


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("controls.md#two-dials", ""),
        ("controls.md#three-dials", "docs/controls.md has no heading three-dials"),
        ("control.md", "there is no control.md"),
    ],
)
def test_what_is_broken_is_seen(link, wrong):
    assert broken(ROOT / "docs/methods.md", link) == wrong


@pytest.mark.parametrize(
    "arguments",
    [
        "pain photo.jpg a.jpg",
        "paint photo.jpg a.jpg --efort best",
        "paint photo.jpg a.jpg --effort bst",
        "train",
        "train adain --photos a --out b",
        "weights fetc NAME",
        "video film.mp4 a.jpg --stedy 1",
        "video film.mp4 --method johnson --nett the-scream",
        "replay a.png --fotos b.jpg",
        "batch photos --fotos b.jpg",
        "batch photos --method adain --effort best",
    ],
)
def test_what_cannot_be_typed_is_seen(arguments):
    with pytest.raises((CycloptsError, AssertionError)):
        check(arguments)


def test_every_public_name_is_on_an_api_page() -> None:
    shown = re.findall(r"^::: impasto\.(\w+)$", "\n".join(p.read_text("utf-8") for p in DOCS), re.MULTILINE)
    assert sorted(shown) == sorted(impasto.__all__)


def test_every_page_is_in_the_navigation() -> None:
    site = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]

    def pages(entries: list[dict[str, object]]) -> list[str]:
        found: list[str] = []
        for entry in entries:
            for place in entry.values():
                found += [place] if isinstance(place, str) else pages(place)
        return found

    assert sorted(pages(site["nav"])) == sorted(str(page.relative_to(ROOT / "docs")) for page in DOCS)


def test_the_page_on_browsers_names_what_its_example_needs() -> None:
    manual = (ROOT / "docs/browser.md").read_text("utf-8")
    example = ROOT / "docs/examples/browser.html"
    (module,) = re.findall(r'from "\./([\w.]+)"', example.read_text("utf-8"))
    (net,) = re.findall(r'NET = "([\w-]+)\.onnx"', example.read_text("utf-8"))
    assert f"dist/{module} " in manual
    assert f"impasto export {net} " in manual
    tested = json.loads((ROOT / "tests/browser/package.json").read_text("utf-8"))["dependencies"]
    assert re.findall(r"onnxruntime-web@([\w.]+)", manual) == [tested["onnxruntime-web"]]
