"""Evaluations and releases whose records, fields and files were brought apart."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.release.tree import tree_sha256
from fiftyone_dp2vl.store import (
    check_datasets,
    delete_evaluation,
    evaluate_attack_dataset,
    export_release,
    list_releases,
    load_evaluation,
    load_report,
    protect_dataset,
    repair_datasets,
)
from fiftyone_dp2vl.store.evaluations import save_evaluation
from fiftyone_dp2vl.store.release.records import begin_release, save_release, scratch_dataset

PASSPHRASE = "correct horse battery"

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def protected(dataset: Any, quick: dict[str, Any], tmp_path: Path) -> Any:
    # the last photo of each person is asked about, and nobody shares it
    dataset.select(dataset.values("id")[9:]).tag_samples("query")
    protect_dataset(dataset, "one", output_dir=str(tmp_path / "run"), **quick)
    return dataset


@pytest.fixture
def attack(protected: Any, tiny_encoder: str, tmp_path: Path) -> Any:
    def go() -> Any:
        return evaluate_attack_dataset(
            protected,
            AttackConfig(attackers=(), proxies=(f"proxy:prototype@{tiny_encoder}",)),
            identity="identity",
            query="tag:query",
            run="one",
            evaluation="first",
            output_dir=str(tmp_path / "report"),
            cache=str(tmp_path / "cells"),
        )

    go()
    assert found(protected) == []
    return go


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def found(dataset: Any) -> list[str]:
    return [one.finding for one in check_datasets([dataset.name])]


def repaired(dataset: Any) -> list[str]:
    done = repair_datasets([dataset.name])
    assert repair_datasets([dataset.name]) == []
    dataset.reload()
    return done


def predictions(dataset: Any) -> list[Any]:
    dataset.reload()
    ends = ("truth", "clean", "protected")
    labels = dataset.values([f"dp2vl_attack_first_{end}.label" for end in ends])
    keys = [f"dp2vl_attack_first_eval_{arm}" for arm in ("clean", "protected")]
    return [labels, [dataset.load_evaluation_results(key).metrics() for key in keys]]


class TestEvaluations:
    def test_a_report_that_is_gone_is_made_again_under_its_name(self, protected, attack):
        record, before = load_evaluation(protected, "first"), load_report(protected, "first")
        said = predictions(protected)
        record.report.unlink()
        (sentence,) = found(protected)
        assert sentence.startswith("the report of evaluation 'first' cannot be read")
        (done,) = repaired(protected)
        assert done.endswith("the evaluation is recorded as unfinished")
        (left,) = check_datasets([protected.name])
        assert left.code == "evaluation-unfinished"
        assert predictions(protected) == said
        assert attack().rows == before.rows
        assert predictions(protected) == said
        assert found(protected) == []

    @pytest.mark.parametrize("gone", ["a field", "an evaluation", "the page"])
    def test_results_that_are_gone_come_back_from_the_report(self, protected, attack, gone):
        record, said = load_evaluation(protected, "first"), predictions(protected)
        if gone == "a field":
            protected.delete_sample_field("dp2vl_attack_first_protected")
        elif gone == "an evaluation":
            protected.delete_evaluation("dp2vl_attack_first_eval_clean")
        else:
            page = record.page.read_bytes()
            record.page.unlink()
        assert len(found(protected)) == 1
        repaired(protected)
        assert found(protected) == []
        assert predictions(protected) == said
        assert load_evaluation(protected, "first") == record
        if gone == "the page":
            assert record.page.read_bytes() == page

    def test_killed_while_it_stored_results(self, protected, attack, tiny_encoder, tmp_path):
        said = predictions(protected)
        delete_evaluation(protected, "first")
        protected.persistent = True
        code = """
import os, signal, sys
import fiftyone as fo
from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.store import attack, evaluate_attack_dataset

honest = attack.store_predictions

def die(*arguments):
    honest(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

attack.store_predictions = die
evaluate_attack_dataset(
    fo.load_dataset(sys.argv[1]), AttackConfig(attackers=(), proxies=(sys.argv[2],)),
    identity="identity", query="tag:query", run="one", evaluation="first",
    output_dir=sys.argv[3] + "/report", cache=sys.argv[3] + "/cells",
)
"""
        proxy = f"proxy:prototype@{tiny_encoder}"
        done = subprocess.run(
            [sys.executable, "-c", code, protected.name, proxy, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
        protected.reload()
        assert load_evaluation(protected, "first").state == "writing"
        assert found(protected) == [
            "evaluation 'first' was interrupted while its results were stored"
        ]
        repaired(protected)
        assert load_evaluation(protected, "first").state == "complete"
        assert found(protected) == []
        assert predictions(protected) == said

    def test_a_folder_that_is_not_its_own_is_left_alone(self, protected, attack, tmp_path):
        import json

        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "report.html").write_text("<!doctype html> my own page")
        record = replace(load_evaluation(protected, "first"), directory=str(mine))
        save_evaluation(protected, record)

        def deleted() -> str:
            with pytest.raises(RunError) as caught:
                delete_evaluation(protected, "first")
            return str(caught.value)

        for text, words in (
            ('{"my": "own"}', "report.json"),
            (
                (tmp_path / "report/report.json").read_text().replace('"first"', '"other"', 1),
                "is the report of evaluation 'other', not of 'first'",
            ),
        ):
            assert '"first"' not in text
            (mine / "report.json").write_text(text)
            before = tree(mine)
            assert words in deleted()
            (left,) = found(protected)
            assert left.startswith("the report of evaluation 'first' cannot be read")
            assert words in left
            repaired(protected)
            assert tree(mine) == before
            save_evaluation(protected, record)
        assert json.loads((mine / "report.json").read_text())["name"] == "other"

        # its own report beside somebody's page, or a page that leads elsewhere
        shutil.copyfile(tmp_path / "report/report.json", mine / "report.json")
        page = tmp_path / "elsewhere.html"
        (mine / "report.html").rename(mine / "kept.html")
        (mine / "report.html").symlink_to(page)
        repaired(protected)
        assert not page.exists()
        delete_evaluation(protected, "first")
        assert sorted(p.name for p in mine.iterdir()) == ["kept.html", "report.html"]

    def test_what_a_deleted_record_left(self, protected, attack):
        protected.set_values("dp2vl_attack_mine_truth", ["a"] * 12)
        protected.delete_run("dp2vl_attack_first")
        codes = {one.code: one.mend is not None for one in check_datasets([protected.name])}
        assert codes == {"predictions-orphaned": True, "field-unknown": False}
        (done,) = repaired(protected)
        assert done.endswith("; 3 fields and 2 FiftyOne evaluations removed")
        assert protected.list_evaluations() == []
        left = [name for name in protected.get_field_schema() if "attack" in name]
        assert left == ["dp2vl_attack_mine_truth"]
        attack()
        assert load_evaluation(protected, "first").state == "complete"


class TestReleases:
    def release(self, dataset: Any, folder: Path, **more: Any) -> Any:
        return export_release(dataset, folder, "one", format="directory", **more)

    def test_what_an_interrupted_release_left(self, protected, tmp_path):
        import fiftyone as fo

        target = tmp_path / "out"
        record = begin_release(protected, str(target), "one", "directory")
        workshop = tmp_path / ".out.dp2vl-part"
        (workshop / "scratch" / "media").mkdir(parents=True)
        (workshop / "scratch" / "media" / "half.png").write_bytes(b"half")
        fo.Dataset(scratch_dataset(record))
        other = tmp_path / ".mine.dp2vl-part"
        other.mkdir()
        which = f"the release of run 'one' to {target}"
        assert found(protected) == [
            f"{which} was interrupted and left the hidden folder {workshop}",
            f"{which} was interrupted and left the dataset {scratch_dataset(record)!r}",
            f"{which} did not come to its end",
        ]
        assert len(repaired(protected)) == 2
        assert not workshop.exists()
        assert other.exists()
        assert not fo.dataset_exists(scratch_dataset(record))
        release = self.release(protected, target)
        assert release.key == record.key
        assert found(protected) == []

    def test_a_release_at_work_is_left_alone(self, protected, tmp_path):
        from fiftyone_dp2vl.runs.lock import locked

        begin_release(protected, str(tmp_path / "out"), "one", "directory")
        with locked(tmp_path / ".out.dp2vl-part"):
            assert found(protected) == []

    def test_a_release_that_was_not_recorded_as_complete(self, protected, tmp_path):
        out = tmp_path / "out"
        release = self.release(protected, out, passphrase=PASSPHRASE)
        (record,) = list_releases(protected)
        save_release(protected, record, state="running")
        assert found(protected)[0].endswith("but it is not recorded as complete")
        repaired(protected)
        assert list_releases(protected) == [record]
        assert found(protected) == []

        save_release(protected, record, state="running")
        key = release.sidecar.read_bytes()
        release.sidecar.write_bytes(key[:-1])
        (left,) = check_datasets([protected.name])
        assert left.mend is None
        assert f"its sidecar {release.sidecar} is gone or another" in left.finding
        release.sidecar.write_bytes(key)

        next(out.rglob("*.png")).write_bytes(b"another")
        (left,) = check_datasets([protected.name])
        assert (left.code, left.mend) == ("release-interrupted", None)
        assert f"move {out} away" in left.advice

    def test_a_report_that_anybody_could_have_written_completes_no_release(
        self, protected, tmp_path
    ):
        out = tmp_path / "out"
        report = self.release(protected, out).report
        (record,) = list_releases(protected)
        save_release(protected, record, state="running")
        picture = next(out.rglob("*.png"))
        shutil.copyfile(protected.first().filepath, picture)
        # sealed anew, it says of the clean photo what was said of the protected one
        hashes = [(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in out.iterdir()]
        replace(report, tree_sha256=tree_sha256(hashes)).save(tmp_path / "out.audit.json")
        assert [one.code for one in check_datasets([protected.name])] == ["release-interrupted"]
        assert repaired(protected) == []
        assert list_releases(protected)[0].state == "running"

    def test_a_sidecar_without_its_release(self, protected, tmp_path):
        out = tmp_path / "out"
        release = self.release(protected, out, passphrase=PASSPHRASE)
        save_release(protected, list_releases(protected)[0], state="running")
        out.rename(tmp_path / "aside")
        part = tmp_path / ".out.restore.dp2vl-part"
        part.write_bytes(b"half")
        left = check_datasets([protected.name])
        assert [one.code for one in left] == ["release-leftovers", "release-interrupted"]
        assert f"left the sidecar {release.sidecar}" in left[1].finding
        repaired(protected)
        assert not part.exists()
        assert release.sidecar.exists()
        again = self.release(protected, out, passphrase=PASSPHRASE)
        assert again.key == release.key
        assert found(protected) == []

    def test_a_release_that_was_made_in_another_format_since(self, protected, tmp_path):
        begin_release(protected, str(tmp_path / "out"), "one", "coco")
        assert len(found(protected)) == 1
        self.release(protected, tmp_path / "out")
        assert found(protected) == []
