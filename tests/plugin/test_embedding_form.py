"""What the form of ``compute_embeddings`` tells before anything runs."""

from __future__ import annotations

from fiftyone_dp2vl.store import embedding_estimates


def test_it_says_what_it_will_cost(form, dataset, monkeypatch):
    monkeypatch.setattr(embedding_estimates, "_PATIENCE_SECONDS", 60.0)
    text = form("compute_embeddings")["estimate"]["view"]["label"]
    assert text.startswith("12 of 12 photos: about ")
    assert text.endswith(" in the database")
    view = dataset.limit(5)._serialize()
    assert form("compute_embeddings", view=view)["estimate"]["view"]["label"].startswith("5 of 5")


def test_it_says_nothing_where_it_cannot_run(form):
    assert "estimate" not in form("compute_embeddings", {"encoder": "nothing"})
