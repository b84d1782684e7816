"""Python code of the user's own as a subject: functions, operations by name, classes."""

from mlp_ref.subjects.python.loading import load

__all__ = ["load"]
