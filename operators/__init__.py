"""The plugin's operators: a form becomes a configuration, a configuration a library call."""

from __future__ import annotations

from .analyse_run import AnalyseRun
from .audit_release import AuditRelease
from .compute_embeddings import ComputeEmbeddings
from .delete_evaluation import DeleteEvaluation
from .delete_run import DeleteRun
from .doctor import Doctor
from .evaluate_attack import EvaluateAttack
from .export_release import ExportRelease
from .protect import Protect

OPERATORS = (
    ComputeEmbeddings,
    Protect,
    EvaluateAttack,
    AnalyseRun,
    ExportRelease,
    AuditRelease,
    DeleteRun,
    DeleteEvaluation,
    Doctor,
)
"""Every operator, in the order of ``fiftyone.yml``."""
