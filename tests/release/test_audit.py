"""Each planted leak is caught, by its own name; a good release raises no alarm."""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, PngImagePlugin
from PIL.ExifTags import IFD, Base

from fiftyone_dp2vl.errors import Cancelled, ConfigError, DP2VLError
from fiftyone_dp2vl.release import AuditReport, PrivateSet, audit_release
from fiftyone_dp2vl.release.report import CODES
from fiftyone_dp2vl.runs import Progress

KEY = f"{3:024x}"
CLEAN_ONLY = f"{9:024x}"


def codes(report: AuditReport, file: str | None = None) -> set[str]:
    return {f.code for f in report.findings if file in (None, f.file)}


def levels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def write(path: Path, values: np.ndarray, **settings) -> None:
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(path, **settings)


def with_exif(path: Path, exif: bytes) -> None:
    image = Image.open(path)
    image.load()
    image.save(path, exif=exif)


class TestAGoodRelease:
    def test_raises_no_alarm(self, audit, share):
        report = audit()
        assert report.findings == ()
        assert report.passed
        assert report.files == 9
        assert len(report.pictures) == 8
        assert all(0 < p.linf <= 8 for p in report.pictures)
        assert all(
            p.shift[share.encoder.name] == pytest.approx(1, abs=0.01) for p in report.pictures
        )
        assert report.summary() == (
            "nothing was found in 8 pictures in 9 files, held against 10 originals"
        )

    def test_nothing_of_the_dataset_stands_in_its_report(self, audit, share, tmp_path):
        report = audit(signed_off_by="R. Eviewer")
        report.save(tmp_path / "audit.json")
        for path in (tmp_path / "audit.json", tmp_path / "audit.html"):
            text = path.read_text()
            assert "R. Eviewer" in text
            for photo in share.private.photos:
                assert photo.key not in text
                assert photo.original.stem not in text

    def test_the_folder_is_not_changed(self, audit, share):
        before = {p: p.read_bytes() for p in share.release.rglob("*") if p.is_file()}
        audit()
        assert {p: p.read_bytes() for p in share.release.rglob("*") if p.is_file()} == before

    def test_other_containers_of_the_protected_pixels_pass(self, audit, share):
        for key in list(share.names)[:2]:
            path = share.release / share.names[key]
            Image.open(share.protected(key)).save(
                path.with_suffix(".webp"), lossless=True, exact=True
            )
            path.unlink()
        assert audit().findings == ()


class TestPlantedLeaks:
    """The eight of which every one has to be caught."""

    def test_1_a_clean_file_under_another_name(self, audit, share):
        shutil.copy(share.original(KEY), share.release / "data" / "photo-000099.jpg")
        found = codes(audit(), "data/photo-000099.jpg")
        assert {"clean-file", "clean-copy"} <= found

    def test_1b_with_an_ending_of_something_else(self, audit, share):
        shutil.copy(share.original(KEY), share.release / "weights.bin")
        assert "clean-file" in codes(audit(), "weights.bin")

    def test_2_a_clean_thumbnail_in_exif(self, audit, share):
        thumbnail = io.BytesIO()
        small = Image.open(share.original(KEY)).convert("RGB")
        small.thumbnail((80, 80))
        small.save(thumbnail, "JPEG")
        jpeg = thumbnail.getvalue()
        # a little-endian TIFF: an empty first directory, then the thumbnail's
        entries = ((0x0103, 3, 6), (0x0201, 4, 56), (0x0202, 4, len(jpeg)))
        block = b"II*\0\x08\0\0\0" + b"\0\0" + (14).to_bytes(4, "little")
        block += len(entries).to_bytes(2, "little")
        for tag, kind, value in entries:
            block += tag.to_bytes(2, "little") + kind.to_bytes(2, "little")
            block += (1).to_bytes(4, "little") + value.to_bytes(4, "little")
        block += bytes(4)
        assert len(block) == 56
        with_exif(share.release / share.names[KEY], b"Exif\0\0" + block + jpeg)
        assert codes(audit(), share.names[KEY]) == {"thumbnail", "metadata"}

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
    @pytest.mark.parametrize("quality", [30, 95])
    def test_3_a_clean_re_encoded_copy(self, audit, share, suffix, quality):
        name = f"data/photo-000099{suffix}"
        Image.open(share.original(KEY)).save(share.release / name, quality=quality, exif=b"")
        assert "clean-copy" in codes(audit(), name)

    @pytest.mark.parametrize("size", [(60, 48), (90, 72), (240, 192)])
    def test_3_a_clean_resized_copy(self, audit, share, size):
        Image.open(share.original(KEY)).resize(size).save(share.release / "data" / "x.png")
        assert "clean-copy" in codes(audit(), "data/x.png")

    @pytest.mark.parametrize("way", list(Image.Transpose))
    def test_3_a_clean_turned_or_mirrored_copy(self, audit, share, way):
        image = Image.open(share.original(KEY)).transpose(way).resize((77, 70))
        image.save(share.release / "data" / "x.png")
        assert "clean-copy" in codes(audit(), "data/x.png")

    def test_4_gps_left_in(self, audit, share):
        exif = Image.Exif()
        exif.get_ifd(IFD.GPSInfo)[2] = (52.0, 31.0, 12.0)
        with_exif(share.release / share.names[KEY], exif.tobytes())
        assert codes(audit(), share.names[KEY]) == {"gps", "metadata"}

    @pytest.mark.parametrize("form", ["list", "binary", "csv", "npy"])
    def test_5_a_clean_embedding_in_a_field(self, audit, share, form):
        vector = share.private.embeddings["clean"][4].astype(np.float32)
        packed = io.BytesIO()
        np.save(packed, vector)
        name, data = {
            "list": ("labels.json", json.dumps({"v": vector.tolist()})),
            "binary": (
                "samples.json",
                json.dumps(
                    {
                        "v": {
                            "$binary": {
                                "base64": base64.b64encode(
                                    zlib.compress(packed.getvalue())
                                ).decode(),
                                "subType": "00",
                            }
                        }
                    }
                ),
            ),
            "csv": ("labels.csv", "photo,v\na.png," + ",".join(map(str, vector)) + "\n"),
            "npy": ("vectors.npy", packed.getvalue()),
        }[form]
        (share.release / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        assert codes(audit()) == {"embedding"}

    def test_6_an_original_path_in_json(self, audit, share):
        data = {"filepath": str(share.original(KEY))}
        (share.release / "labels.json").write_text(json.dumps(data))
        (finding, *more) = audit().findings
        assert finding.code == "text"
        assert {finding.kind, *(f.kind for f in more)} == {"path", "file name"}

    def test_7_an_over_budget_file(self, audit, share):
        clean, moved = levels(share.original(KEY)), levels(share.protected(KEY))
        write(share.release / share.names[KEY], clean + 2 * (moved - clean))
        assert codes(audit(), share.names[KEY]) == {"over-budget"}

    def test_7b_over_budget_by_one_level_in_one_pixel(self, audit, share):
        clean, values = levels(share.original(KEY)), levels(share.protected(KEY))
        place = np.unravel_index(clean[..., 0].argmin(), clean.shape[:2])
        values[(*place, 0)] = clean[(*place, 0)] + 9
        write(share.release / share.names[KEY], values)
        (finding,) = audit().findings
        assert finding.code == "over-budget"
        assert finding.message == "it differs by 9 grey levels, the budget is 8"

    def test_8_a_file_that_lost_its_shift_by_re_encoding(self, audit, share):
        path = share.release / share.names[KEY]
        stream = io.BytesIO()
        Image.open(path).filter(ImageFilter.GaussianBlur(3)).save(stream, "JPEG", quality=10)
        path.unlink()
        path.with_suffix(".jpg").write_bytes(stream.getvalue())
        report = audit()
        assert "lost-shift" in codes(report, share.names[KEY].replace(".png", ".jpg"))


class TestOtherLeaks:
    def test_serial_numbers_and_the_makers_note(self, audit, share):
        exif = Image.Exif()
        exif.get_ifd(IFD.Exif)[Base.BodySerialNumber] = "12345"
        exif.get_ifd(IFD.Exif)[Base.MakerNote] = b"note"
        with_exif(share.release / share.names[KEY], exif.tobytes())
        report = audit()
        assert codes(report) == {"serial", "metadata"}
        assert "the camera's serial number, the maker's note" in str(report.findings)

    def test_comments_and_xmp(self, audit, share):
        path = share.release / share.names[KEY]
        info = PngImagePlugin.PngInfo()
        info.add_text("Comment", "at home")
        info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
        Image.open(path).save(path, pnginfo=info)
        assert [f.code for f in audit().findings] == ["metadata", "metadata"]

    def test_a_clean_photo_behind_the_end_of_a_picture(self, audit, share):
        path = share.release / share.names[KEY]
        path.write_bytes(path.read_bytes() + share.original(KEY).read_bytes())
        assert codes(audit()) == {"trailing-data", "thumbnail"}

    def test_a_clean_photo_inside_json(self, audit, share):
        text = base64.b64encode(share.original(KEY).read_bytes()).decode()
        (share.release / "labels.json").write_text(json.dumps({"thumb": text}))
        assert codes(audit()) == {"embedded-picture"}

    def test_clean_pixels_as_an_array(self, audit, share):
        np.save(share.release / "mask.npy", levels(share.original(KEY)).astype(np.uint8))
        assert codes(audit()) == {"embedded-picture"}
        np.save(share.release / "mask.npy", np.eye(64, dtype=np.uint8))
        assert audit().passed

    def test_the_clean_original_of_a_photo_that_was_never_protected(self, audit, share):
        Image.open(share.original(CLEAN_ONLY)).save(share.release / "data" / "x.png", exif=b"")
        assert codes(audit(), "data/x.png") == {"clean-copy"}
        report = audit(allow_unprotected=1)
        assert report.passed
        assert report.notes == ("1 photos are released without protection, as was confirmed",)

    def test_a_picture_from_elsewhere(self, audit, share):
        noise = np.random.default_rng(5).integers(0, 255, (90, 70, 3))
        write(share.release / "data" / "x.png", noise)
        assert codes(audit()) == {"unknown-picture"}

    def test_a_resized_protected_photo_cannot_be_verified(self, audit, share):
        path = share.release / share.names[KEY]
        Image.open(path).resize((90, 72)).save(path)
        assert codes(audit()) == {"not-verified"}

    def test_what_cannot_be_inspected(self, audit, share):
        (share.release / "model.pkl").write_bytes(b"\x80\x04\x95\0\xff")
        (share.release / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
        Image.open(share.protected(KEY)).save(share.release / "data" / "x.tif")
        report = audit()
        assert {f.file for f in report.findings if f.code == "opaque"} == {
            *("model.pkl", "broken.png", "data/x.tif")
        }

    def test_links(self, audit, share):
        (share.release / "data" / "more.png").symlink_to(share.original(KEY))
        assert codes(audit()) == {"link"}

    def test_names_in_file_names_labels_and_folders(self, audit, share):
        (share.release / "ada_lind").mkdir()
        path = share.release / share.names[KEY]
        path.rename(path.with_name("OYELARAN-1.png"))
        (share.release / "labels.json").write_text(json.dumps({"label": "Bo Rask's boat"}))
        report = audit()
        assert {(f.file, f.kind) for f in report.findings} == {
            ("ada_lind", "name"),
            ("data/OYELARAN-1.png", "name"),
            ("labels.json", "name"),
        }
        kept = audit(keep_text=["name"])
        assert kept.passed
        assert kept.notes == (
            "a person's name was kept on purpose 3 times: pixels cannot unsay text",
        )


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _rows(vectors: np.ndarray, number: str = "{:.6f}", between: str = ",") -> list[str]:
    return [between.join(number.format(x) for x in row) for row in vectors]


VECTOR_FORMS = {
    "csv after an id and before a score": lambda v: (
        "x.csv",
        "id,a,b\n" + "".join(f"{n},{row},0.5\n" for n, row in enumerate(_rows(v))),
    ),
    "csv of quoted numbers": lambda v: (
        "x.csv",
        "".join(f'"a.png","3","{row}"\n' for row in _rows(v, between='","')),
    ),
    "csv with decimal commas": lambda v: (
        "x.csv",
        "\n".join(row.replace(".", ",") for row in _rows(v, between=";")),
    ),
    "csv, one column a vector": lambda v: (
        "x.csv",
        "\n".join(f"{n},{row}" for n, row in enumerate(_rows(v.T))),
    ),
    "one number a line": lambda v: ("x.txt", "\n".join(_rows(v[4:5], between="\n"))),
    "numbered": lambda v: ("x.svm", " ".join(f"{n}:{x:.5f}" for n, x in enumerate(v[4]))),
    "tags": lambda v: ("x.xml", "<v>" + "</v><v>".join(f"{x:.5f}" for x in v[4]) + "</v>"),
    "records": lambda v: (
        "x.json",
        json.dumps([{"id": 7, **{f"e{n}": x for n, x in enumerate(row)}} for row in v]),
    ),
    "columns": lambda v: (
        "x.json",
        json.dumps({f"e{n}": dict(enumerate(column)) for n, column in enumerate(v.T)}),
    ),
    "a document a line": lambda v: (
        "x.jsonl",
        "".join(json.dumps({"id": n, "v": list(row)}) + "\n" for n, row in enumerate(v)),
    ),
    "nested": lambda v: ("x.json", json.dumps({"v": v[4].reshape(2, 2, 4).tolist()})),
    "longer lists": lambda v: ("x.json", json.dumps([[n, *row, 1] for n, row in enumerate(v)])),
    "texts": lambda v: ("x.json", json.dumps({"v": [f"{x:.5f}" for x in v[4]]})),
    "nan among them": lambda v: ("x.npy", _npy(np.vstack([np.full(v.shape[1], np.nan), v[4]]))),
    "with a nan and an infinity": lambda v: (
        "x.npy",
        _npy(np.where(np.arange(v.shape[1]) == np.abs(v[4]).argmin(), np.inf, v[4])),
    ),
    "huge": lambda v: ("x.npy", _npy(v[4] * 1e300)),
    "halves": lambda v: ("x.npy", _npy(v.astype(np.float16))),
    "wider rows": lambda v: ("x.npy", _npy(np.hstack([np.full((len(v), 3), 1e12), v]))),
    "transposed": lambda v: ("x.npy", _npy(v.T)),
    "flat": lambda v: ("x.npy", _npy(v.reshape(-1))),
    "structured": lambda v: (
        "x.npy",
        _npy(np.array([(1, v[4])], dtype=[("n", "i4"), ("v", "f4", v.shape[1])])),
    ),
}


@pytest.mark.parametrize("form", VECTOR_FORMS)
def test_embeddings_in_any_table_are_found(audit, share, form):
    name, data = VECTOR_FORMS[form](share.private.embeddings["clean"])
    (share.release / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    assert codes(audit()) == {"embedding"}


@pytest.mark.parametrize("form", VECTOR_FORMS)
def test_other_numbers_are_no_embeddings(audit, share, form):
    name, data = VECTOR_FORMS[form](np.random.default_rng(99).normal(size=(10, 16)))
    (share.release / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    assert audit().findings == ()


def test_an_embedding_beside_one_that_is_not_a_number(share):
    vectors = share.private.embeddings["clean"].copy()
    vectors[2] = np.nan
    (share.release / "x.json").write_text(json.dumps(vectors[4].tolist()))
    private = replace(share.private, embeddings={"clean": vectors, "none": vectors[:0]})
    assert codes(audit_release(share.release, private, encoders=[share.encoder])) == {"embedding"}


RASTERS = {
    "of 0 to 1": lambda a: a / 255,
    "of 0 to 1 in single precision": lambda a: (a / 255).astype(np.float32),
    "of 0 to 255": lambda a: a.astype(np.float32),
    "of -1 to 1": lambda a: a / 127.5 - 1,
    "of whole numbers": lambda a: a.astype(np.int64),
    "standardised": lambda a: (a / 255 - [0.48, 0.46, 0.41]) / [0.27, 0.26, 0.28],
    "with transparency": lambda a: np.dstack([a, np.full(a.shape[:2], 255)]).astype(np.uint8),
    "gray": lambda a: np.asarray(Image.fromarray(a.astype(np.uint8)).convert("L")),
    "gray with an axis": lambda a: (a @ [0.299, 0.587, 0.114])[..., None],
    "channels first": lambda a: a.astype(np.uint8).transpose(2, 0, 1),
    "blue first": lambda a: a[..., ::-1].astype(np.uint8),
    "a batch": lambda a: np.stack([np.zeros_like(a), a]).astype(np.uint8),
    "a batch, channels first, of 0 to 1": lambda a: (a / 255).transpose(2, 0, 1)[None],
    "rows laid flat": lambda a: np.stack([a, a]).astype(np.uint8).reshape(2, -1),
    "one row laid flat, channels first": lambda a: a.astype(np.uint8).transpose(2, 0, 1).ravel(),
    "hidden in transparency": lambda a: np.dstack(
        [np.zeros_like(a), a @ [0.299, 0.587, 0.114]]
    ).astype(np.uint8),
}


@pytest.mark.parametrize("form", RASTERS)
def test_clean_pixels_in_arrays_of_any_kind_are_found(audit, share, form):
    (share.release / "x.npy").write_bytes(_npy(RASTERS[form](levels(share.original(KEY)))))
    assert codes(audit()) == {"embedded-picture"}


@pytest.mark.parametrize("form", [f for f in RASTERS if "standard" not in f and "hidden" not in f])
def test_protected_pixels_in_arrays_are_no_leak(audit, share, form):
    (share.release / "x.npy").write_bytes(_npy(RASTERS[form](levels(share.protected(KEY)))))
    assert audit().findings == ()


def test_clean_pixels_in_text(audit, share):
    small = Image.open(share.original(KEY)).convert("RGB").resize((40, 32))
    (share.release / "x.json").write_text(json.dumps(np.asarray(small).tolist()))
    gray = np.asarray(small.convert("L"))
    (share.release / "y.csv").write_text("\n".join(",".join(map(str, row)) for row in gray))
    report = audit()
    assert {f.file for f in report.findings if f.code == "embedded-picture"} == {"x.json", "y.csv"}


def test_a_clean_photo_in_transparency(audit, share):
    path = share.release / share.names[KEY]
    image = Image.open(path).convert("RGB")
    image.putalpha(Image.open(share.original(KEY)).convert("L"))
    image.save(path)
    assert codes(audit()) == {"hidden-data"}
    image.putalpha(255)
    image.save(path)
    assert audit().passed


def test_a_clean_photo_behind_the_compressed_pixels(audit, share):
    path = share.release / share.names[KEY]
    data = path.read_bytes()
    at = data.rindex(b"IDAT") - 4
    (size,) = struct.unpack_from(">I", data, at)
    held = data[at + 4 : at + 8 + size] + share.original(KEY).read_bytes()
    chunk = struct.pack(">I", len(held) - 4) + held + struct.pack(">I", zlib.crc32(held))
    path.write_bytes(data[:at] + chunk + data[at + 12 + size :])
    assert codes(audit()) == {"hidden-data", "thumbnail"}


def test_telephone_numbers_among_labels(audit, share):
    (share.release / "labels.json").write_text(json.dumps({"id": 4915112345678, "n": [1, 2]}))
    assert audit().passed
    (share.release / "labels.json").write_text(json.dumps({"phone": 4915112345678}))
    (finding,) = audit().findings
    assert (finding.code, finding.kind) == ("text", "phone")


def test_a_file_that_goes_away_meanwhile_is_a_finding(share):
    gone = share.release / "labels.json"

    def vanish(progress: Progress) -> None:
        if progress.phase == "index" and gone.exists():
            gone.unlink()

    report = audit_release(share.release, share.private, encoders=[share.encoder], progress=vanish)
    (finding,) = report.findings
    assert (finding.code, finding.file) == ("opaque", "labels.json")
    assert "no such file" in finding.message


class TestTheReport:
    def test_it_comes_back_as_it_was(self, audit, share, tmp_path):
        (share.release / "x.txt").write_text("ada@example.org")
        report = audit()
        report.save(tmp_path / "audit.json")
        data = json.loads((tmp_path / "audit.json").read_text())
        assert AuditReport.from_dict(data) == report
        assert not report.passed

    def test_a_changed_report_is_refused(self, audit, share):
        (share.release / "x.txt").write_text("ada@example.org")
        data = audit().to_dict()
        data["findings"] = []
        with pytest.raises(DP2VLError, match="audit the folder again"):
            AuditReport.from_dict(data)

    def test_it_names_the_bytes_that_were_audited(self, audit, share):
        first = audit().tree_sha256
        (share.release / "labels.json").write_text("{}")
        assert audit().tree_sha256 != first

    def test_its_page_escapes_what_others_wrote(self, audit, share, tmp_path):
        evil = "<script>alert(1)</script>@example.org.txt"
        (share.release / "data" / "<img src=x onerror=alert(1)>.txt").write_text("x")
        (share.release / "x.txt").write_text(f"/home/ada/<script>{evil} Ada&Lind")
        (share.release / "<b>Ada Lind.txt").write_text("")
        audit(signed_off_by="<i>me</i>").save(tmp_path / "audit.json")
        page = (tmp_path / "audit.html").read_text()
        assert "<script" not in page
        assert "<img" not in page
        assert "<i>" not in page
        assert "<b>" not in page
        assert "&lt;b&gt;Ada Lind.txt" in page

    def test_its_page_says_what_the_seal_is(self, audit, tmp_path):
        audit().save(tmp_path / "audit.json")
        page = (tmp_path / "audit.html").read_text()
        assert "a checksum of itself without a key" in page
        assert "can seal it anew" in page

    def test_every_code_has_its_words(self, audit, share):
        assert set(audit().counts()) <= set(CODES)


def test_wrong_questions_are_answered(share, audit, tmp_path):
    with pytest.raises(DP2VLError, match="is not a folder"):
        audit_release(tmp_path / "nothing", share.private, encoders=[share.encoder])
    with pytest.raises(ConfigError, match="no kind of words 'nme'"):
        audit(keep_text=["nme"])
    with pytest.raises(Cancelled):
        audit(cancel=lambda: True)


def test_progress_is_told(audit):
    seen = []
    audit(progress=seen.append)
    assert {p.phase for p in seen} == {"index", "audit"}
    assert (seen[-1].done, seen[-1].total) == (9, 9)


def test_without_surrogates_it_says_what_was_not_checked(share):
    private = PrivateSet(share.private.photos, epsilon=8)
    report = audit_release(share.release, private)
    assert report.passed
    assert "no surrogate looked at the pictures" in report.notes[0]
