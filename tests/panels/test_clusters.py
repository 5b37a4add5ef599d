"""The clusters panel over FiftyOne's own HTTP routes."""

from __future__ import annotations

import numpy as np
import pytest
from panel_world import HELD_OUT, RUN
from stopping import stop_after

from fiftyone_dp2vl.store import load_run
from fiftyone_dp2vl.store.separation import FIGURES, load_separation


@pytest.fixture
def panel(open_panel):
    return open_panel("clusters")


def plot(panel):
    return panel.data["body"]["left"]["plot"]


def points(panel):
    """Returns the traces with photos in them."""
    return [trace for trace in plot(panel)[2:] if trace.get("ids")]


def ids_of(traces):
    return {key for trace in traces for key in trace["ids"]}


def test_it_opens_with_the_clean_and_protected_points_of_the_newest_run(panel, world):
    record = load_run(world, RUN)
    assert panel.state["controls"]["run"] == RUN
    assert panel.state["controls"]["encoder"] == "embedded"
    clean, protected = points(panel)
    assert (clean["name"], protected["name"]) == ("clean", "protected")
    released = world.load_brain_results(record.brain_keys[1])
    where = dict(zip(map(str, released.sample_ids), released.points, strict=True))
    moved = np.array([where[key] for key in protected["ids"]])
    assert np.allclose(moved, np.stack([protected["x"], protected["y"]], axis=1), rtol=1e-3)
    assert len(protected["ids"]) == record.counts["protected"]
    assert set(clean["ids"]) == set(map(str, released.sample_ids))


def test_the_figures_shown_are_those_stored_with_the_run(panel, world):
    from fiftyone.plugins.orgs.dp2vl.fiftyone_dp2vl.panels.cluster_table import SHOWN_FIGURES

    stored = load_separation(world, load_run(world, RUN))
    for encoder in ("embedded", HELD_OUT):
        panel.do("on_change_encoder", value=encoder)
        shown = panel.find("figures")["default"]
        for name in FIGURES:
            line = next(row for row in shown.splitlines() if SHOWN_FIGURES[name].label in row)
            assert f"**{SHOWN_FIGURES[name].show(stored[encoder].values)}**" in line
        assert f"{stored[encoder].photos} protected photos" in shown
    # what is shown is the stored value itself, rounded
    assert f"{100 * stored[HELD_OUT].values['identity_protected']:.0f}" in shown


def test_the_encoder_chooser_names_surrogates_and_held_out_encoders(panel):
    chooser = panel.find("encoder")
    labels = [choice["label"] for choice in chooser["view"]["choices"]]
    assert labels == ["embedded · surrogate", "heldout · held out"]
    before = plot(panel)
    panel.do("on_change_encoder", value=HELD_OUT)
    assert plot(panel)[2]["x"] != before[2]["x"]


@pytest.mark.parametrize("field", ["identity", "scenario", "role"])
def test_points_are_coloured_by_a_category(panel, world, field):
    panel.do("on_change_colour", value=field)
    values = dict(zip(*world.values(["id", field]), strict=True))
    for trace in points(panel):
        assert {values[key] or "none" for key in trace["ids"]} == {trace["name"]}
    assert len({trace["marker"]["color"] for trace in points(panel)}) == len(
        {trace["name"] for trace in points(panel)}
    )


def test_points_are_coloured_by_a_number(panel, world):
    panel.do("on_change_colour", value="age")
    ages = dict(zip(*world.values(["id", "age"]), strict=True))
    for trace in points(panel):
        assert trace["marker"]["color"] == [ages[key] for key in trace["ids"]]


def test_lines_join_each_protected_photo_with_its_original(panel, world):
    count = load_run(world, RUN).counts["protected"]
    assert len(plot(panel)[0]["x"]) == 3 * count
    assert plot(panel)[0]["x"][2::3] == [None] * count
    panel.do("on_change_lines", value=False)
    assert plot(panel)[0]["x"] == []


def test_a_lasso_selects_in_the_grid_and_leaves_the_view_alone(panel):
    chosen = points(panel)[1]["ids"][:3]
    asked = panel.do("lasso", data=[{"id": key} for key in (*chosen, chosen[0])])
    assert asked == [
        (
            "set_extended_selection",
            {"selection": chosen, "scope": "dp2vl_clusters", "clear": False, "reset": False},
        )
    ]
    assert "3 photos selected" in panel.text()


def test_our_own_selection_does_not_call_us_back(panel):
    before = plot(panel)
    chosen = points(panel)[1]["ids"][:3]
    panel.do("lasso", data=[{"id": key} for key in chosen])
    panel.app = {
        "extended_selection": {"selection": chosen, "scope": "dp2vl_clusters"},
        "extended": {"fiftyone.core.stages.Select": {"sample_ids": chosen, "ordered": False}},
    }
    for event in ("on_change_view", "on_change_extended_selection", "on_change_selected"):
        assert panel.do(event) == []
    assert plot(panel) == before
    assert panel.state["lasso"] == 3


def test_the_lasso_ends_when_the_grid_is_cleared(panel):
    panel.do("lasso", data=[{"id": points(panel)[1]["ids"][0]}])
    revision = panel.find("plot")["view"]["layout"]["selectionrevision"]
    panel.app = {"extended_selection": {"selection": None, "scope": None}}
    assert panel.do("on_change_extended_selection") == []
    assert panel.find("plot")["view"]["layout"]["selectionrevision"] == revision + 1
    assert not panel.state["lasso"]


def test_an_empty_lasso_and_a_double_click_clear_the_selection(panel):
    assert panel.do("clear_lasso") == []
    for method, params in (("lasso", {"data": []}), ("clear_lasso", {})):
        panel.do("lasso", data=[{"id": points(panel)[1]["ids"][0]}])
        ((name, given),) = panel.do(method, **params)
        assert name == "set_extended_selection"
        assert given["reset"]


def test_a_click_opens_the_photo(panel):
    key = points(panel)[0]["ids"][4]
    assert panel.do("open_photo", id=key) == [("open_sample", {"id": key, "group_id": None})]
    assert panel.do("open_photo", id=None) == []


def test_photos_selected_in_the_grid_are_ringed(panel):
    chosen = points(panel)[1]["ids"][:2]
    rest = plot(panel)[2:]
    panel.app = {"selected": chosen}
    panel.do("on_change_selected")
    assert set(plot(panel)[1]["ids"]) == set(chosen)
    assert plot(panel)[2:] == rest
    panel.app = {"selected": []}
    panel.do("on_change_selected")
    assert plot(panel)[1]["ids"] == []


def test_the_grids_view_filters_the_points_and_keeps_the_frame(panel, world):
    frame = panel.find("plot")["view"]["layout"]
    view = world.match_tags("share").match({"identity": world.distinct("identity")[0]})
    panel.app = {"view": view._serialize()}
    panel.do("on_change_view")
    assert ids_of(points(panel)) == set(view.values("id"))
    after = panel.find("plot")["view"]["layout"]
    for name in ("uirevision", "xaxis", "yaxis"):
        assert after[name] == frame[name]
    panel.data = {}
    panel.do("on_change_view")
    assert panel.data == {}, "an unchanged view must not send the points again"


def test_another_plane_is_looked_at_anew(panel):
    before = panel.find("plot")["view"]["layout"]["uirevision"]
    panel.do("on_change_encoder", value=HELD_OUT)
    assert panel.find("plot")["view"]["layout"]["uirevision"] != before


def test_choices_survive_and_what_is_gone_falls_back(open_panel):
    gone = {"run": "gone", "encoder": "gone", "colour": "gone", "lines": False}
    panel = open_panel("clusters", state={"controls": gone})
    controls = panel.state["controls"]
    assert controls == {
        "run": RUN,
        "encoder": "embedded",
        "colour": "status",
        "plane": "pca",
        "lines": False,
    }


def test_many_photos_are_sampled_for_display_and_it_says_so(open_panel, monkeypatch):
    from collections import OrderedDict

    from fiftyone_dp2vl.store.panels import points as panel_points

    monkeypatch.setattr(panel_points, "SHOWN", 10)
    monkeypatch.setattr(panel_points, "_plots", OrderedDict())
    panel = open_panel("clusters")
    assert len(points(panel)[0]["ids"]) == 10
    assert "10 of 28 photos are shown" in panel.text()
    assert "24 protected photos" in panel.find("figures")["default"]


def test_without_a_run_it_opens_prefilled_forms(open_panel, dataset):
    panel = open_panel("clusters", dataset)
    assert "No run yet" in panel.text()
    ((name, given),) = panel.do("protect")
    assert name == "prompt_user_for_operation"
    assert given["operator_uri"] == "@dp2vl/fiftyone_dp2vl/protect"
    assert given["params"] == {"group_field": "identity"}
    ((_, given),) = panel.do("embed")
    assert given["operator_uri"] == "@dp2vl/fiftyone_dp2vl/compute_embeddings"


def test_a_scheduled_run_shows_its_progress(open_panel, dataset, quick):
    import fiftyone.operators as foo
    from fiftyone.operators.delegated import DelegatedOperationService
    from fiftyone.operators.executor import ExecutionProgress

    protect = foo.get_operator("@dp2vl/fiftyone_dp2vl/protect")
    protect(dataset, run="later", delegate=True, **quick)
    panel = open_panel("clusters", dataset)
    assert "waits for a runner" in panel.text()
    assert panel.find("timer")["view"]["interval"] > 0
    service = DelegatedOperationService()
    (operation,) = service.list_operations(dataset_name=dataset.name)
    service.set_running(operation.id)
    service.set_progress(operation.id, ExecutionProgress(progress=0.4, label="protecting"))
    panel.do("poll")
    assert "40 % done: protecting" in panel.text()
    service.set_completed(operation.id)
    panel.do("poll")
    assert panel.find("timer") is None
    service.delete_operation(operation.id)


def test_a_run_that_stopped_is_offered_again_with_its_settings(
    open_panel, dataset, quick, tmp_path
):
    from fiftyone_dp2vl.errors import Cancelled
    from fiftyone_dp2vl.store import protect_dataset

    with pytest.raises(Cancelled):
        protect_dataset(
            dataset,
            "half",
            ratio=0.5,
            group_field="identity",
            output_dir=str(tmp_path / "out"),
            cancel=stop_after(len(dataset) + 3),
            **quick,
        )
    panel = open_panel("clusters", dataset)
    assert "Run half stopped" in panel.text()
    ((_, given),) = panel.do("resume")
    assert given["params"]["run"] == "half"
    assert given["params"]["ratio"] == 0.5
    assert given["params"]["steps"] == quick["steps"]
    assert given["params"]["encoders"] == quick["encoders"]
    panel.do("measure")


def test_the_measuring_form_is_opened_for_the_run_shown(panel):
    ((_, given),) = panel.do("measure")
    assert given["operator_uri"] == "@dp2vl/fiftyone_dp2vl/analyse_run"
    assert given["params"] == {"run": RUN}


def test_many_threads_may_ask_at_once(client, world, panel):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as pool:
        texts = list(
            pool.map(lambda _: (panel.do("on_change_selected"), panel.text())[1], range(12))
        )
    assert all("Measured separation" in text for text in texts)


@pytest.mark.parametrize(
    ("name", "root"), [("clusters", "body"), ("attack", "plots"), ("compare", "pictures")]
)
def test_copies_of_data_that_the_app_puts_into_the_state_are_dropped(open_panel, world, name, root):
    photo = world.exists(load_run(world, RUN).names.path).first()
    panel = open_panel(name, current_sample=photo.id)
    # what the App does whenever a chooser is used
    panel.state = {**panel.state, **panel.data}
    assert panel.state[root]
    panel.do("on_load")
    assert panel.state[root] is None


def test_the_form_is_not_filled_with_a_field_that_only_sounds_like_a_person(open_panel, dataset):
    dataset.set_values("filename", [f"{row}.png" for row in range(12)])
    dataset.delete_sample_field("identity")
    panel = open_panel("clusters", dataset)
    ((_, given),) = panel.do("protect")
    assert given["params"] == {}


@pytest.fixture
def protected(dataset, quick, tmp_path):
    from fiftyone_dp2vl.store import protect_dataset

    protect_dataset(dataset, "one", output_dir=str(tmp_path / "one"), **quick)
    return dataset


def test_a_run_whose_process_died_is_offered_again(open_panel, protected):
    from fiftyone_dp2vl.store.records import save_run
    from fiftyone_dp2vl.store.workers import this_worker

    record = load_run(protected, "one")
    save_run(protected, record, state="running", worker=this_worker())
    panel = open_panel("clusters", protected)
    assert "Run one is at work" in panel.text()
    machine = this_worker().partition(":")[0]
    save_run(protected, record, state="running", worker=f"{machine}:1:99")
    panel.do("poll")
    assert "at work" not in panel.text()
    assert panel.find("timer") is None
    assert "Run one stopped" in panel.text()
    ((_, given),) = panel.do("resume")
    assert given["params"]["run"] == "one"


def test_when_the_run_shown_is_deleted_another_one_can_be_chosen(
    open_panel, protected, quick, tmp_path
):
    from fiftyone_dp2vl.store import delete_run, protect_dataset

    protect_dataset(protected, "two", output_dir=str(tmp_path / "two"), **quick)
    sample = protected.first().id
    panels = [
        open_panel(name, protected, current_sample=sample) for name in ("clusters", "compare")
    ]
    assert [panel.state["controls"]["run"] for panel in panels] == ["two", "two"]
    delete_run(protected, "two")
    for panel in panels:
        panel.do("on_unload")
        assert "No run is shown" in panel.text()
        assert [choice["value"] for choice in panel.find("run")["view"]["choices"]] == ["one"]
        panel.do("on_change_run", value="one")
        assert "No run is shown" not in panel.text()
        assert panel.data


class TestPatches:
    """The grid shows faces: two on each of five photos."""

    @pytest.fixture
    def photos(self, protected):
        import fiftyone as fo

        def face():
            return fo.Detection(label="face", bounding_box=[0.1, 0.1, 0.5, 0.5])

        some = protected.limit(5)
        some.set_values("faces", [fo.Detections(detections=[face(), face()]) for _ in range(5)])
        return some.values("id")

    @pytest.fixture
    def faces(self, protected, photos):
        """Photo -> ids of its faces."""
        found = {}
        for patch in protected.to_patches("faces"):
            found.setdefault(patch.sample_id, []).append(patch.id)
        return found

    @pytest.fixture
    def panel(self, open_panel, protected, faces):
        panel = open_panel("clusters", protected)
        panel.app = {"view": protected.to_patches("faces")._serialize()}
        panel.do("on_change_view")
        return panel

    def test_the_points_are_those_of_their_photos(self, panel, photos):
        assert ids_of(points(panel)) == set(photos)

    def test_a_lasso_selects_all_faces_of_the_photos(self, panel, photos, faces):
        ((name, asked),) = panel.do("lasso", data=[{"id": key} for key in photos[:2]])
        assert name == "set_extended_selection"
        assert sorted(asked["selection"]) == sorted([*faces[photos[0]], *faces[photos[1]]])
        assert "2 photos selected" in panel.text()

    def test_a_clicked_point_opens_a_face_of_the_photo(self, panel, photos, faces, protected):
        ((name, asked),) = panel.do("open_photo", id=photos[3])
        assert (name, asked["id"]) == ("open_sample", faces[photos[3]][0])
        elsewhere = next(key for key in protected.values("id") if key not in photos)
        assert panel.do("open_photo", id=elsewhere) == []

    def test_a_selected_face_rings_its_photo(self, panel, photos, faces):
        panel.app["selected"] = faces[photos[1]]
        panel.do("on_change_selected")
        ringed = plot(panel)[1]
        assert set(ringed["ids"]) == {photos[1]}
