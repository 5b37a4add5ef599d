"""What leaves the building: the audit of a folder, and restoration for those who have the key.

Knows how photos are read and how runs are made; neither FiftyOne nor the attacker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .audit import audit_release as audit_release
    from .passphrase import read_passphrase as read_passphrase
    from .private import PrivatePhoto as PrivatePhoto, PrivateSet as PrivateSet
    from .report import CODES as CODES, AuditReport as AuditReport, Finding as Finding
    from .restoration import SidecarWriter as SidecarWriter, restore as restore
    from .text import KINDS as KINDS, TextScanner as TextScanner

_HOMES = {
    "AuditReport": "report",
    "CODES": "report",
    "Finding": "report",
    "KINDS": "text",
    "PrivatePhoto": "private",
    "PrivateSet": "private",
    "SidecarWriter": "restoration",
    "TextScanner": "text",
    "audit_release": "audit",
    "read_passphrase": "passphrase",
    "restore": "restoration",
}

__all__ = list(_HOMES)


__getattr__ = lazily(__name__, _HOMES)
