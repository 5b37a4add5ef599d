"""A release holds protected photos and what was chosen, passes its own audit, and appears whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stopping import stop_after

from fiftyone_dp2vl.cli import main
from fiftyone_dp2vl.errors import Cancelled, ConfigError, RunError
from fiftyone_dp2vl.media import read_photo
from fiftyone_dp2vl.release import restore, staging
from fiftyone_dp2vl.store import (
    audit_release,
    export_release,
    list_releases,
    plan_release,
    protect_dataset,
)
from fiftyone_dp2vl.store.records import load_run, save_run
from fiftyone_dp2vl.store.release import job as release_job
from fiftyone_dp2vl.store.release.audit import private_set
from fiftyone_dp2vl.store.release.records import released_files, save_release

PEOPLE = ("ada", "bob", "cy")
PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str) -> Iterator[Any]:
    """A dataset with labels of every kind, all of it protected; tests do not change it."""
    import fiftyone as fo

    folder = tmp_path_factory.mktemp("shared")
    originals = folder / "originals"
    originals.mkdir()
    rng = np.random.default_rng(0)
    samples = []
    for number in range(12):
        coarse = Image.fromarray(rng.integers(40, 220, (6, 7, 3), dtype=np.uint8))
        path = originals / f"photo{number:02d}.png"
        coarse.resize((80, 64), Image.Resampling.BICUBIC).save(path)
        box = fo.Detection(label="face", bounding_box=[0.1, 0.1, 0.5, 0.5], source="/home/x/y.json")
        box.mask = np.ones((4, 4), bool)
        samples.append(
            fo.Sample(
                filepath=str(path),
                tags=["share", "album"],
                identity=PEOPLE[number % 3],
                scene=("beach", "kitchen", "garden")[number % 3],
                caption="a day out",
                weather=fo.Classification(
                    label=("sun", "rain")[number % 2], secret="x", tags=["t"]
                ),
                faces=fo.Detections(detections=[box]),
            )
        )
    dataset = fo.Dataset()
    dataset.add_samples(samples, progress=False)
    before = tree(originals)
    protect_dataset(
        dataset,
        "one",
        output_dir=str(folder / "run"),
        group_field="identity",
        encoders=[tiny_encoder],
        steps=12,
        lanes=4,
        transforms=[],
    )
    yield dataset
    dataset.delete()
    assert tree(originals) == before


@pytest.fixture
def own(shared: Any) -> Iterator[Any]:
    """The same dataset to change; what is changed in the run's folder is put back."""
    dataset = shared.clone()
    save_run(dataset, load_run(shared, "one"))
    files = {path: path.read_bytes() for path in map(Path, shared.values("dp2vl_one_path"))}
    yield dataset
    dataset.delete()
    for path, data in files.items():
        path.write_bytes(data)


def run_folder(dataset: Any) -> Path:
    return Path(load_run(dataset, "one").directory)


def listing(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def tree(folder: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in listing(folder)
    }


def pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.png"))


def everything_in(folder: Path) -> bytes:
    return b"\n".join((folder / n).read_bytes() + n.encode() for n in listing(folder))


FORMATS = [
    ("directory", []),
    ("fiftyone", ["scene", "weather", "faces", "tags"]),
    ("coco", ["faces"]),
    ("yolo", ["faces"]),
    ("voc", ["faces"]),
    ("classification-tree", ["scene"]),
    ("csv", ["scene", "weather"]),
    ("CVATImageDataset", ["faces"]),
]


class TestWhatLeaves:
    @pytest.mark.parametrize(("format", "fields"), FORMATS)
    def test_protected_pixels_and_chosen_fields_alone(self, shared, tmp_path, format, fields):
        out = tmp_path / "share" / "out"
        release = export_release(shared, out, format=format, fields=fields)
        assert release.report.passed, release.report.summary()
        assert release.photos == 12
        wanted = {np.asarray(Image.open(p)).tobytes() for p in shared.values("dp2vl_one_path")}
        found = pictures(out)
        assert {np.asarray(Image.open(p)).tobytes() for p in found} == wanted
        assert {p.name for p in found} == {f"photo-{n:06d}.png" for n in range(1, 13)}
        data = everything_in(out)
        for unwanted in (b"dp2vl", b"a day out", b"/home/", b"secret", os.fsencode(tmp_path)):
            assert unwanted not in data
        for sample_id in shared.values("id"):
            assert sample_id.encode() not in data
        for path in shared.values("filepath"):
            assert Path(path).name.encode() not in data
        assert sorted(p.name for p in out.parent.iterdir()) == [
            *("out", "out.audit.html", "out.audit.json")
        ]

    def test_a_fiftyone_dataset_can_be_read_again(self, shared, tmp_path):
        import fiftyone as fo

        out = tmp_path / "out"
        export_release(shared, out, format="fiftyone", fields=["scene", "faces"])
        again = fo.Dataset.from_dir(
            dataset_dir=str(out), dataset_type=fo.types.FiftyOneDataset, progress=False
        )
        assert again.count_values("scene") == shared.count_values("scene")
        assert again.count("faces.detections") == 12
        schema = again.get_field_schema()
        assert not [name for name in schema if name.startswith("dp2vl")]
        assert "caption" not in schema
        assert again.list_runs() == []
        assert again.list_brain_runs() == []
        assert again.count_values("tags") == {}
        again.delete()

    def test_names_and_order_tell_nothing(self, shared, tmp_path):
        orders = []
        for number in range(4):
            release = export_release(shared, tmp_path / f"out{number}")
            files = released_files(shared, release.key)
            orders.append([files[key] for key in shared.values("id")])
        assert len({tuple(order) for order in orders}) == 4
        assert all(order != sorted(order) for order in orders)

    def test_the_dataset_knows_which_photo_became_which_file(self, shared, tmp_path):
        release = export_release(shared, tmp_path / "out")
        files = released_files(shared, release.key)
        for sample in shared:
            mine = Image.open(tmp_path / "out" / files[sample.id])
            theirs = Image.open(sample.dp2vl_one_path)
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
        record = next(r for r in list_releases(shared) if r.key == release.key)
        assert (record.state, record.run, record.format) == ("complete", "one", "directory")
        assert record.tree_sha256 == release.report.tree_sha256

    def test_metadata_that_the_run_kept_does_not_travel(self, quick, tmp_path):
        import fiftyone as fo

        (tmp_path / "photos").mkdir()
        exif = Image.Exif()
        exif[0x010F] = "Camera"
        exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
        mine = fo.Dataset()
        for number in range(4):
            path = tmp_path / "photos" / f"{number}.jpg"
            noise = np.random.default_rng(number).integers(0, 255, (6, 7, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((70, 60)).save(path, exif=exif)
            mine.add_sample(fo.Sample(filepath=str(path), who=PEOPLE[number % 2]))
        protect_dataset(
            mine,
            "one",
            output_dir=str(tmp_path / "run"),
            group_field="who",
            metadata="keep",
            **quick,
        )
        assert b"Camera" in Path(mine.first().dp2vl_one_path).read_bytes()
        release = export_release(mine, tmp_path / "out")
        assert release.report.passed
        assert b"Camera" not in everything_in(tmp_path / "out")
        mine.delete()

    @pytest.mark.parametrize("written", ["webp", "jpeg"])
    def test_other_files_of_a_run_are_stripped_not_written_anew(
        self, dataset, quick, tmp_path, written
    ):
        protect_dataset(dataset, "one", output_dir=str(tmp_path / "run"), format=written, **quick)
        release = export_release(dataset, tmp_path / "out")
        assert release.report.passed, release.report.summary()
        suffix = {"webp": ".webp", "jpeg": ".jpg"}[written]
        assert {Path(name).suffix for name in listing(tmp_path / "out")} == {suffix}


class TestUnprotectedPhotos:
    @pytest.fixture
    def half(self, own):
        """The last six photos are as a run with half the ratio would have left them."""
        for sample in own.skip(6).iter_samples(autosave=True, progress=False):
            sample["dp2vl_one_status"] = "clean"
            sample["dp2vl_one_path"] = None
        return own

    def test_are_refused(self, half, tmp_path):
        with pytest.raises(RunError, match="6 of 12 photos are not protected by run 'one'"):
            export_release(half, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_are_left_out(self, half, tmp_path):
        release = export_release(half, tmp_path / "out", unprotected="leave-out")
        assert (release.photos, release.left_out, release.unprotected) == (6, 6, 0)

    @pytest.mark.parametrize("confirmed", [None, 5, 7])
    def test_are_not_included_without_their_number(self, half, tmp_path, confirmed):
        with pytest.raises(RunError, match="look at them and confirm 6"):
            export_release(
                half, tmp_path / "out", unprotected="include", confirm_unprotected=confirmed
            )

    def test_are_included_when_confirmed(self, half, tmp_path):
        release = export_release(
            half, tmp_path / "out", unprotected="include", confirm_unprotected=6
        )
        assert (release.photos, release.left_out, release.unprotected) == (12, 0, 6)
        assert "6 photos are released without protection" in release.report.notes[0]
        assert audit_release(tmp_path / "out", half).counts() == {"clean-copy": 6}
        assert audit_release(tmp_path / "out", half, allow_unprotected=6).passed

    def test_the_clean_twin_of_a_protected_photo_is_refused(self, half, tmp_path):
        import fiftyone as fo

        protected = half.match({"dp2vl_one_status": "protected"}).first()
        twin = tmp_path / "twins" / "twin.png"
        twin.parent.mkdir()
        Image.open(protected.filepath).save(twin)
        half.add_sample(fo.Sample(filepath=str(twin)))
        with pytest.raises(RunError, match="1 clean-copy"):
            export_release(half, tmp_path / "out", unprotected="include", confirm_unprotected=7)
        assert not (tmp_path / "out").exists()

    def test_a_plan_names_them(self, half):
        plan = plan_release(half)
        assert set(plan.unprotected) == set(half.match({"dp2vl_one_status": "clean"}).values("id"))


class TestWords:
    @pytest.fixture
    def telling(self, own):
        texts = ["Ada at home, ada@example.org", "on /home/ada/x.txt", "a day out"]
        own.set_values("caption", [texts[number % 3] for number in range(12)])
        return own

    def test_are_listed_and_refused_before_anything_is_written(self, telling, tmp_path):
        plan = plan_release(telling, format="fiftyone", fields=["caption"])
        assert {(w.field, w.kind, w.photos) for w in plan.words} == {
            ("caption", "name", 8),
            ("caption", "e-mail", 4),
            ("caption", "path", 4),
        }
        with pytest.raises(RunError, match=r"caption: a person's name on 8 photos \('Ada', 'ada'"):
            export_release(telling, tmp_path / "out", format="fiftyone", fields=["caption"])
        assert "Pixels cannot unsay text" in plan.sentence
        assert not (tmp_path / "out").exists()

    def captions(self, out: Path) -> set[str | None]:
        data = json.loads((out / "samples.json").read_text())
        return {sample.get("caption") for sample in data["samples"]}

    def test_are_masked(self, telling, tmp_path):
        out = tmp_path / "out"
        export_release(telling, out, format="fiftyone", fields=["caption"], text="mask")
        masked = self.captions(out)
        assert "a day out" in masked
        assert "on [path]" in masked
        (person,) = masked - {"a day out", "on [path]"}
        assert person.startswith("person-")
        assert person.endswith(" at home, [e-mail]")

    def test_are_dropped(self, telling, tmp_path):
        out = tmp_path / "out"
        export_release(telling, out, format="fiftyone", fields=["caption"], text="drop")
        assert self.captions(out) == {"a day out", None}

    def test_are_kept_on_purpose(self, telling, tmp_path):
        out = tmp_path / "out"
        choices = {"caption:name": "keep", "caption:e-mail": "mask", "caption": "drop"}
        release = export_release(telling, out, format="fiftyone", fields=["caption"], text=choices)
        assert self.captions(out) == {"a day out", "Ada at home, [e-mail]", None}
        assert "was kept on purpose 4 times" in release.report.notes[0]

    def test_what_one_field_keeps_no_other_may_have(self, telling, tmp_path, monkeypatch):
        arguments = {
            "format": "csv",
            "fields": ["caption", "identity"],
            "text": {"caption": "keep", "identity": "mask"},
        }
        release = export_release(telling, tmp_path / "whole", **arguments)
        assert "was kept on purpose" in " ".join(release.report.notes)
        # a mask that does nothing, which an audit that may see names cannot tell
        with monkeypatch.context() as patch:
            patch.setattr(release_job.TextScanner, "mask", lambda self, text, *_: text)
            with pytest.raises(RunError, match=r"'identity' would still have .* \('ada'\) after"):
                export_release(telling, tmp_path / "out", **arguments)

        # an exporter that writes down what is in no chosen field
        def leak(made: Any, folder: Path, secret: bytes) -> None:
            (folder / "more.txt").write_text("here is Ada\nand Cy")

        monkeypatch.setattr(release_job, "settle_files", leak)
        with pytest.raises(RunError, match=r"more.txt has a person's name \('Cy'\) that no field"):
            export_release(telling, tmp_path / "out", **arguments)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("format", ["fiftyone", "csv"])
    def test_a_field_named_after_a_person_is_listed_too(self, own, tmp_path, format):
        own.set_values("ada_smiles", ["yes", "no"] * 6)
        arguments = {"format": format, "fields": ["scene", "ada_smiles"]}
        (words,) = plan_release(own, **arguments).words
        assert words.sentence() == "ada_smiles: the field's own name has a person's name ('ada')"
        out = tmp_path / "out"
        with pytest.raises(RunError, match="ada_smiles: the field's own name"):
            export_release(own, out, **arguments)
        with pytest.raises(RunError, match="say drop or keep for 'ada_smiles:field name'"):
            export_release(own, out, text="mask", **arguments)
        dropped = export_release(own, out, text={"ada_smiles:field name": "drop"}, **arguments)
        assert b"smiles" not in everything_in(out)
        assert list_releases(own)[-1].fields == ("scene",)
        kept = export_release(own, tmp_path / "kept", text={"field name": "keep"}, **arguments)
        assert b"ada_smiles" in everything_in(tmp_path / "kept")
        assert "was kept on purpose" in kept.report.notes[0]
        assert dropped.report.notes == ()
        plan = plan_release(own, format="classification-tree", fields=["ada_smiles"])
        assert plan.words == ()  # whose name is written nowhere

    def test_persons_as_labels_become_numbers(self, shared, tmp_path):
        out = tmp_path / "out"
        with pytest.raises(RunError, match="identity: a person's name on 12 photos"):
            export_release(shared, out, format="classification-tree", fields=["identity"])
        export_release(shared, out, format="classification-tree", fields=["identity"], text="mask")
        assert sorted(p.name for p in out.iterdir()) == ["person-1", "person-2", "person-3"]

    def test_tags_and_detections_lose_what_is_dropped(self, own, tmp_path):
        first = own.first()
        first.tags = ["share", "ada"]
        first.faces.detections[0].label = "Ada"
        first.save()
        out = tmp_path / "out"
        export_release(own, out, format="fiftyone", fields=["tags", "faces"], text="drop")
        data = json.loads((out / "samples.json").read_text())["samples"]
        assert sorted(len(s["faces"]["detections"]) for s in data) == [0] + [1] * 11
        assert sorted(len(s["tags"]) for s in data) == [1] + [2] * 11

    def test_wrong_choices_are_answered(self, shared, tmp_path):
        with pytest.raises(ConfigError, match="no action 'hide' for text"):
            export_release(shared, tmp_path / "out", text="hide")


class TestWhoIsOnThePhotos:
    """Where nobody says it, nobody is searched for, and that is said."""

    def test_no_field_names_the_people(self, own, tmp_path, capsys):
        save_run(own, load_run(own, "one"), group_field=None)
        note = "no field names the people on the photos, so no person's name was searched for"
        assert plan_release(own).notes[0].startswith(note)
        release = export_release(own, tmp_path / "out")
        assert release.report.notes[-1].startswith(note)
        assert json.loads(release.report_path.read_text())["notes"][-1].startswith(note)
        assert audit_release(tmp_path / "out", own, identity_field="identity").notes == ()
        assert plan_release(own, identity_field="identity").notes == ()
        assert main(["release", own.name, str(tmp_path / "more"), "--list"]) == 0
        assert f"note: {note}" in capsys.readouterr().out

    def test_the_field_that_named_them_is_gone_or_empty(self, own):
        own.set_values("identity", [None] * 12)
        (note,) = plan_release(own).notes
        assert note.startswith("field 'identity' names nobody, so no person's name was searched")
        own.delete_sample_field("identity")
        (note,) = plan_release(own).notes
        assert "'identity', which named the people for run 'one', will not do (no field" in note
        with pytest.raises(ConfigError, match="no field 'identity'"):
            plan_release(own, identity_field="identity")


class TestVectors:
    """Clean embeddings, wherever a dataset holds them, may not be in a release."""

    @pytest.fixture
    def embedded(self, own):
        import fiftyone.brain as fob

        rng = np.random.default_rng(3)
        made = {name: rng.normal(size=(12, 16)) for name in ("list", "logits", "faces", "index")}
        for row, sample in enumerate(own.iter_samples(autosave=True, progress=False)):
            sample["numbers"] = made["list"][row].tolist()
            sample["weather"].logits = made["logits"][row]
            sample["faces"].detections[0]["features"] = made["faces"][row]
        made["faces"][0, 0] = np.nan
        own.set_values("faces.detections.features", [[v] for v in made["faces"]])
        fob.compute_similarity(own, embeddings=made["index"], brain_key="mine", backend="sklearn")
        fob.compute_visualization(own, embeddings=made["index"], brain_key="plot", method="pca")
        return own, made

    def test_are_all_known(self, embedded):
        dataset, made = embedded
        found = private_set(dataset, load_run(dataset, "one")).embeddings
        for key, name in (
            ("numbers", "list"),
            ("weather.logits", "logits"),
            ("mine (similarity index)", "index"),
        ):
            np.testing.assert_allclose(found[key], made[name], rtol=1e-6)
        np.testing.assert_allclose(found["faces.detections.features"], made["faces"][1:], rtol=1e-6)
        assert {key for key in found if not key.startswith("dp2vl_")} == {
            *("numbers", "weather.logits", "mine (similarity index)"),
            "faces.detections.features",
        }
        assert found["dp2vl_one_emb_clean_tiny_clip"].shape[0] == 12

    @pytest.mark.parametrize("name", ["list", "logits", "faces", "index"])
    def test_are_found_in_a_release(self, embedded, tmp_path, name):
        dataset, made = embedded
        out = tmp_path / "out"
        out.mkdir()
        (out / "vectors.json").write_text(json.dumps(made[name][7:9].tolist()))
        assert audit_release(out, dataset, surrogates=[None]).counts().keys() == {"embedding"}


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("format", "fields", "words"),
        [
            ("directory", ["scene"], "holds photos alone"),
            ("coco", [], "holds one field of type Detections or Polylines"),
            ("coco", ["scene"], "'scene' is of type StringField"),
            ("voc", ["faces", "weather"], "choose one, not 2"),
            ("nothing", [], "no format 'nothing'"),
            ("fiftyone", ["dp2vl_one_path"], "cannot be released"),
            ("fiftyone", ["dp2vl_one_emb_clean_tiny_clip"], "cannot be released"),
            ("fiftyone", ["filepath"], "cannot be released"),
            ("fiftyone", ["metadata"], "cannot be released"),
        ],
    )
    def test_fields_and_formats(self, shared, tmp_path, format, fields, words):
        with pytest.raises(ConfigError, match=words):
            export_release(shared, tmp_path / "out", format=format, fields=fields)

    def test_folders(self, shared, tmp_path):
        originals = Path(shared.first().filepath).parent
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "mine.txt").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "full")
        for folder, words in (
            (originals / "out", "the folder of the original"),
            (run_folder(shared) / "out", "the run's folder lie one inside the other"),
            (tmp_path / "full", "holds files already"),
            (tmp_path / "link", "is no folder"),
            (Path("/proc/nothing/out"), "cannot be written"),
        ):
            with pytest.raises(RunError, match=words):
                export_release(shared, folder)
        assert listing(tmp_path / "full") == ["mine.txt"]

    def test_labels_that_would_leave_the_folder(self, own, tmp_path):
        for bad in ("../../evil", "a/b", ".hidden", "c:x", "tab\t", ""):
            sample = own.first()
            sample["scene"] = bad
            sample.save()
            with pytest.raises(RunError, match="cannot name a folder"):
                export_release(
                    own,
                    tmp_path / "deep" / "out",
                    format="classification-tree",
                    fields=["scene"],
                )
        assert listing(tmp_path / "deep") == []

    def test_paths_in_fields_that_were_changed(self, own, tmp_path):
        sample = own.first()
        sample["dp2vl_one_path"] = sample.filepath
        sample.save()
        with pytest.raises(RunError, match="lies outside the run's folder"):
            export_release(own, tmp_path / "out")

    def test_a_clean_photo_in_the_runs_folder_is_caught_by_the_audit(self, own, tmp_path):
        sample = own.first()
        Path(sample.dp2vl_one_path).write_bytes(Path(sample.filepath).read_bytes())
        with pytest.raises(RunError, match="nothing was released, because the audit says"):
            export_release(own, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / "out.audit.json").exists()

    def test_a_protected_file_that_is_gone(self, own, tmp_path):
        Path(own.first().dp2vl_one_path).unlink()
        with pytest.raises(RunError, match="the protected file of photo"):
            export_release(own, tmp_path / "out")

    def test_runs_that_are_not_there(self, dataset, tmp_path):
        with pytest.raises(RunError, match="has no complete protection run"):
            export_release(dataset, tmp_path / "out")
        with pytest.raises(RunError, match="no run 'two'"):
            export_release(dataset, tmp_path / "out", "two")


class TestInterrupted:
    def test_cancelled_it_leaves_nothing(self, shared, tmp_path):
        for at in (0, 5, 20, 30):
            with pytest.raises(Cancelled):
                export_release(shared, tmp_path / "share" / "out", cancel=stop_after(at + 1))
            assert not any((tmp_path / "share").iterdir()) if at else True

    def test_failing_it_leaves_nothing_and_is_made_again_to_the_byte(
        self, shared, tmp_path, monkeypatch
    ):
        import fiftyone as fo

        before = set(fo.list_datasets())

        def fail(*args: Any) -> None:
            raise OSError(28, "No space left on device")

        out = tmp_path / "share" / "out"
        whole = export_release(shared, tmp_path / "whole", format="fiftyone", fields=["faces"])
        with monkeypatch.context() as patch:
            patch.setattr(release_job, "settle_files", fail)
            with pytest.raises(RunError, match=r"cannot be written \(no space left on device\)"):
                export_release(shared, out, format="fiftyone", fields=["faces"])
        assert list(out.parent.iterdir()) == []
        (stopped,) = [r for r in list_releases(shared) if r.directory == str(out)]
        assert stopped.state == "running"
        export_release(shared, out, format="fiftyone", fields=["faces"])
        first = tree(out)
        assert first.keys() == tree(tmp_path / "whole").keys()
        assert whole.photos == 12
        # once more with the secret that the record kept
        done = next(r for r in list_releases(shared) if r.key == stopped.key)
        save_release(shared, done, state="running")
        os.rename(out, tmp_path / "aside")
        export_release(shared, out, format="fiftyone", fields=["faces"])
        assert tree(out) == first
        assert set(fo.list_datasets()) == before


def refuse_to_appear(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Lets the disk fail in the last step, when all that belongs beside the folder is there."""
    honest = os.rename

    def rename(source: Any, target: Any) -> None:
        if Path(target) == folder:
            raise OSError(5, "Input/output error")
        honest(source, target)

    patch.setattr(staging.os, "rename", rename)


class TestSidecar:
    def test_restores_every_pixel_and_is_not_in_the_release(self, shared, tmp_path):
        release = export_release(
            shared, tmp_path / "out", format="coco", fields=["faces"], passphrase=PASSPHRASE
        )
        assert release.sidecar == tmp_path / "out.restore"
        assert restore(release.directory, release.sidecar, tmp_path / "back", PASSPHRASE) == 12
        files = released_files(shared, release.key)
        for sample in shared:
            back = read_photo(tmp_path / "back" / "data" / files[sample.id])
            np.testing.assert_array_equal(back.pixels, read_photo(sample.filepath).pixels)
        assert all("restore" not in name for name in listing(release.directory))

    def test_places_and_passphrases_that_will_not_do(self, shared, tmp_path):
        with pytest.raises(ConfigError, match="inside the release"):
            export_release(
                shared,
                tmp_path / "out",
                passphrase=PASSPHRASE,
                sidecar=tmp_path / "out" / "x.restore",
            )
        (tmp_path / "out.restore").write_text("of another release")
        with pytest.raises(ConfigError, match="move it away"):
            export_release(shared, tmp_path / "out", passphrase=PASSPHRASE)
        with pytest.raises(ConfigError, match="shorter than 12"):
            export_release(shared, tmp_path / "out", passphrase="short")
        assert str(tmp_path / "out") not in {r.directory for r in list_releases(shared)}

    def test_interrupted_beside_the_folder_it_is_completed(self, shared, tmp_path, monkeypatch):
        out = tmp_path / "share" / "out"

        for _ in range(2):
            with monkeypatch.context() as patch:
                refuse_to_appear(patch, out)
                with pytest.raises(RunError, match=r"input/output error"):
                    export_release(shared, out, passphrase=PASSPHRASE)
            assert {p.suffix for p in out.parent.iterdir()} == {".json", ".html", ".restore"}
        release = export_release(shared, out, passphrase=PASSPHRASE)
        assert restore(out, release.sidecar, tmp_path / "back", PASSPHRASE) == 12
        # complete, its sidecar is the only key to it, and no other release may take its place
        os.rename(out, tmp_path / "shared")
        with pytest.raises(ConfigError, match="move it away"):
            export_release(shared, out, passphrase=PASSPHRASE)

    def test_a_sidecar_of_somebody_else_is_not_replaced(self, shared, tmp_path, monkeypatch):
        out = tmp_path / "out"
        with monkeypatch.context() as patch:
            refuse_to_appear(patch, out)
            with pytest.raises(RunError, match=r"input/output error"):
                export_release(shared, out, passphrase=PASSPHRASE)
        (tmp_path / "out.restore").write_text("of another release")
        with pytest.raises(ConfigError, match="move it away"):
            export_release(shared, out, passphrase=PASSPHRASE)
        assert (tmp_path / "out.restore").read_text() == "of another release"

    def test_interrupted_before_it_was_recorded_it_is_completed(
        self, shared, tmp_path, monkeypatch
    ):
        out = tmp_path / "out"
        asked = {"format": "fiftyone", "fields": ["scene"], "passphrase": PASSPHRASE}
        with monkeypatch.context() as patch:
            patch.setattr(release_job.ReleaseJob, "finish", lambda self: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                export_release(shared, out, **asked)
        before = tree(tmp_path)
        for other in (
            {**asked, "fields": ["weather"]},
            {**asked, "format": "csv"},
            {**asked, "passphrase": None},
        ):
            with pytest.raises(RunError, match="holds files already"):
                export_release(shared, out, **other)
        with pytest.raises(RunError, match="holds files already"):
            export_release(shared.limit(11), out, **asked)
        (out / "more.txt").write_text("mine")
        with pytest.raises(RunError, match="holds files already"):
            export_release(shared, out, **asked)
        (out / "more.txt").unlink()
        (tmp_path / ".out.dp2vl-part" / "scratch").mkdir(parents=True)
        release = export_release(shared, out, **asked)
        assert not (tmp_path / ".out.dp2vl-part").exists()
        assert release.photos == 12
        after = tree(tmp_path)
        made = {name for name in before if ".audit." not in name}
        assert {name: after[name] for name in made} == {name: before[name] for name in made}
        assert next(r for r in list_releases(shared) if r.key == release.key).state == "complete"
        assert restore(out, release.sidecar, tmp_path / "back", PASSPHRASE) == 12
        with pytest.raises(RunError, match="holds files already"):
            export_release(shared, out, **asked)

    def test_on_another_file_system(self, shared, tmp_path, monkeypatch):
        import errno

        place = tmp_path / "elsewhere" / "key"
        honest = os.replace

        def far(source: Any, target: Any) -> None:
            if Path(source).parent != Path(target).parent:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            honest(source, target)

        monkeypatch.setattr(os, "replace", far)
        export_release(shared, tmp_path / "out", passphrase=PASSPHRASE, sidecar=place)
        assert [p.name for p in place.parent.iterdir()] == ["key"]
        assert restore(tmp_path / "out", place, tmp_path / "back", PASSPHRASE) == 12

    def test_the_passphrase_is_stored_nowhere(self, shared, tmp_path):
        export_release(shared, tmp_path / "out", passphrase=PASSPHRASE)
        told = json.dumps([vars(record) for record in list_releases(shared)])
        written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        assert PASSPHRASE not in told
        assert PASSPHRASE.encode() not in written


class TestTheCommands:
    def test_release_and_audit(self, shared, tmp_path, capsys):
        out = str(tmp_path / "out")
        assert main(["release", shared.name, out, "--list"]) == 0
        assert "12 photos protected, 0 not" in capsys.readouterr().out
        assert main(["release", shared.name, out, "--format", "coco", "--field", "faces"]) == 0
        said = capsys.readouterr().out
        assert "12 photos released in" in said
        assert "Pixels cannot unsay text" in said
        assert main(["audit", out, "--against", shared.name, "--signed-off-by", "me"]) == 0
        report = json.loads((tmp_path / "out.audit.json").read_text())
        assert report["passed"]
        assert report["signed_off_by"] == "me"
        (tmp_path / "out" / "x.txt").write_text("dp2vl_one_path")
        assert main(["audit", out, "--against", shared.name]) == 1
        assert "text: x.txt: it has a field or run" in capsys.readouterr().out

    def test_wrong_names_are_answered(self, shared, tmp_path, capsys):
        out = str(tmp_path / "out")
        for arguments, words in (
            (["release", "nothing", out], "no dataset 'nothing'"),
            (["release", shared.name, out, "--view", "none"], "no saved view 'none'"),
            (["release", shared.name, out, "--text", "hide"], "no action 'hide'"),
            (["release", shared.name, out, "--text", "drop", "--text", "name=keep"], "--text drop"),
            (["audit", out, "--against", shared.name], "is not a folder"),
        ):
            assert main(arguments) == 1
            assert words in capsys.readouterr().err

    def test_photos_without_protection_are_named(self, own, tmp_path, capsys):
        clean = own.values("filepath")[10:]
        for sample in own.skip(10).iter_samples(autosave=True, progress=False):
            sample["dp2vl_one_status"], sample["dp2vl_one_path"] = "clean", None
        out = str(tmp_path / "out")
        assert main(["release", own.name, out, "--list"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert "run one: 10 photos protected, 2 not" in said
        assert [line for line in said if line.startswith("not protected: ")] == [
            f"not protected: {path}" for path in clean
        ]
        assert main(["release", own.name, out]) == 1
        captured = capsys.readouterr()
        assert clean[0] not in captured.out
        assert "--list" in captured.out
        include = ["--unprotected", "include", "--confirm", "2"]
        assert main(["release", own.name, out, *include]) == 0
        assert all(f"not protected: {path}" in capsys.readouterr().out for path in clean[:1])

    def test_tags_choose(self, own, tmp_path):
        sample = own.first()
        sample.tags = ["only"]
        sample.save()
        assert main(["release", own.name, str(tmp_path / "out"), "--tag", "only"]) == 0
        assert len(pictures(tmp_path / "out")) == 1
