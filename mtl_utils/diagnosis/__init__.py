"""Why tasks do worse together than they might: tests that tell the causes apart."""

from mtl_utils.diagnosis.agreement import row_agreement
from mtl_utils.diagnosis.causes import ADVICE, CAUSES, NOTHING, Cause
from mtl_utils.diagnosis.changes import Change, excess, paired_change
from mtl_utils.diagnosis.diagnosing import BUDGET, diagnose
from mtl_utils.diagnosis.evidence import Evidence, Thresholds, cause_of
from mtl_utils.diagnosis.report import Diagnosis
from mtl_utils.diagnosis.widening import widened

__all__ = [
    "ADVICE",
    "BUDGET",
    "CAUSES",
    "Cause",
    "Change",
    "Diagnosis",
    "Evidence",
    "NOTHING",
    "Thresholds",
    "cause_of",
    "diagnose",
    "excess",
    "paired_change",
    "row_agreement",
    "widened",
]
