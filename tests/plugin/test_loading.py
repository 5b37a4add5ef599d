"""The plugin loads in each way that it can be installed, through FiftyOne's own discovery."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]

REPORT = """
import json, sys
import fiftyone.operators as foo
from fiftyone.operators.registry import OperatorRegistry

registry = OperatorRegistry()
before_torch = "torch" in sys.modules
names = [op.uri for op in foo.list_operators(builtin=False)]
registry_again = OperatorRegistry()
import fiftyone_dp2vl, fiftyone_dp2vl.config
library = [name for name in sys.modules if name.split(".")[-1] == "errors" and "dp2vl" in name]
importable = []
for name in ("operators", "panels", "tests", "assets"):
    try:
        __import__(name)
        importable.append(name)
    except ImportError:
        pass
print("REPORT" + json.dumps({
    "names": names,
    "errors": registry.list_errors() + registry_again.list_errors(),
    "library": fiftyone_dp2vl.__file__,
    "torch": before_torch,
    "copies": library,
    "importable": importable,
}))
"""


def tracked_files() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listing.stdout.splitlines() if (REPOSITORY / name).is_file()]


def copy_repository(target: Path) -> Path:
    """Copies the repository's own files, which is what an archive of it holds."""
    for name in tracked_files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, target / name)
    return target


@pytest.fixture
def isolated(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A plugins directory of its own, and the environment that names it."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    env = {
        **os.environ,
        "FIFTYONE_PLUGINS_DIR": str(plugins),
        "PYTHONPATH": "",
    }
    return plugins, env


# forgets the editable install, as if the library had never been installed
FORGET = """
import sys
for finder in list(sys.meta_path):
    if "fiftyone_dp2vl" in getattr(finder, "__module__", ""):
        sys.meta_path.remove(finder)
"""


def report(env: dict[str, str], cwd: Path, code: str = REPORT) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, timeout=300
    )
    assert "REPORT" in done.stdout, done.stdout + done.stderr
    return json.loads(done.stdout.split("REPORT", 1)[1])


def expected() -> set[str]:
    listed = yaml.safe_load((REPOSITORY / "fiftyone.yml").read_text())
    names = listed["operators"] + listed.get("panels", [])
    return {f"@dp2vl/fiftyone_dp2vl/{name}" for name in names}


def check(found: dict[str, object]) -> None:
    assert found["errors"] == []
    assert set(found["names"]) == expected()
    assert found["torch"] is False
    assert found["copies"] == ["fiftyone_dp2vl.errors"]
    assert found["importable"] == []


def test_linked_folder_beside_an_installed_library(isolated, tmp_path):
    plugins, env = isolated
    done = subprocess.run(
        [sys.executable, "-m", "fiftyone_dp2vl", "install"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "is installed" in done.stdout
    assert (plugins / "@dp2vl" / "fiftyone_dp2vl").is_symlink()
    found = report(env, tmp_path)
    check(found)
    assert found["library"] == str(REPOSITORY / "fiftyone_dp2vl" / "__init__.py")


def test_downloaded_folder_without_an_installed_library(isolated, tmp_path):
    plugins, env = isolated
    folder = copy_repository(plugins / "@dp2vl" / "fiftyone_dp2vl")
    found = report(env, tmp_path, FORGET + REPORT)
    check(found)
    assert found["library"] == str(folder / "fiftyone_dp2vl" / "__init__.py")


def test_fiftyones_own_download(isolated, tmp_path):
    plugins, env = isolated
    copy_repository(tmp_path / "archive" / "fiftyone_dp2vl-main")
    (tmp_path / "served").mkdir()
    archive = shutil.make_archive(
        str(tmp_path / "served" / "main"), "zip", tmp_path / "archive", "fiftyone_dp2vl-main"
    )
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{Path(archive).name}"
        fiftyone = [sys.executable, "-c", "from fiftyone.core.cli import main; main()", "plugins"]
        done = subprocess.run(
            [*fiftyone, "download", url], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        server.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr
    (yml,) = plugins.rglob("fiftyone.yml")
    found = report(env, tmp_path, FORGET + REPORT)
    check(found)
    assert found["library"] == str(yml.parent / "fiftyone_dp2vl" / "__init__.py")
    asked = subprocess.run(
        [*fiftyone, "requirements", "@dp2vl/fiftyone_dp2vl", "--print"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "transformers>=" in asked.stdout


def test_whole_folder_beside_a_wheel_of_the_library(isolated, tmp_path):
    plugins, env = isolated
    source = copy_repository(tmp_path / "source")
    copy_repository(plugins / "@dp2vl" / "fiftyone_dp2vl")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(source)]
    subprocess.run([*pip, *build], check=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    target = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    assert not (target / "operators").exists()
    assert (target / "fiftyone_dp2vl" / "py.typed").exists()
    env["PYTHONPATH"] = str(target)
    found = report(env, tmp_path, FORGET + REPORT)
    check(found)
    assert found["library"] == str(target / "fiftyone_dp2vl" / "__init__.py")


def test_an_installed_library_wins_over_the_folder(isolated, tmp_path):
    plugins, env = isolated
    copy_repository(plugins / "@dp2vl" / "fiftyone_dp2vl")
    found = report(env, tmp_path)
    check(found)
    assert found["library"] == str(REPOSITORY / "fiftyone_dp2vl" / "__init__.py")


def test_a_clone_named_like_the_library_is_not_mistaken_for_it(isolated, tmp_path):
    _, env = isolated
    folder = copy_repository(tmp_path / "fiftyone_dp2vl")
    code = (
        "import json, sys, fiftyone_dp2vl\n"
        "from fiftyone_dp2vl.config import ProtectionConfig\n"
        "print('REPORT' + json.dumps([fiftyone_dp2vl.__file__, fiftyone_dp2vl.__version__]))"
    )
    file, _ = report(env, tmp_path, code)
    assert file == str(folder / "fiftyone_dp2vl" / "__init__.py")


def test_install_refuses_to_replace_a_copy_and_removes_only_links(isolated, tmp_path):
    plugins, env = isolated
    copy = plugins / "@dp2vl" / "fiftyone_dp2vl"
    copy.mkdir(parents=True)
    command = [sys.executable, "-m", "fiftyone_dp2vl", "install"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is a copy of the plugin, not a link" in done.stderr
    done = subprocess.run([*command, "--remove"], cwd=tmp_path, env=env, capture_output=True)
    assert done.returncode == 1
    copy.rmdir()
    subprocess.run(command, cwd=tmp_path, env=env, check=True)
    subprocess.run(command, cwd=tmp_path, env=env, check=True)
    subprocess.run([*command, "--remove"], cwd=tmp_path, env=env, check=True)
    assert not copy.exists()
    assert not copy.is_symlink()
