"""A database server of one's own, for demo and tests.

FiftyOne would start one itself, but with two traits that these two must not have: a process joins
whatever server another FiftyOne process on the machine is running, even if that is for another
``FIFTYONE_DATABASE_DIR``, such as a user's own; and a server that does not answer within a minute,
as on a busy machine, is given up.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from ..doctor import find_mongod
from ..errors import DP2VLError

__all__ = ["VARIABLE", "start_database"]

VARIABLE = "FIFTYONE_DATABASE_URI"

_PATIENCE_SECONDS = 300


def start_database(directory: Path, *, wait: bool = True) -> None:
    """Starts a server that ends with this process, and tells FiftyOne to use it.

    Nothing is done where ``FIFTYONE_DATABASE_URI`` names a server already. FiftyOne must not have
    been imported yet.

    Args:
        directory: where its database is; made if missing
        wait: whether to return only when the server answers

    Raises:
        DP2VLError: if there is no server to start, or it does not start
    """
    if os.environ.get(VARIABLE):
        return
    mongod = find_mongod()
    if mongod is None:
        raise DP2VLError(
            "FiftyOne has no database server: dp2vl doctor says how to bring one, or set "
            f"{VARIABLE}"
        )
    directory.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            *(str(mongod), "--dbpath", str(directory), "--logpath", str(directory / "mongod.log")),
            *("--bind_ip", "127.0.0.1", "--port", str(port)),
            *(() if sys.platform == "win32" else ("--nounixsocket",)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl+C is for the demo's own process, which ends the server last
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )
    atexit.register(server.wait)
    atexit.register(server.terminate)
    os.environ[VARIABLE] = f"mongodb://127.0.0.1:{port}"
    if wait:
        _wait_for(server, port, directory)


def _wait_for(server: subprocess.Popen[bytes], port: int, directory: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DP2VLError(
                f"the database server did not start: is another one using {directory}? Its log is "
                f"{directory / 'mongod.log'}"
            )
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise DP2VLError(f"the database server does not answer: its log is {directory / 'mongod.log'}")


def _end_with_parent() -> None:
    """Asks Linux to end the server when its parent is killed and cannot."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
