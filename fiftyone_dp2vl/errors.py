"""The errors a user can cause: each message is one sentence that says what to do."""

from __future__ import annotations


def reason_of(error: OSError) -> str:
    """Returns what the system said, as a part of a sentence."""
    return (error.strerror or str(error)).lower()


class DP2VLError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(DP2VLError, ValueError):
    """A configuration value is out of its range or contradicts another."""


class ModelNotFoundError(DP2VLError):
    """A model's weights are not on this machine and could not be fetched."""


class PhotoError(DP2VLError):
    """A photo cannot be read, or cannot be protected, as it is.

    Attributes:
        code: a stable, machine-readable reason such as ``"truncated"``
    """

    def __init__(self, message: str, code: str = "unreadable") -> None:
        super().__init__(message)
        self.code = code


class BudgetError(PhotoError):
    """A written file differs from its original by more than the budget."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="over-budget")


class RunError(DP2VLError):
    """A run cannot start, resume or finish as asked."""


class Cancelled(DP2VLError):  # noqa: N818  (nothing went wrong)
    """The user cancelled; what was finished is kept and the run can be resumed."""
