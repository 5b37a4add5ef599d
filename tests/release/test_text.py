"""What gives somebody away in text, and what only looks like it."""

from __future__ import annotations

import pytest

from fiftyone_dp2vl.release import TextScanner

SCANNER = TextScanner(
    identities=["Ada Lind", "Bo", "person_12", "Zoë Þórs"],
    files=["/home/ada/IMG_2041.jpg", "/x/My holiday.png", "/x/dog.jpg", "/x/20240101.png"],
    ids=["0123456789abcdef01234567"],
)


def kinds(text: str) -> list[str]:
    return [hit.kind for hit in SCANNER.hits(text)]


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("this is Ada Lind.", "name", "Ada Lind"),
        ("ada_lind/beach", "name", "ada_lind"),
        ("AdaLind", "name", "AdaLind"),
        ("Lind, at sea", "name", "Lind"),
        ("ZOE\u0308 was here", "name", "ZO\u00cb"),
        ("person-12", "name", "person-12"),
        ("write to a.lind+x@mail.example.org now", "e-mail", "a.lind+x@mail.example.org"),
        ("call +44 20 7946 0958", "phone", "+44 20 7946 0958"),
        ("call (030) 901820-12", "phone", "(030) 901820-12"),
        ("see /srv/photos/x.txt", "path", "/srv/photos/x.txt"),
        ("see C:\\Users\\x\\y.txt", "path", "C:\\Users\\x\\y.txt"),
        ("file:///srv/x", "path", "file:///srv/x"),
        ("~/pictures/a", "path", "~/pictures/a"),
        ("like IMG_2041.JPG", "file name", "IMG_2041.JPG"),
        ("like img_2041!", "file name", "img_2041!"),
        ("in my holiday.png we", "file name", "my holiday.png"),
        ("data/dog.jpg", "file name", "dog.jpg"),
        ("20240101", "file name", "20240101"),
        ("0123456789abcdef01234567", "sample id", "0123456789abcdef01234567"),
        ("dp2vl_run1_path", "run", "dp2vl_run1_path"),
    ],
)
def test_found(text, kind, words):
    assert (kind, words) in [(hit.kind, hit.text) for hit in SCANNER.hits(text)]


@pytest.mark.parametrize(
    "text",
    [
        "a dog on a beach",
        "Adagio, boat, person, person_1, person_123",
        "data/photo-000001.png",
        "https://voxel51.com/fiftyone/docs",
        "2026-11-21T15:08:16.123Z",
        "0 0.350000 0.350000 0.500000 0.500000",
        "12 34 56, 1999, 640 480",
        "</object>\n  </annotation>",
        "and/or, 1/2, km/h",
        "ffffffffffffffffffffffff",
        "@home, a@b",
    ],
)
def test_not_found(text):
    assert kinds(text) == []


def test_masks_say_what_was_there():
    text = "Ada Lind, ada@lind.org, +44 20 7946 0958, /home/ada/x.txt"
    masked = SCANNER.mask(text, ["name", "e-mail", "phone", "path"], {"ada lind": "person-1"})
    assert masked == "person-1, [e-mail], [phone], [path]"
    assert SCANNER.mask(text, ["phone"]) == text.replace("+44 20 7946 0958", "[phone]")


def test_a_masked_text_has_nothing_left():
    text = "ADA_LIND saw Bo: IMG_2041.jpg in ~/ada/Lind/x; zoë Þórs, 0123456789abcdef01234567"
    everything = ["name", "e-mail", "phone", "path", "file name", "sample id", "run"]
    assert SCANNER.hits(SCANNER.mask(text, everything)) == []


def test_it_keeps_to_time_on_hostile_text():
    for text in ("/a" * 50_000, "1 " * 50_000, "a@" * 50_000, "ada_" * 50_000, "+" * 100_000):
        SCANNER.hits(text)
