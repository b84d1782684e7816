"""Compute the coefficients of Mills' ratio that mlp_ref/special.py holds. Needs mpmath.

    python docs/make_mills.py

h(z) = (z + 1) M(z), M(z) = (1 - Phi(z)) / phi(z), is smooth in t = (z - 5) / (z + 5) on [-1, 1]:
h is 1.2533 at z = 0 and 1 at infinity. It is interpolated in 60 Chebyshev nodes; the terms from
degree 25 on sum to 2e-17 and are dropped; the rest is expanded in powers of t.
"""

from mpmath import cos, erfc, exp, mp, mpf, pi, sqrt

NODES, TERMS = 60, 25


def h(t: mpf) -> mpf:
    """(z + 1) M(z) at z = 5 (1 + t) / (1 - t)."""
    z = 5 * (1 + t) / (1 - t)
    if z < 60:
        return (z + 1) * sqrt(pi / 2) * exp(z * z / 2) * erfc(z / sqrt(2))
    fraction = mpf(0)  # Laplace's continued fraction, which converges fast for large z
    for k in range(200, 0, -1):
        fraction = k / (z + fraction)
    return (z + 1) / (z + fraction)


def chebyshev() -> list[mpf]:
    """Coefficients of the interpolant in Chebyshev polynomials. Call at 60 digits."""
    angles = [pi * (mpf(j) + mpf(1) / 2) / NODES for j in range(NODES)]
    values = [h(cos(angle)) for angle in angles]
    series = [
        2 * sum(v * cos(k * a) for v, a in zip(values, angles, strict=True)) / NODES
        for k in range(NODES)
    ]
    series[0] /= 2
    return series


def powers(series: list[mpf]) -> list[mpf]:
    """The same polynomial in powers of t, by the recurrence T_{k+1} = 2 t T_k - T_{k-1}."""
    total = [mpf(0)] * len(series)
    before, current = [mpf(1)], [mpf(0), mpf(1)]
    for c in series:
        for k, value in enumerate(before):
            total[k] += c * value
        after = [mpf(0), *(2 * value for value in current)]
        for k, value in enumerate(before):
            after[k] -= value
        before, current = current, after
    return total


def dropped() -> float:
    """The sum of the coefficients that are left out: a bound on the truncation of h."""
    with mp.workdps(60):
        return float(sum(abs(c) for c in chebyshev()[TERMS:]))


def coefficients() -> list[float]:
    """The numbers, rounded to float64."""
    with mp.workdps(60):
        return [float(c) for c in powers(chebyshev()[:TERMS])]


if __name__ == "__main__":
    for number in coefficients():
        print(repr(number))
