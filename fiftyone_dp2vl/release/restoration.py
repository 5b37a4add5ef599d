"""Authorised restoration: the perturbations, sealed for whoever has the passphrase.

A sidecar holds, for each released photo, the difference of the original's pixels from the released
ones modulo 256, compressed and encrypted: with it the exact original pixels come back, without it
nothing does. The key is derived by scrypt (Percival, RFC 7914); each photo is sealed by AES-256-GCM
(NIST SP 800-38D) together with the sidecar's header, its place and its file's name, so that no
photo can be changed, swapped, repeated or left out unnoticed. A sidecar's key is its own (a random
salt), so its photos' numbers serve as nonces.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..config import OutputConfig
from ..errors import DP2VLError, PhotoError, reason_of
from ..media import Photo, read_photo, write_photo
from ..runs import Progress
from ..runs.names import checked_path
from .passphrase import check_passphrase
from .pictures import rgb
from .staging import staged
from .steps import Steps

__all__ = ["SUFFIX", "RestoreError", "SidecarWriter", "restore"]

SUFFIX = ".restore"
"""Ending of a sidecar's name."""

Pixels = NDArray[np.uint8]

_MAGIC = b"DP2VL restoration 1\n"
_SCRYPT = {"n": 2**16, "r": 8, "p": 1}
"""64 MiB and about a fifth of a second for each guess."""

_LARGEST_SCRYPT = {"n": 2**18, "r": 32, "p": 4}
_LARGEST_SCRYPT_BYTES = 256 * 2**20
_LARGEST_HEADER = 4096
_LARGEST_ENTRY = 2**31
_TAG_BYTES = 16


class RestoreError(DP2VLError):
    """A sidecar cannot be opened, or does not belong to a release."""


class _Key:
    """What a passphrase and a salt make: a cipher, and a mark that tells a wrong passphrase."""

    def __init__(self, passphrase: str, salt: bytes, cost: dict[str, int]) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
        except ImportError as error:
            raise RestoreError(
                "restoration needs the library cryptography: pip install 'fiftyone_dp2vl[release]'"
            ) from error
        made = Scrypt(salt=salt, length=64, **cost).derive(passphrase.encode())
        self._cipher = AESGCM(made[:32])
        self.mark = hmac.new(made[32:], b"dp2vl passphrase", hashlib.sha256).hexdigest()

    def seal(self, number: int, data: bytes, about: bytes) -> bytes:
        return self._cipher.encrypt(_nonce(number), data, about)

    def open(self, number: int, data: bytes, about: bytes) -> bytes:
        return self._cipher.decrypt(_nonce(number), data, about)


class SidecarWriter:
    """Writes a sidecar, photo by photo.

    Args:
        stream: a new file, open for binary writing
        passphrase: at least 12 characters
        photos: how many photos will be added

    Raises:
        ConfigError: if the passphrase is too short
        RestoreError: if the library for it is missing
    """

    def __init__(self, stream: IO[bytes], passphrase: str, photos: int) -> None:
        check_passphrase(passphrase)
        salt = secrets.token_bytes(16)
        self._key = _Key(passphrase, salt, _SCRYPT)
        header = {"salt": salt.hex(), "scrypt": _SCRYPT, "photos": photos, "mark": self._key.mark}
        self._header = json.dumps(header, sort_keys=True).encode()
        self._stream = stream
        self._photos = photos
        self._added = 0
        stream.write(_MAGIC + struct.pack(">I", len(self._header)) + self._header)

    def add(self, name: str, original: Photo, released: Photo) -> None:
        """Adds a photo.

        Args:
            name: its path in the release
            original: the clean photo
            released: the file of the release as it was read back; of the same size
        """
        clean, moved = rgb(original.pixels), rgb(released.pixels)
        facts = {
            "name": name,
            "shape": list(original.pixels.shape),
            "released": _digest(moved),
            "original": _digest(clean),
        }
        head = json.dumps(facts, sort_keys=True).encode()
        difference = _as_kept(clean, original) - _as_kept(moved, original)  # modulo 256
        body = struct.pack(">I", len(head)) + head + zlib.compress(difference.tobytes(), 6)
        sealed = self._key.seal(self._added, body, _about(self._header, self._added))
        self._stream.write(struct.pack(">I", len(sealed)) + sealed)
        self._added += 1

    def finish(self) -> None:
        """Brings the file to the disk; all photos must have been added."""
        if self._added != self._photos:
            raise RestoreError(f"{self._added} of {self._photos} photos were added to the sidecar")
        self._stream.flush()
        os.fsync(self._stream.fileno())


def restore(
    release: str | Path,
    sidecar: str | Path,
    directory: str | Path,
    passphrase: str,
    *,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> int:
    """Writes the original pixels of a release's photos, as PNG, into a new folder.

    Args:
        release: the release's folder
        sidecar: the file that came apart from it
        directory: a new folder; it appears once every photo is restored and verified
        passphrase: the sidecar's
        progress: called while it goes on
        cancel: asked while it goes on

    Returns:
        how many photos were restored

    Raises:
        RestoreError: if the passphrase is wrong, the sidecar was changed, or the release is another
        DP2VLError: if the folder cannot be written
    """
    release, sidecar = Path(release), Path(sidecar)
    if not release.is_dir():
        raise RestoreError(f"{release} is not a folder: give the folder of the release")
    with _opened(sidecar) as stream, staged(Path(directory)) as stage:
        header, facts = _header(stream, sidecar)
        key = _Key(passphrase, bytes.fromhex(facts["salt"]), facts["scrypt"])
        if not hmac.compare_digest(key.mark, facts["mark"]):
            raise RestoreError(f"the passphrase is not the one that {sidecar.name} was sealed with")
        steps = Steps("restore", facts["photos"], "restoring photos", progress, cancel)
        for number, sealed in enumerate(_entries(stream, facts["photos"], sidecar)):
            body = _unsealed(key, number, sealed, header, sidecar)
            _restore_photo(body, release, stage.folder, sidecar)
            steps.at(number + 1)
        return int(facts["photos"])


def _opened(sidecar: Path) -> IO[bytes]:
    try:
        return open(sidecar, "rb")
    except OSError as error:
        reason = reason_of(error)
        raise RestoreError(f"the sidecar {sidecar} cannot be read ({reason})") from error


def _header(stream: IO[bytes], sidecar: Path) -> tuple[bytes, dict[str, Any]]:
    """Returns a sidecar's header as it stands and as values that are safe to act upon."""
    try:
        if stream.read(len(_MAGIC)) != _MAGIC:
            raise ValueError
        (size,) = struct.unpack(">I", stream.read(4))
        if size > _LARGEST_HEADER:
            raise ValueError
        header = stream.read(size)
        facts = json.loads(header)
        cost = {name: facts["scrypt"][name] for name in _SCRYPT}
        sane = all(type(v) is int and 0 < v <= _LARGEST_SCRYPT[k] for k, v in cost.items())
        sane = sane and cost["n"] >= 2 and cost["n"] & (cost["n"] - 1) == 0
        # scrypt holds n blocks of 128 r bytes, and p more
        memory = 128 * cost["r"] * (cost["n"] + cost["p"]) if sane else 0
        sane = sane and memory <= _LARGEST_SCRYPT_BYTES + 2**20
        sane = sane and type(facts["photos"]) is int and facts["photos"] >= 0
        if not sane or len(bytes.fromhex(facts["salt"])) != 16 or type(facts["mark"]) is not str:
            raise ValueError
        facts["mark"].encode("ascii")
    except (ValueError, KeyError, TypeError, struct.error, RecursionError) as error:
        raise RestoreError(
            f"{sidecar.name} is not a restoration sidecar of this version: give the file that came "
            "with the release"
        ) from error
    return header, {**facts, "scrypt": cost}


def _entries(stream: IO[bytes], count: int, sidecar: Path) -> Iterator[bytes]:
    for _ in range(count):
        head = stream.read(4)
        size = struct.unpack(">I", head)[0] if len(head) == 4 else 0
        sealed = stream.read(size) if _TAG_BYTES <= size <= _LARGEST_ENTRY else b""
        if len(sealed) != size or not size:
            raise _tampered(sidecar)
        yield sealed
    if stream.read(1):
        raise _tampered(sidecar)


def _unsealed(key: _Key, number: int, sealed: bytes, header: bytes, sidecar: Path) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return key.open(number, sealed, _about(header, number))
    except InvalidTag as error:
        raise _tampered(sidecar) from error


def _restore_photo(body: bytes, release: Path, folder: Path, sidecar: Path) -> None:
    (size,) = struct.unpack_from(">I", body)
    facts = json.loads(body[4 : 4 + size])
    name = facts["name"]
    try:
        released = read_photo(checked_path(release, name))
    except PhotoError as error:
        raise RestoreError(
            f"the release lacks what {sidecar.name} was made for: {error}"
        ) from error
    if _digest(rgb(released.pixels)) != facts["released"]:
        raise RestoreError(
            f"{name} is not the picture that {sidecar.name} was made for: take the release as it "
            "was published"
        )
    shape = tuple(facts["shape"])
    data = zlib.decompressobj().decompress(body[4 + size :], int(np.prod(shape)) or 1)
    difference = np.frombuffer(data, dtype=np.uint8).reshape(shape)
    moved = rgb(released.pixels)
    pixels = difference + (moved[..., 0] if len(shape) == 2 else moved)  # modulo 256
    if _digest(rgb(pixels)) != facts["original"]:
        raise _tampered(sidecar)
    target = checked_path(folder, name).with_suffix(".png")
    write_photo(Photo(pixels=pixels, alpha=released.alpha), target, OutputConfig())


def _as_kept(pixels: Pixels, original: Photo) -> Pixels:
    """Returns RGB pixels with as many channels as the original has."""
    return pixels[..., 0] if original.pixels.ndim == 2 else pixels


def _digest(pixels: Pixels) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def _about(header: bytes, number: int) -> bytes:
    """Returns what a photo is sealed together with."""
    return hashlib.sha256(header).digest() + struct.pack(">Q", number)


def _nonce(number: int) -> bytes:
    return struct.pack(">IQ", 0, number)


def _tampered(sidecar: Path) -> RestoreError:
    return RestoreError(
        f"{sidecar.name} was changed or cut short after it was sealed: get it again from its source"
    )
