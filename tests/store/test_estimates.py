"""What a run costs, as a form tells it: by the size of the photos at hand."""

from __future__ import annotations

import re
from concurrent.futures import Future

import pytest
from PIL import Image

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.runs.pace import Pace
from fiftyone_dp2vl.store import embedding_estimates, estimates
from fiftyone_dp2vl.store.settings import Settings

SETTINGS = Settings(ProtectionConfig(), SelectionConfig(), OutputConfig())


@pytest.fixture
def timed(monkeypatch):
    """Sets of photos that were timed; what is timed is their size: a second a 1000 pixels."""
    sets = []

    def pace(paths, config, output):
        sets.append(paths)
        with Image.open(paths[0]) as image:
            step = image.width * image.height / 1000
        return Pace(step=step, reading=0.0, finishing=0.0, cores=0)

    monkeypatch.setattr(estimates, "_timed", pace)
    monkeypatch.setattr(estimates, "_paces", {})
    return sets


@pytest.fixture
def sized(tmp_path):
    """Makes datasets of photos of given sides."""
    import fiftyone as fo

    made = []

    def make(*sides):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(fo.Dataset())
        for row, side in enumerate(sides):
            Image.new("RGB", (side, side), "teal").save(folder / f"{row:03}.png")
        made[-1].add_samples(fo.Sample(filepath=str(path)) for path in sorted(folder.iterdir()))
        return made[-1]

    yield make
    for dataset in made:
        dataset.delete()


def test_photos_of_another_size_are_timed_anew(timed, sized, tmp_path):
    def told(dataset):
        return estimates.estimate_run(dataset, SETTINGS, directory=tmp_path).seconds

    small, large = sized(32, 32), sized(320, 320)
    first, second = told(small), told(large)
    assert second == pytest.approx(100 * first)
    assert told(sized(32, 33)) == pytest.approx(first)
    assert [len(paths) for paths in timed] == [2, 2]


def test_the_photos_that_are_timed_stand_for_the_others(sized):
    mixed = sized(*[16] * 20, *[320] * 60)
    sample = estimates.sample_of(mixed, "filepath")
    assert sample.pixels == pytest.approx(0.75 * 320**2, rel=0.01)
    with Image.open(sample.paths[0]) as image:
        assert image.width == 320
    mixed.add_samples(sized(*[16] * 240).iter_samples())
    assert estimates.sample_of(mixed, "filepath").pixels < sample.pixels / 2


class TestEmbeddings:
    """The sentence in the form of ``compute_embeddings``."""

    @pytest.fixture(autouse=True)
    def patient(self, monkeypatch):
        monkeypatch.setattr(embedding_estimates, "_PATIENCE_SECONDS", 60.0)
        monkeypatch.setattr(embedding_estimates, "_paces", {})

    def test_the_embedded_encoder_is_timed(self, dataset):
        told = embedding_estimates.estimate_embeddings(dataset, "embedded", field="mine")
        assert re.fullmatch(r"12 of 12 photos: about \d+ s, about 1 MB in the database", told)

    def test_another_is_timed_once_it_is_loaded_here(self, dataset, tiny_encoder):
        from fiftyone_dp2vl.encoders import unload_encoders
        from fiftyone_dp2vl.store import compute_embeddings

        def told(**more):
            more = {"field": "mine", **more}
            return embedding_estimates.estimate_embeddings(dataset, tiny_encoder, **more)

        unload_encoders()
        unknown = "12 of 12 photos: time is told once it runs, about 1 MB in the database at 1024"
        assert told().startswith(unknown)
        compute_embeddings(dataset.limit(7), tiny_encoder, field="mine")
        timed = r"{} of 12 photos: about \d+ s, about 1 MB in the database"
        assert re.fullmatch(timed.format(5), told())
        assert re.fullmatch(timed.format(12), told(overwrite=True))
        compute_embeddings(dataset, tiny_encoder, field="mine")
        assert told() == "0 of 12 photos: all have an embedding already"

    def test_a_slow_answer_never_blocks_the_form(self, dataset, monkeypatch):
        never: Future[str] = Future()

        class Busy:
            def submit(self, *job):
                return never

        monkeypatch.setattr(embedding_estimates, "_PATIENCE_SECONDS", 0.01)
        monkeypatch.setattr(embedding_estimates, "_timer", Busy())
        monkeypatch.setattr(embedding_estimates, "_asked", {})

        def told(encoder="embedded"):
            return embedding_estimates.estimate_embeddings(dataset, encoder, field="mine")

        assert told().startswith("Time is being measured")
        assert told("another").startswith("Time is being measured")
        assert len(embedding_estimates._asked) == 1
        never.set_result("12 of 12 photos: about 1 s")
        assert told() == "12 of 12 photos: about 1 s"
        assert embedding_estimates._asked == {}

    def test_photos_that_cannot_be_read_are_left_to_the_run(self, dataset):
        for path in dataset.values("filepath"):
            with open(path, "w") as stream:
                stream.write("no photo")
        told = embedding_estimates.estimate_embeddings(dataset, "embedded", field="mine")
        assert told.startswith("12 of 12 photos: time is told once it runs")
