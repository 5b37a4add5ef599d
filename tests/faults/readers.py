"""Run by test_hostile_files.py and soak.py: reads mutated photos under limits of time and memory.

Arguments: a seed, the number of files a format. A file is given ten seconds and the process one GiB
beyond what it needs to begin with. Prints one JSON object with how often each outcome came; a crash
or a hang ends the process, and the last line then names the file.
"""

from __future__ import annotations

import io
import json
import random
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from fiftyone_dp2vl.errors import PhotoError
from fiftyone_dp2vl.media import REFUSALS, probe_photo, read_photo
from fiftyone_dp2vl.release.contents import contents_of
from fiftyone_dp2vl.release.metadata import metadata_findings

SECONDS = 10
GIB = 2**30


def seeds() -> dict[str, list[bytes]]:
    """Small files of each format with all that a decoder can trip over."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (40, 56, 4), dtype=np.uint8)
    image = Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    extra = {"exif": exif, "icc_profile": profile}

    def file(kind: str, mode: str, **settings: object) -> bytes:
        stream = io.BytesIO()
        image.convert(mode).save(stream, kind, **settings)
        return stream.getvalue()

    return {
        "jpeg": [
            file("JPEG", "RGB", **extra),
            file("JPEG", "L", progressive=True),
            file("JPEG", "CMYK", **extra),
        ],
        "png": [
            file("PNG", "RGBA", **extra),
            file("PNG", "P"),
            file("PNG", "1"),
            file("PNG", "I;16"),
        ],
        "webp": [file("WEBP", "RGBA", lossless=True, **extra), file("WEBP", "RGB", quality=50)],
        "tiff": [
            file("TIFF", "RGB", compression="tiff_lzw"),
            file("TIFF", "L", compression="jpeg"),
            file("TIFF", "CMYK"),
            file("TIFF", "RGB", compression="tiff_adobe_deflate"),
        ],
    }


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One file with flipped, overwritten, repeated, removed or inserted bytes, or a huge number."""
    bad = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        at = rng.randrange(len(bad)) if rng.random() < 0.5 else rng.randrange(min(200, len(bad)))
        way = rng.randrange(6)
        if way == 0:
            bad[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            bad[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
        elif way == 2:
            bad[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        elif way == 3:
            del bad[at : at + rng.randrange(1, 40)]
        elif way == 4:
            bad[at:at] = bad[at : at + rng.randrange(1, 200)]
        else:
            bad[at:at] = rng.randbytes(rng.randrange(1, 40))
        if len(bad) < 8:
            break
    return bytes(bad)


def outcome(path: Path) -> str:
    """Reads a file in every way that the library has; returns what came of it."""
    data = path.read_bytes()
    list(metadata_findings("x", data))
    contents_of("x.json", data)
    try:
        probe_photo(path)
        photo = read_photo(path)
    except PhotoError as error:
        if error.code not in REFUSALS or "\n" in str(error):
            raise
        return error.code
    assert photo.pixels.dtype == np.uint8
    return "read"


def main() -> None:
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(seed)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + GIB, used + GIB))
    found: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.bin"
        for kind, files in seeds().items():
            for number in range(count):
                path.write_bytes(mutated(files[number % len(files)], rng))
                signal.setitimer(signal.ITIMER_PROF, SECONDS)  # of this process's own time
                begun = time.process_time()
                try:
                    found[f"{kind}: {outcome(path)}"] += 1
                except BaseException as error:
                    kept = Path(tempfile.gettempdir()) / f"dp2vl-{kind}-{seed}-{number}.bin"
                    kept.write_bytes(path.read_bytes())
                    print(f"{kept}: {type(error).__name__}: {error}", file=sys.stderr)
                    raise
                slowest = max(slowest, time.process_time() - begun)
    signal.setitimer(signal.ITIMER_PROF, 0)
    # not ru_maxrss: Linux hands the parent's own peak down to whatever it starts
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peak = int(line) * 1024
    print(json.dumps({"outcomes": found, "slowest": slowest, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
