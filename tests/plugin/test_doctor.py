"""The doctor finds what is wrong with a machine or a copy of the plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def doctor(tmp_path: Path, plugins: Path, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "fiftyone_dp2vl", "doctor"],
        cwd=tmp_path,
        env={**os.environ, "FIFTYONE_PLUGINS_DIR": str(plugins), **env},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the plugin's own files in a plugins directory."""
    folder = tmp_path / "plugins" / "@dp2vl" / "fiftyone_dp2vl"
    folder.mkdir(parents=True)
    for name in ("fiftyone.yml", "__init__.py"):
        shutil.copy2(REPOSITORY / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "operators", folder / "operators", ignore=ignored)
    if (REPOSITORY / "panels").is_dir():
        shutil.copytree(REPOSITORY / "panels", folder / "panels", ignore=ignored)
    return folder


def test_a_plugin_that_is_missing(tmp_path):
    status, text = doctor(tmp_path, tmp_path / "none")
    assert status == 1
    assert "PROBLEM  plugin: @dp2vl/fiftyone_dp2vl is not in" in text
    assert "-> dp2vl install" in text


def test_a_plugin_that_does_not_load(tmp_path, copy):
    (copy / "operators" / "doctor.py").write_text("import a_package_that_nobody_has\n")
    status, text = doctor(tmp_path, tmp_path / "plugins")
    assert status == 1
    assert (
        "it did not load: ModuleNotFoundError: No module named 'a_package_that_nobody_has'" in text
    )


def test_a_yml_that_lists_other_names_and_an_older_copy(tmp_path, copy):
    yml = copy / "fiftyone.yml"
    text = yml.read_text().replace("  - doctor\n", "  - doktor\n")
    yml.write_text(text.replace("version: 0.1.0", "version: 0.0.9"))
    second = tmp_path / "plugins" / "second"
    shutil.copytree(copy, second)
    status, text = doctor(tmp_path, tmp_path / "plugins")
    assert status == 1
    assert "fiftyone.yml lists 'doktor', which no class registers" in text
    assert "'doctor' is registered but missing from fiftyone.yml" in text
    assert "is version 0.0.9 but the library in use" in text
    assert "a second copy at" in text


def test_a_machine_without_a_database_server(tmp_path, monkeypatch):
    from fiftyone_dp2vl import doctor as module

    monkeypatch.setattr(module, "find_mongod", lambda: None)
    monkeypatch.delenv("FIFTYONE_DATABASE_URI", raising=False)
    assert not module.has_database()
    (found,) = list(module._fiftyone())
    assert found.state == module.PROBLEM
    assert "no mongod" in found.finding
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://localhost:27017")
    assert module.has_database()


@pytest.mark.parametrize(("extra", "modules"), [("release", ["cryptography"]), ("umap", ["umap"])])
def test_an_extra_that_is_missing(monkeypatch, extra, modules):
    import importlib.util

    from fiftyone_dp2vl import doctor as module

    honest = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in modules else honest(name)
    )
    (found,) = [check for check in module._extras() if check.name == f"extra {extra}"]
    assert found.state == module.NOTE
    assert found.finding.startswith(f"{modules[0]} not installed: needed for ")
    assert found.remedy == f"pip install 'fiftyone_dp2vl[{extra}]'"


def test_every_extra_is_one_of_the_package():
    tomllib = pytest.importorskip("tomllib")
    from fiftyone_dp2vl import doctor as module

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    # FiftyOne and its database server have checks of their own; the others are for developers
    own = {"app", "mongod", "bench", "test"}
    assert set(module.EXTRAS) == set(project["optional-dependencies"]) - own


def test_a_check_that_fails_does_not_hide_the_others(monkeypatch):
    from fiftyone_dp2vl import doctor as module

    def _torch():
        raise RuntimeError("the driver is\nvery old")
        yield

    monkeypatch.setattr(module, "_LOOKS", (_torch, module._disk))
    first, second = module.run_checks()
    assert (first.name, first.finding) == ("torch", "could not be checked: the driver is")
    assert first.remedy
    assert second.name == "disk"
    assert not module.healthy([first, second])


def test_the_operator_says_the_same(server):
    data = {"operator_uri": "@dp2vl/fiftyone_dp2vl/doctor", "params": {}}
    answer = server.post("/operators/execute", json=data).json()
    names = [check["name"] for check in answer["result"]["checks"]]
    assert {"library", "torch", "disk", "FiftyOne", "database server", "plugin"} <= set(names)


class TestTheModels:
    @pytest.fixture
    def models(self, tmp_path, monkeypatch):
        from fiftyone_dp2vl import doctor as module

        shutil.copytree(module.MODELS, tmp_path / "models")
        monkeypatch.setattr(module, "MODELS", tmp_path / "models")
        return tmp_path / "models"

    def found(self):
        from fiftyone_dp2vl import doctor as module

        return {check.name: check for check in module._models()}

    def test_both_are_looked_at(self, models):
        found = self.found()
        assert [check.state for check in found.values()] == ["ok", "ok"]
        assert found["embedded attacker"].finding.endswith("M parameters")

    @pytest.mark.parametrize("how", ["gone", "cut short"])
    def test_one_that_cannot_be_read(self, models, how):
        weights = models / "embedded_vlm/model.safetensors"
        if how == "gone":
            weights.unlink()
        else:
            weights.write_bytes(weights.read_bytes()[:-1000])
        found = self.found()
        assert found["embedded encoder"].state == "ok"
        assert found["embedded attacker"].state == "problem"
        assert "install the package again" in found["embedded attacker"].remedy

    def test_a_runs_encoder_that_has_gone(self, dataset, quick, tiny_encoder, tmp_path):
        from fiftyone_dp2vl import doctor as module
        from fiftyone_dp2vl.store import protect_dataset

        copy = tmp_path / "tiny"
        shutil.copytree(tiny_encoder.removeprefix("hf:"), copy)
        settings = {**quick, "encoders": [f"hf:{copy}"]}
        protect_dataset(dataset, "one", output_dir=str(tmp_path / "out"), **settings)
        assert not [c for c in module._surrogates() if str(copy) in c.finding]
        shutil.rmtree(copy)
        (found,) = [c for c in module._surrogates() if str(copy) in c.finding]
        assert found.state == "note"
        assert found.remedy


def test_the_disk_where_datasets_go_is_looked_at(monkeypatch, tmp_path):
    import fiftyone as fo

    from fiftyone_dp2vl import doctor as module

    folder = tmp_path / "not/there/yet"
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(folder))
    disks = [check for check in module.run_checks() if check.name == "disk"]
    assert [disk.finding.rpartition(" ")[2] for disk in disks] == [str(Path.cwd()), str(folder)]


class TestRepairing:
    @pytest.fixture
    def wounded(self, dataset, quick, tmp_path):
        from fiftyone_dp2vl.store import protect_dataset

        protect_dataset(dataset, "one", output_dir=str(tmp_path / "out"), **quick)
        Path(dataset.first()["dp2vl_one_path"]).unlink()
        return dataset

    def test_the_form_says_what_a_repair_would_do(self, form, wounded):
        assert form("doctor")["repair"]["default"] is False
        assert "plan" not in form("doctor")
        shown = form("doctor", {"repair": True})
        assert shown["plan"]["view"]["label"] == (
            "A repair does this: 1 photo set back to not protected"
        )
        assert wounded.count_values("dp2vl_one_status") == {"protected": 12}

    def test_it_repairs_only_when_asked(self, server, wounded):
        def execute(**params):
            data = {
                "operator_uri": "@dp2vl/fiftyone_dp2vl/doctor",
                "dataset_name": wounded.name,
                "params": params,
            }
            result = server.post("/operators/execute", json=data).json()["result"]
            wounded.reload()
            mine = [c for c in result["checks"] if c["name"] == f"dataset {wounded.name}"]
            return result["done"], [check["state"] for check in mine]

        assert execute() == ([], ["problem"])
        assert wounded.count_values("dp2vl_one_status") == {"protected": 12}
        (done,), states = execute(repair=True)
        assert done["line"].endswith("are gone; 1 photo set back to not protected")
        assert states == ["note"]
        assert wounded.count_values("dp2vl_one_status") == {"protected": 11, "failed": 1}
        assert execute(repair=True) == ([], ["note"])

    def test_from_python(self, wounded):
        import fiftyone.operators as foo

        result = foo.get_operator("@dp2vl/fiftyone_dp2vl/doctor")(wounded, repair=True)
        assert len(result["done"]) == 1
