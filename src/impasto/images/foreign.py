"""What a file is that is no picture: for the message that refuses it."""

from __future__ import annotations

_HEAD = 512  # bytes that tell
_UNKNOWN = "", "convert it to PNG"
_PICTURES = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"8BPS",
    b"\0\0\0\x0cjP  ",
)
_KINDS: tuple[tuple[tuple[bytes, ...], str, str], ...] = (  # how a file begins, what it is, the repair
    ((b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ"), "an archive", "unpack it"),
    ((b"version https://git-lfs",), "a pointer of Git LFS", "git lfs pull gets it"),
    (
        (b"\0\5\x16\7", b"\0\5\x16\0"),
        "what macOS notes beside a file",
        "give the file without ._ in its name",
    ),
    ((b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV\1"), "a film", "save one of its frames as PNG"),
    ((b"%PDF", b"%!PS", b"\xc5\xd0\xd3\xc6"), "a drawing (SVG, PDF or PostScript)", "export it as PNG"),
    ((b"gimp xcf",), "a document of GIMP", "export it as PNG"),
)
_DRAWING = (b"<?xml", b"<svg")
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body")


def is_cut_short(data: bytes) -> bool:
    """Whether a file begins as a picture does that can be read."""
    return data.startswith(_PICTURES) or data[8:12] == b"WEBP" or data[4:12] == b"ftypavif"


def what_else(data: bytes) -> tuple[str, str]:
    """Say what a file is that is no picture, empty if that is not known; and the repair.

    Examples:
        >>> what_else(b"<!DOCTYPE html><title>Not found</title>")
        ('a web page', 'download the picture itself')
    """
    for beginnings, what, repair in _KINDS:
        if data.startswith(beginnings):
            return what, repair
    head = data[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if any(tag in head for tag in _PAGE):
        return "a web page", "download the picture itself"
    if head.startswith(_DRAWING):
        return "a drawing (SVG, PDF or PostScript)", "export it as PNG"
    if data[4:8] == b"ftyp" or (data[:4] == b"RIFF" and data[8:12] == b"AVI "):
        return "a film", "save one of its frames as PNG"
    if not any(data):
        return "only zeros", "copy or download it again"
    return ("text", "give the picture itself") if _is_text(data[:_HEAD]) else _UNKNOWN


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", "ignore" if len(head) == _HEAD else "strict")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\n\r\f" for letter in text)
