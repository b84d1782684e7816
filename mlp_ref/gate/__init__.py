"""The gate: cases, judge, runner, hints and reports."""
