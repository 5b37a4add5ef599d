"""A command that meets a file or folder that is gone, or a disk that is: one sentence."""

from __future__ import annotations

import errno
import os

import pytest

from fiftyone_dp2vl.cli import bench, main


def raising(error: BaseException):
    def run(args):
        raise error

    return run


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ESTALE])
def test_what_is_gone_is_said_in_one_sentence(number, monkeypatch, capsys):
    error = OSError(number, os.strerror(number), "/mnt/photos/a.png")
    monkeypatch.setattr(bench, "run", raising(error))
    assert main(["bench"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dp2vl: /mnt/photos/a.png cannot be found or read (")
    assert line.endswith("mend that and give the same command again")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "no file of that name"),
        OSError(errno.EBADF, "Bad file descriptor", "/mnt/photos/a.png"),
        OSError("something else"),
        ValueError("a mistake in the program"),
    ],
)
def test_a_mistake_of_the_program_is_not_hidden(error, monkeypatch):
    monkeypatch.setattr(bench, "run", raising(error))
    with pytest.raises(type(error)):
        main(["bench"])
