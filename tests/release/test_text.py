"""What gives somebody away in text, and what only looks like it."""

from __future__ import annotations

import time

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
        ("+4915112345678", "phone", "+4915112345678"),
        ("+49 151 12345678", "phone", "+49 151 12345678"),
        ("+49 (0)151 12345678", "phone", "+49 (0)151 12345678"),
        ("0171 2345678", "phone", "0171 2345678"),
        ("0171/2345678.", "phone", "0171/2345678"),
        ("(0171 2345678)", "phone", "0171 2345678"),
        ("01712345678", "phone", "01712345678"),
        ("00491511234567", "phone", "00491511234567"),
        ("0049 151 1234567", "phone", "0049 151 1234567"),
        ("555.123.4567", "phone", "555.123.4567"),
        ("555-123-4567", "phone", "555-123-4567"),
        ("(555) 123-4567", "phone", "(555) 123-4567"),
        ("+1 (555) 123-4567", "phone", "+1 (555) 123-4567"),
        ("+1.555.123.4567", "phone", "+1.555.123.4567"),
        ("+86 13812345678", "phone", "+86 13812345678"),
        ("+91 98765 43210", "phone", "+91 98765 43210"),
        ("06 12 34 56 78", "phone", "06 12 34 56 78"),
        ("090-1234-5678", "phone", "090-1234-5678"),
        ("0171\u20112345678", "phone", "0171\u20102345678"),
        ("\uff0b\uff14\uff19 151 12345678", "phone", "+49 151 12345678"),
        ("in 2024 0171 2345678", "phone", "0171 2345678"),
        ("20 +4915112345678 70000", "phone", "+4915112345678"),
        ("tel:4915112345678", "phone", "4915112345678"),
        ('"phone_number": 4915112345678', "phone", "4915112345678"),
        ("<mobile>13812345678</mobile>", "phone", "13812345678"),
        ("Phone: 4915112345678.0", "phone", "4915112345678"),
        ("my phone number is 555 123 4567", "phone", "555 123 4567"),
        ("\u624b\u673a13812345678", "phone", "13812345678"),
        ("see /srv/photos/x.txt", "path", "/srv/photos/x.txt"),
        ("see C:\\Users\\x\\y.txt", "path", "C:\\Users\\x\\y.txt"),
        ("file:///srv/x", "path", "file:///srv/x"),
        ("~/pictures/a", "path", "~/pictures/a"),
        ("in /data", "path", "/data"),
        ("/home: full", "path", "/home"),
        ("was home/ada/x.jpg", "path", "home/ada/x.jpg"),
        ("Users\\ada\\x.jpg", "path", "Users\\ada\\x.jpg"),
        ("../home/ada/x.jpg", "path", "../home/ada/x.jpg"),
        ("$HOME/x.jpg", "path", "$HOME/x.jpg"),
        ("%USERPROFILE%\\x.jpg", "path", "%USERPROFILE%\\x.jpg"),
        ("s3://bucket/x", "path", "s3://bucket/x"),
        ("smb://nas/photos", "path", "smb://nas/photos"),
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
        "1234567, 123456789012, 00000000123456, id 4915112345678",
        '{"id": 1732224962, "time": 1732224962000, "image_id": 13812345678}',
        "20261121, 20261121150816, 2026/11/21, 21.11.2026, 21/11/2026 15:08",
        "2026-11-21T15:08:16+01:00, 2026-11-21 15:08:16.123456 +0000",
        "52.520008, 13.404954; +52.520008 +13.404954; -122.419416 37.774929",
        "52.520008 13.404954 34.052235 0.121212",
        "1,234,567.89 or 1.234.567,89 or 1 234 567 890 or 1 034 567 890, +1234567",
        "1.234567e+05, 3.1415926535897932, 0.0171234567, 1e-0171234567",
        "192.168.100.200, 10.0.0.1:8080, v1.22.1, 4.57.1234.12",
        "123e4567-e89b-12d3-a456-426614174000",
        "12345678-1234-1234-1234-123456789012",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "978-3-16-148410-0, 4111 1111 1111 1111",
        "10 20 300 400, 640 480 1024, 320x240, 1920 1080 30",
        "01 02 03 04 05, 001 002 003 004, 0001 0002 0003",
        "photo-0123456789, IMG_0123456789.png, x0171234567, 0171234567x",
        "a hotel 1234567, recall 12345678, telephoto 7654321",
        "home/garden, data/photo-000001.png, ./images/val/photo-000001.png, /beach, a /data-set",
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


UNSPACED = TextScanner(
    identities=[
        "\u738b\u5c0f\u660e",  # Wang Xiaoming
        "\uae40\ucca0\uc218",  # Kim Cheolsu
        "\u5c71\u7530 \u592a\u90ce",  # Yamada Taro
        "\u0e2a\u0e21\u0e0a\u0e32\u0e22",  # Somchai
        "Anna",
        "\u0420\u043e\u043c\u0430",  # Roma
        "\u0930\u093e\u092e",  # Ram
        "Jos\u00e9 Ib\u00e1\u00f1ez",
    ]
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\u738b\u5c0f\u660e\u7684\u8f66", "\u738b\u5c0f\u660e"),
        ("\u6211\u548c\u738b\u5c0f\u660e", "\u738b\u5c0f\u660e"),
        ("\uae40\ucca0\uc218\ub294", "\uae40\ucca0\uc218"),
        ("\u1100\u1175\u11b7\ucca0\uc218\ub294", "\uae40\ucca0\uc218"),
        ("\u5c71\u7530\u592a\u90ce\u3055\u3093", "\u5c71\u7530\u592a\u90ce"),
        ("\u5c71\u7530\u3055\u3093", "\u5c71\u7530"),
        ("\u0e04\u0e38\u0e13\u0e2a\u0e21\u0e0a\u0e32\u0e22\u0e21\u0e32", None),
        ("\uff21\uff4e\uff4e\uff41", "Anna"),
        ("An\u200bna", "Anna"),
        ("A\ufe0fnna", "Anna"),
        ("\u0410nn\u0430", "\u0410nn\u0430"),
        ("anna2.jpg", "anna"),
        ("\u0440\u043e\u043c\u0430", "\u0440\u043e\u043c\u0430"),
        ("\u0930\u093e\u092e.", "\u0930\u093e\u092e"),
        ("Jose Ibanez", "Jose Ibanez"),
        ("IBA\u0301N\u0303EZ", "IB\u00c1\u00d1EZ"),
    ],
)
def test_names_as_they_may_be_written(text, words):
    found = [hit.text for hit in UNSPACED.hits(text) if hit.kind == "name"]
    assert found == [words or "\u0e2a\u0e21\u0e0a\u0e32\u0e22"]


@pytest.mark.parametrize(
    "text",
    [
        "Annabel, Joanna, Hanna, annals, 64anna, anna12ff",
        "\u0430\u0440\u043e\u043c\u0430\u0442",  # aroma in Russian
        "\u0930\u093e\u092e\u093e\u092f\u0923",  # Ramayana
        "\u5c0f\u660e, \u738b, \uae40, \ucca0\uc218",
    ],
)
def test_other_words_are_no_names(text):
    assert [hit for hit in UNSPACED.hits(text) if hit.kind == "name"] == []


def test_a_mask_leaves_what_it_does_not_cover_as_it_was():
    text = "\u2460 \uff21\uff4e\uff4e\uff41, \u738b\u5c0f\u660e\u7684\u8f66 \ufb01ne \u00b2"
    masked = UNSPACED.mask(text, ["name"], {"anna": "person-1"})
    assert masked == "\u2460 person-1, [name]\u7684\u8f66 \ufb01ne \u00b2"


def test_long_lists_of_numbers_take_time_in_proportion():
    def seconds(size: int) -> float:
        begun = time.process_time()
        for unit in ("012 ", "+1 ", "(1) ", "phone 1 ", "1.", "\u00e9 1 "):
            SCANNER.hits(unit * size)
        return time.process_time() - begun

    seconds(100)
    assert seconds(40_000) < 30 * max(seconds(5_000), 0.005)
