"""``dp2vl install``: links the plugin's folder into FiftyOne's plugins directory."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..errors import DP2VLError
from ..store.plugin import PLUGIN_NAME, plugin_folder, plugins_directory


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        help="folder that holds fiftyone.yml (default: the one beside the library)",
    )
    parser.add_argument("--remove", action="store_true", help="remove the link again")


def run(args: argparse.Namespace) -> int:
    """Makes or removes the link; returns the exit status."""
    link = plugins_directory() / PLUGIN_NAME
    if args.remove:
        remove(link)
        print(f"removed {link}")
        return 0
    source = args.source or plugin_folder()
    if source is None:
        raise DP2VLError(
            "the library was installed without the plugin's folder: clone the repository and run "
            "dp2vl install --from FOLDER, or use fiftyone plugins download"
        )
    install(source.resolve(), link)
    print(f"{PLUGIN_NAME} is installed: {link} -> {source.resolve()}")
    print("restart the FiftyOne App, then press ` and type 'protect'")
    return 0


def install(source: Path, link: Path) -> None:
    """Makes ``link`` point to the plugin's folder.

    Raises:
        DP2VLError: if the folder is no plugin, or something else is already there
    """
    if not (source / "fiftyone.yml").is_file():
        raise DP2VLError(f"{source} holds no fiftyone.yml: give the plugin's folder with --from")
    if link.is_symlink():
        if link.resolve() == source:
            return
        link.unlink()
    elif link.exists():
        raise DP2VLError(
            f"{link} is a copy of the plugin, not a link: delete that folder first if the linked "
            "one shall be used"
        )
    link.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(source, link, target_is_directory=True)


def remove(link: Path) -> None:
    """Removes a link that :func:`install` made.

    Raises:
        DP2VLError: if there is no such link
    """
    if not link.is_symlink():
        raise DP2VLError(f"{link} is not a link that dp2vl install made: nothing was removed")
    link.unlink()
