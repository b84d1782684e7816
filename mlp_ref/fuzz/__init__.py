"""Fuzzing: questions that nobody thought of, and the smallest of those that fail.

Hypothesis draws questions of every operation that a subject declares, and makes a failing one as
small as it can. What is right is known without a certificate: the float64 reference, its own
radius, and the derived bounds judge as everywhere, through the one comparator.

    numbers    tables of numbers, the simplest first     arrays     matrices, logits, targets
    choices    who chooses: Hypothesis, or the simplest  questions  of every operation
    cases      a question with its bounds                known      deviations in ledgers
    search     rounds, and what they find                program    a failure as Python
    saving     failures as a corpus
"""

from mlp_ref.fuzz.known import Known
from mlp_ref.fuzz.program import program
from mlp_ref.fuzz.search import Finding, Search

__all__ = ["Finding", "Known", "Search", "program"]
