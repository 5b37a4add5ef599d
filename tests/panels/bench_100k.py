"""Opens the clusters panel on 100,000 photos and lassoes in it; prints seconds and memory.

    python tests/panels/bench_100k.py [--photos 100000] [--clicks 50]

The photos are rows of a database with synthetic embeddings: a plot reads no pixels. A server of
its own is asked over HTTP, as the App asks it, and everything is removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

ENCODER = "embedded"


def make_dataset(name: str, photos: int) -> Any:
    """Returns a dataset whose run ``bench`` has synthetic embeddings and plots."""
    import fiftyone as fo

    from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
    from fiftyone_dp2vl.store.analysis import store_separation
    from fiftyone_dp2vl.store.names import RunNames
    from fiftyone_dp2vl.store.plots import register_plots
    from fiftyone_dp2vl.store.records import ProtectionRun, save_run

    rng = np.random.default_rng(0)
    dataset = fo.Dataset(name, persistent=True)
    people = rng.integers(0, photos // 20 + 1, photos)
    dataset.add_samples(
        [fo.Sample(filepath=f"/nowhere/{i}.png", identity=f"p{people[i]}") for i in range(photos)],
        progress=False,
    )
    names = RunNames("bench", [ENCODER])
    clean = rng.normal(size=(people.max() + 1, 32))[people] + rng.normal(size=(photos, 32))
    released = clean + rng.normal(size=32) * 2
    for field, values in (
        (names.clean_embedding(ENCODER), clean),
        (names.protected_embedding(ENCODER), released),
    ):
        dataset.add_sample_field(field, fo.VectorField)
        dataset.set_values(field, list(values.astype(np.float32)))
    dataset.set_values(names.status, ["protected"] * photos)
    for field, value in (
        (names.linf, 8.0),
        (names.psnr, 36.0),
        (names.pooled_cosine(ENCODER), 0.4),
    ):
        dataset.set_values(field, [value] * photos)
    keys = register_plots(dataset, names, ENCODER) or ()
    record = ProtectionRun(
        run="bench",
        state="complete",
        directory="/nowhere",
        protection=ProtectionConfig(encoders=(ENCODER,)),
        selection=SelectionConfig(),
        output=OutputConfig(),
        group_field="identity",
        photos=photos,
        counts={"protected": photos},
        fields=tuple(names.fields()),
        brain_keys=tuple(keys),
    )
    save_run(dataset, record)
    store_separation(dataset, record)
    return dataset


class Asked:
    """The clusters panel of a server, asked over HTTP."""

    def __init__(self, address: str, dataset: str) -> None:
        self.address, self.dataset = address, dataset
        self.state: dict[str, Any] = {}

    def do(self, method: str, **params: Any) -> tuple[float, dict[str, Any]]:
        """Returns seconds and the answer."""
        body = {
            "operator_uri": "@dp2vl/fiftyone_dp2vl/clusters",
            "dataset_name": self.dataset,
            "view": [],
            "params": {
                "panel_id": "p",
                "panel_state": self.state,
                "__method__": method,
                **params,
            },
        }
        request = urllib.request.Request(
            f"{self.address}/operators/execute",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=120) as answer:
            result = json.loads(answer.read())
        seconds = time.perf_counter() - began
        assert not result.get("error"), result["error"]
        for asked in result["executor"]["requests"]:
            if asked["operator_uri"].split("/")[-1] == "patch_panel_state":
                for path, value in asked["params"]["state"].items():
                    at, *rest = path.split(".")
                    target = self.state.setdefault(at, {}) if rest else self.state
                    target[rest[0] if rest else at] = value
        return seconds, result


def resident(pid: int) -> float:
    """Returns a process's resident memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Runs the bench."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--clicks", type=int, default=50)
    arguments = parser.parse_args()
    here = Path(__file__).resolve()
    sys.path.insert(0, str(here.parent))
    scratch = tempfile.TemporaryDirectory(prefix="dp2vl-bench-")
    plugins = Path(scratch.name) / "plugins/@dp2vl"
    plugins.mkdir(parents=True)
    (plugins / "fiftyone_dp2vl").symlink_to(here.parents[2], target_is_directory=True)
    os.environ.update(
        HOME=scratch.name,
        FIFTYONE_PLUGINS_DIR=str(plugins.parent),
        FIFTYONE_DATABASE_NAME=f"dp2vl_bench_{os.getpid()}",
        FIFTYONE_DATABASE_VALIDATION="false",
        FIFTYONE_DO_NOT_TRACK="true",
    )
    from fiftyone_dp2vl.store.database import start_database

    start_database(Path(scratch.name) / "database")
    from app_page import serving

    began = time.perf_counter()
    dataset = make_dataset("dp2vl-bench", arguments.photos)
    print(f"{arguments.photos} photos, made and measured in {time.perf_counter() - began:.0f} s")
    with serving() as (address, pid):
        panel = Asked(address, dataset.name)
        first, answer = panel.do("on_load")
        again = [panel.do("on_load")[0] for _ in range(5)]
        size = len(json.dumps(answer)) / 1e6
        print(f"open: {first:.2f} s cold, {statistics.median(again):.2f} s warm, {size:.1f} MB")
        ids = next(
            asked["params"]["data"]["body.left.plot"][2]["ids"]
            for asked in answer["executor"]["requests"]
            if asked["operator_uri"].split("/")[-1] == "patch_panel_data"
        )
        chosen = [{"id": key} for key in ids[: len(ids) // 2]]
        lassoes = [panel.do("lasso", data=chosen)[0] for _ in range(5)]
        print(f"lasso of {len(chosen)} photos: {statistics.median(lassoes):.2f} s")
        before, fields = resident(pid), ("identity", "status")
        for number in range(arguments.clicks):
            panel.do("on_change_colour", value=fields[number % 2])
        after = resident(pid)
        print(
            f"memory: {before:.0f} MiB, after {arguments.clicks} interactions {after:.0f} MiB "
            f"({100 * (after / before - 1):+.1f} %)"
        )
    dataset.delete()


if __name__ == "__main__":
    main()
