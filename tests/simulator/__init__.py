"""A simulator of p-bit arithmetic, carried in float64: the tool that attacks the derived bounds.

``engine``    numbers whose every operation is rounded, to nearest or by an adversary
``formulas``  every usual formula of every activation function, over such numbers
``attack``    the worst error of a formula that an adversary finds, entry by entry
``mutants``   the source of a module with one term of one bound weakened
"""
