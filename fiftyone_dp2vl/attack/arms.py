"""What an attacker may train on: controls, the protection, its share, and what is done first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..errors import ConfigError
from ..measure.report import Arm
from .adaptive import ADAPTIVE
from .changes import POSTPROCESSING, jpeg, postprocess, random_signs, random_signs_of_rmse
from .controls import rmse_between
from .face import blurred_faces, pixelated_faces
from .options import ArmOption, Maker
from .workbench import Material, Workbench

__all__ = ["ALWAYS", "PRESETS", "ArmOption", "chosen_arms", "list_arms"]


def _none(bench: Workbench) -> Material:
    return Material(())


def _clean(bench: Workbench) -> Material:
    return Material(bench.shared)


def _protected(bench: Workbench) -> Material:
    return Material(bench.protected_photos)


def _random_signs(bench: Workbench) -> Material:
    grid, epsilon, seed = bench.grid_pixels, bench.epsilon, bench.repetition
    change = random_signs(epsilon, grid, seed)
    return Material(
        bench.changed(
            bench.shared, change, name="random signs", epsilon=epsilon, grid=grid, seed=seed
        )
    )


def _random_signs_rmse(bench: Workbench) -> Material:
    rmse = rmse_between(bench.shared, bench.protected)
    grid, seed = bench.grid_pixels, bench.repetition
    change = random_signs_of_rmse(rmse, grid, seed)
    spec = {"name": "random signs, equal RMSE", "rmse": sorted(rmse.items())}
    return Material(bench.changed(bench.shared, change, **spec, grid=grid, seed=seed))


def _jpeg(bench: Workbench) -> Material:
    return Material(bench.changed(bench.shared, jpeg(75), name="JPEG 75"))


def _blurred(bench: Workbench) -> Material:
    boxes = sorted(bench.boxes.items())
    change = blurred_faces(bench.boxes)
    return Material(bench.changed(bench.shared, change, name="blurred faces", boxes=boxes))


def _pixelated(bench: Workbench) -> Material:
    boxes = sorted(bench.boxes.items())
    change = pixelated_faces(bench.boxes)
    return Material(bench.changed(bench.shared, change, name="pixelated faces", boxes=boxes))


def _ratio(ratio: float, people: bool) -> Maker:
    def make(bench: Workbench) -> Material:
        chosen = bench.subset(ratio, people=people)
        files = {key: path for key, path in bench.protected.items() if key in chosen}
        return Material(bench.with_files(bench.shared, files))

    return make


def _after(name: str) -> Maker:
    def make(bench: Workbench) -> Material:
        change = postprocess(name)
        assert change is not None
        return Material(bench.changed(bench.protected_photos, change, name=name))

    return make


def _without_jpeg(after: str) -> Maker:
    def make(bench: Workbench) -> Material:
        assert bench.protection is not None
        rest = tuple(t for t in bench.protection.transforms if not t.startswith("jpeg"))
        files = bench.tool(bench.shared, replace(bench.protection, transforms=rest))
        photos = bench.with_files(bench.shared, files)
        change = postprocess(after)
        return Material(photos if change is None else bench.changed(photos, change, name=after))

    return make


def _controls() -> Iterable[ArmOption]:
    def control(name: str, needs: str, make: Maker, *requires: str) -> ArmOption:
        arm = Arm(name=name, group="control", needs=needs)
        return ArmOption(_slug(name), arm, make, frozenset(requires))

    none = control("none", "No fine-tuning: the model as it is.", _none)
    yield replace(none, proxies=False)
    yield control("clean", "The photos as they were before protection.", _clean)
    yield control(
        "random signs",
        "Noise of the same budget whose directions are not chosen.",
        _random_signs,
    )
    yield control(
        "random signs, equal RMSE",
        "Noise as strong as each photo's protection whose directions are not chosen.",
        _random_signs_rmse,
        "protected",
    )
    yield control("jpeg", "The clean photos saved as JPEG of quality 75.", _jpeg)
    yield control(
        "blurred faces",
        "The clean photos with a Gaussian blur over each face.",
        _blurred,
        "faces",
    )
    yield control(
        "pixelated faces",
        "The clean photos with each face in 8 blocks.",
        _pixelated,
        "faces",
    )


def _protections() -> Iterable[ArmOption]:
    arm = Arm(
        name="protected",
        group="protection",
        needs="The photos as they are shared, all of them protected.",
    )
    yield ArmOption("protected", arm, _protected, frozenset({"protected"}))
    variant = "no JPEG in the loop"
    needs = frozenset({"protected", "tool", "jpeg in the loop"})
    for after in ("none", "JPEG 75", "half size and back"):
        said = "" if after == "none" else f", after {after}"
        arm = Arm(
            name=f"protected, {variant}{said}",
            group="protection" if after == "none" else "post-processing",
            needs=f"A protection made with {variant}" + (f", then {after}." if said else "."),
            after="" if after == "none" else after,
            variant=variant,
        )
        slug = "no-jpeg-loop" if after == "none" else f"no-jpeg-loop-after-{_slug(after)}"
        yield ArmOption(slug, arm, _without_jpeg(after), needs)


def _ratios() -> Iterable[ArmOption]:
    for of in ("photos", "people"):
        for percent in (25, 50, 75):
            told = "of each person's photos" if of == "photos" else "of the people"
            arm = Arm(
                name=f"protected, {percent} % of {of}",
                group="ratio",
                needs=f"Only {percent} % {told} were protected before sharing.",
                share=percent / 100,
                of=of,
            )
            yield ArmOption(
                f"ratio-{of}-{percent}",
                arm,
                _ratio(percent / 100, of == "people"),
                frozenset({"protected", "all protected"}),
            )


def _posts() -> Iterable[ArmOption]:
    for name in POSTPROCESSING:
        if name == "none":
            continue
        arm = Arm(
            name=f"protected, after {name}",
            group="post-processing",
            needs="An image editor, before training.",
            after=name,
        )
        yield ArmOption(f"after-{_slug(name)}", arm, _after(name), frozenset({"protected"}))


def _slug(name: str) -> str:
    kept = "".join(c if c.isalnum() else " " for c in name.lower())
    return "-".join(kept.split())


def list_arms() -> dict[str, ArmOption]:
    """Returns every arm by identifier, in the order in which a report shows them."""
    options = (*_controls(), *_protections(), *_ratios(), *_posts(), *ADAPTIVE)
    return {option.id: option for option in options}


ALWAYS = ("none", "clean", "random-signs", "jpeg", "blurred-faces", "protected")
"""Measured whatever else is: without these controls no figure can be read."""

PRESETS: dict[str, str] = {
    "quick": "the usual controls and the protected photos, nothing else",
    "controls": "further controls: pixelated faces, noise as strong as the protection",
    "ratio": "25, 50 and 75 % of each person's photos, and of the people",
    "post-processing": "what editors and platforms do to protected photos",
    "adaptive": "attackers who know of the protection",
    "full": "everything",
}
"""Name of a set of arms -> what it holds, besides :data:`ALWAYS`."""


def _of_preset(name: str, options: Iterable[ArmOption]) -> set[str]:
    groups = {
        "quick": set(),
        "controls": {"control"},
        "ratio": {"ratio"},
        "post-processing": {"post-processing"},
        "adaptive": {"adaptive"},
    }.get(name)
    return {
        option.id
        for option in options
        if groups is None
        or option.arm.group in groups
        or (name == "post-processing" and option.arm.variant)
    }


def chosen_arms(names: Iterable[str]) -> list[ArmOption]:
    """Returns the arms of presets and identifiers, those of :data:`ALWAYS` among them.

    Args:
        names: of :data:`PRESETS` and :func:`list_arms`

    Raises:
        ConfigError: if there is no such preset or arm
    """
    options = list_arms()
    wanted = set(ALWAYS)
    for name in names:
        if name in PRESETS:
            wanted |= _of_preset(name, options.values())
        elif name in options:
            wanted.add(name)
        else:
            raise ConfigError(
                f"there is no arm {name!r}: name a preset ({', '.join(PRESETS)}) or one of "
                f"{', '.join(options)}"
            )
    return [option for option in options.values() if option.id in wanted]
