"""With the passphrase every pixel comes back; without it, or after tampering, nothing does."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.cli import main
from fiftyone_dp2vl.errors import Cancelled, ConfigError, RunError
from fiftyone_dp2vl.media import read_photo
from fiftyone_dp2vl.release import SidecarWriter, restore
from fiftyone_dp2vl.release.passphrase import VARIABLE, read_passphrase
from fiftyone_dp2vl.release.restoration import RestoreError

PASSPHRASE = "correct horse battery"


@pytest.fixture
def originals(tmp_path: Path) -> dict[str, Path]:
    """Gray, colour and transparent photos of several sizes, and a release of them."""
    rng = np.random.default_rng(2)
    found = {}
    for number, mode in enumerate(("RGB", "L", "RGBA", "LA", "RGB")):
        size = (40 + number, 33, 4)
        image = Image.fromarray(rng.integers(0, 255, size, dtype=np.uint8)).convert(mode)
        name = f"data/photo-{number:06d}.png"
        clean, moved = tmp_path / "clean" / name, tmp_path / "release" / name
        for path in (clean, moved):
            path.parent.mkdir(parents=True, exist_ok=True)
        image.save(clean)
        values = np.asarray(image).astype(int)
        noise = rng.integers(-8, 9, values.shape)
        if mode.endswith("A"):
            noise[..., -1] = 0
        Image.fromarray((values + noise).clip(0, 255).astype(np.uint8)).save(moved)
        found[name] = clean
    return found


@pytest.fixture
def sidecar(tmp_path: Path, originals: dict[str, Path]) -> Path:
    path = tmp_path / "release.restore"
    with open(path, "wb") as stream:
        writer = SidecarWriter(stream, PASSPHRASE, len(originals))
        for name, clean in originals.items():
            writer.add(name, read_photo(clean), read_photo(tmp_path / "release" / name))
        writer.finish()
    return path


def attempt(tmp_path: Path, sidecar: Path, passphrase: str = PASSPHRASE) -> Path:
    restore(tmp_path / "release", sidecar, tmp_path / "out", passphrase)
    return tmp_path / "out"


def test_every_pixel_comes_back(tmp_path, originals, sidecar):
    out = attempt(tmp_path, sidecar)
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.png")) == sorted(originals)
    for name, clean in originals.items():
        mine, wanted = read_photo(out / name), read_photo(clean)
        assert mine.mode == wanted.mode
        np.testing.assert_array_equal(mine.pixels, wanted.pixels)
        if wanted.alpha is not None:
            np.testing.assert_array_equal(mine.alpha, wanted.alpha)


def test_a_wrong_passphrase_is_refused(tmp_path, sidecar):
    with pytest.raises(RestoreError, match="the passphrase is not the one"):
        attempt(tmp_path, sidecar, PASSPHRASE + "!")
    assert not (tmp_path / "out").exists()


def test_the_sidecar_says_nothing_without_the_passphrase(sidecar, originals, tmp_path):
    data = sidecar.read_bytes()
    assert PASSPHRASE.encode() not in data
    assert b"photo-" not in data
    head = json.loads(data[data.index(b"{") : data.index(b"}}") + 2] if b"}}" in data else b"{}")
    assert set(head) <= {"mark", "photos", "salt", "scrypt"}


def _entries(data: bytes) -> tuple[bytes, list[bytes]]:
    at = len(b"DP2VL restoration 1\n")
    at += 4 + struct.unpack_from(">I", data, at)[0]
    head, entries = data[:at], []
    while at < len(data):
        size = 4 + struct.unpack_from(">I", data, at)[0]
        entries.append(data[at : at + size])
        at += size
    return head, entries


@pytest.mark.parametrize(
    "change",
    ["a bit of a photo", "two photos swapped", "one twice", "one left out", "cut short", "longer"],
)
def test_tampering_is_refused(tmp_path, sidecar, change):
    head, entries = _entries(sidecar.read_bytes())
    if change == "a bit of a photo":
        entries[2] = entries[2][:40] + bytes([entries[2][40] ^ 1]) + entries[2][41:]
    elif change == "two photos swapped":
        entries[0], entries[1] = entries[1], entries[0]
    elif change == "one twice":
        entries[1] = entries[0]
    elif change == "one left out":
        del entries[4]
    elif change == "cut short":
        entries[4] = entries[4][:-3]
    else:
        entries.append(b"more")
    sidecar.write_bytes(head + b"".join(entries))
    with pytest.raises(RestoreError, match="was changed or cut short after it was sealed"):
        attempt(tmp_path, sidecar)
    assert not (tmp_path / "out").exists()


def test_every_byte_of_the_header_counts(tmp_path, sidecar):
    data = sidecar.read_bytes()
    head, entries = _entries(data)
    for at in range(0, len(head), 29):
        bad = head[:at] + bytes([head[at] ^ 4]) + head[at + 1 :]
        sidecar.write_bytes(bad + b"".join(entries))
        with pytest.raises(RestoreError):
            attempt(tmp_path, sidecar)


def test_a_header_cannot_ask_for_all_memory(tmp_path, sidecar):
    data = sidecar.read_bytes()
    for cost in (b'"n": 1073741824', b'"n": 65535', b'"n": -1', b'"n": true'):
        changed = data.replace(b'"n": 65536', cost, 1)
        head_at = len(b"DP2VL restoration 1\n")
        size = struct.unpack_from(">I", data, head_at)[0] + len(cost) - len(b'"n": 65536')
        changed = changed[:head_at] + struct.pack(">I", size) + changed[head_at + 4 :]
        sidecar.write_bytes(changed)
        with pytest.raises(RestoreError, match="not a restoration sidecar of this version"):
            attempt(tmp_path, sidecar)


def test_a_header_may_ask_for_what_writers_ask_for_and_a_little_more(tmp_path, sidecar):
    data = sidecar.read_bytes()
    start = len(b"DP2VL restoration 1\n")
    size = struct.unpack_from(">I", data, start)[0]
    header = json.loads(data[start + 4 : start + 4 + size])
    refused = {(2**18, 16, 1), (2**20, 8, 1), (2**20, 16, 4), (2**16, 8, 8)}
    for n, r, p in [*refused, (2**18, 8, 1), (2**17, 16, 1)]:
        made = json.dumps({**header, "scrypt": {"n": n, "r": r, "p": p}}).encode()
        sidecar.write_bytes(data[:start] + struct.pack(">I", len(made)) + made)
        # a passphrase is tried only where the cost was found fit
        wanted = "not a restoration sidecar" if (n, r, p) in refused else "passphrase is not the"
        with pytest.raises(RestoreError, match=wanted):
            attempt(tmp_path, sidecar)


def test_a_header_of_brackets_is_refused(tmp_path, sidecar):
    for header in (b"[" * 4096, b'{"a":' * 800, b"7" * 4096):
        sidecar.write_bytes(b"DP2VL restoration 1\n" + struct.pack(">I", len(header)) + header)
        with pytest.raises(RestoreError, match="not a restoration sidecar"):
            attempt(tmp_path, sidecar)


def test_another_release_is_refused(tmp_path, sidecar):
    path = tmp_path / "release" / "data" / "photo-000001.png"
    shutil.copy(tmp_path / "clean" / "data" / "photo-000001.png", path)
    with pytest.raises(
        RestoreError, match=r"is not the picture that release\.restore was made for"
    ):
        attempt(tmp_path, sidecar)
    path.unlink()
    with pytest.raises(RestoreError, match="does not exist"):
        attempt(tmp_path, sidecar)


def test_a_sidecar_writes_nowhere_but_into_its_folder(tmp_path, originals):
    path = tmp_path / "evil.restore"
    shutil.copy(originals["data/photo-000000.png"], tmp_path / "escape.png")
    with open(path, "wb") as stream:
        writer = SidecarWriter(stream, PASSPHRASE, 1)
        photo = read_photo(tmp_path / "escape.png")
        writer.add("../escape.png", photo, photo)
        writer.finish()
    before = (tmp_path / "escape.png").stat().st_mtime_ns
    with pytest.raises(RunError, match="not a file inside"):
        attempt(tmp_path, path)
    assert (tmp_path / "escape.png").stat().st_mtime_ns == before


def test_it_can_be_cancelled_and_never_overwrites(tmp_path, sidecar):
    with pytest.raises(Cancelled):
        restore(tmp_path / "release", sidecar, tmp_path / "out", PASSPHRASE, cancel=lambda: True)
    assert not (tmp_path / "out").exists()
    attempt(tmp_path, sidecar)
    with pytest.raises(RunError, match="holds files already"):
        attempt(tmp_path, sidecar)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


class TestPassphrases:
    def test_short_ones_are_refused(self, tmp_path):
        with open(tmp_path / "x", "wb") as stream, pytest.raises(ConfigError, match="shorter than"):
            SidecarWriter(stream, "short", 1)

    def test_from_the_environment_and_from_a_file(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, "from the environment")
        assert read_passphrase() == "from the environment"
        (tmp_path / "p").write_text("from a file\nsecond line\n")
        assert read_passphrase(tmp_path / "p") == "from a file"
        (tmp_path / "p").write_text("\n")
        with pytest.raises(ConfigError, match="is empty"):
            read_passphrase(tmp_path / "p")
        with pytest.raises(ConfigError, match="cannot be read as text"):
            read_passphrase(tmp_path / "nothing")

    def test_nobody_to_ask(self, monkeypatch):
        monkeypatch.delenv(VARIABLE, raising=False)
        with pytest.raises(ConfigError, match="nobody to ask"):
            read_passphrase()


class TestTheCommand:
    def test_restores_and_never_says_the_passphrase(
        self, tmp_path, sidecar, originals, monkeypatch, capsys
    ):
        monkeypatch.setenv(VARIABLE, PASSPHRASE)
        out = tmp_path / "out"
        status = main(
            ["restore", str(tmp_path / "release"), "--sidecar", str(sidecar), "--out", str(out)]
        )
        said = capsys.readouterr()
        assert status == 0
        assert f"5 photos restored in {out}" in said.out
        assert PASSPHRASE not in said.out + said.err
        assert len(list(out.rglob("*.png"))) == 5

    def test_answers_a_wrong_passphrase_with_one_sentence(
        self, tmp_path, sidecar, monkeypatch, capsys
    ):
        monkeypatch.setenv(VARIABLE, "wrong horse battery")
        status = main(
            [
                "restore",
                str(tmp_path / "release"),
                "--sidecar",
                str(sidecar),
                "--out",
                str(tmp_path / "o"),
            ]
        )
        said = capsys.readouterr()
        assert status == 1
        assert said.err == (
            "dp2vl: the passphrase is not the one that release.restore was sealed with\n"
        )

    def test_takes_no_passphrase_as_argument(self, tmp_path, capsys):
        with pytest.raises(SystemExit):
            main(["restore", "--help"])
        options = [word for word in capsys.readouterr().out.split() if word.startswith("--pass")]
        assert set(options) == {"--passphrase-file"}
