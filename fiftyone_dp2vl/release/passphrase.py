"""Passphrases: from a prompt, the environment or a file, never from arguments."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from ..errors import ConfigError

__all__ = ["MINIMUM", "VARIABLE", "check_passphrase", "read_passphrase"]

VARIABLE = "DP2VL_PASSPHRASE"
MINIMUM = 12
"""Characters: below this, guessing is cheap whatever the derivation costs."""


def check_passphrase(passphrase: str) -> str:
    """Returns a passphrase that will do for a new sidecar.

    Raises:
        ConfigError: if it is too short
    """
    if len(passphrase) < MINIMUM:
        raise ConfigError(
            f"the passphrase is shorter than {MINIMUM} characters: choose a longer one"
        )
    return passphrase


def read_passphrase(
    file: str | Path | None = None, *, confirm: bool = False, ask: bool = True
) -> str:
    """Returns a passphrase: the first line of a file, the environment's, or one that is typed.

    Args:
        file: where it stands; None looks at ``DP2VL_PASSPHRASE`` and then asks
        confirm: whether it is to be typed twice
        ask: whether somebody may be asked to type it

    Raises:
        ConfigError: if there is none
    """
    if file is not None:
        try:
            text = Path(file).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the passphrase's file {file} cannot be read as text") from error
        return _some(text.splitlines()[0] if text else "", f"the first line of {file}")
    if VARIABLE in os.environ:
        return _some(os.environ[VARIABLE], f"the variable {VARIABLE}")
    if not ask or not sys.stdin.isatty():
        raise ConfigError(
            f"there is nobody to ask for a passphrase: set {VARIABLE} or give a file with it"
        )
    typed = _some(getpass.getpass("passphrase: "), "what was typed")
    if confirm and getpass.getpass("once more: ") != typed:
        raise ConfigError("the two passphrases differ: try again")
    return typed


def _some(text: str, source: str) -> str:
    if not text:
        raise ConfigError(f"{source} is empty: give a passphrase")
    return text
