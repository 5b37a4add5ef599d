from __future__ import annotations

from pathlib import Path

import pytest

from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.runs.journal import Journal

ENTRIES = [{"key": "a", "linf": 8}, {"key": "é", "linf": 7}]


def _written(path: Path) -> bytes:
    journal = Journal(path)
    journal.append(ENTRIES)
    journal.close()
    return path.read_bytes()


def test_entries_come_back(tmp_path: Path) -> None:
    _written(tmp_path / "j")
    journal = Journal(tmp_path / "j")
    assert journal.entries == ENTRIES
    journal.append([{"key": "c"}])
    journal.close()
    assert [entry["key"] for entry in Journal(tmp_path / "j").entries] == ["a", "é", "c"]


def test_cut_at_any_byte(tmp_path: Path) -> None:
    data = _written(tmp_path / "j")
    whole = data.index(b"\n") + 1
    for cut in range(len(data)):
        (tmp_path / "j").write_bytes(data[:cut])
        journal = Journal(tmp_path / "j")
        assert journal.entries == ENTRIES[: cut >= whole]
        journal.append([{"key": "next"}])
        journal.close()
        assert Journal(tmp_path / "j").entries[-1] == {"key": "next"}


def test_zeros_after_a_power_cut(tmp_path: Path) -> None:
    data = _written(tmp_path / "j")
    (tmp_path / "j").write_bytes(data + bytes(100))
    assert Journal(tmp_path / "j").entries == ENTRIES


def test_damage_in_the_middle_is_refused(tmp_path: Path) -> None:
    data = _written(tmp_path / "j")
    (tmp_path / "j").write_bytes(b"x" + data)
    with pytest.raises(RunError, match="line 1 of"):
        Journal(tmp_path / "j")
