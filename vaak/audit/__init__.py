"""The audit of a corpus before money is spent on it: what is wrong, where, and what it sounds like (SPEC G1)."""

from vaak.audit.audit import audit_corpus
from vaak.audit.limits import load_limits, loosened
from vaak.audit.report import AuditReport, Check

__all__ = ["AuditReport", "Check", "audit_corpus", "load_limits", "loosened"]
