"""Fits the polynomials of `crates/kernels/src/math.rs` and prints their coefficients.

Each function is interpolated at Chebyshev nodes in 40-digit arithmetic, which is within a small
factor of the best polynomial of that degree, and rounded to f32. Needs `mpmath` and `numpy`.

    python fit_polynomials.py
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 40


def fit(function, low, high, degree):
    """Monomial coefficients, lowest power first, of the Chebyshev interpolant on [low, high]."""
    count = degree + 1
    nodes = [
        (low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * count))
        for i in range(count)
    ]
    matrix = mp.matrix(count, count)
    for row, x in enumerate(nodes):
        for power in range(count):
            matrix[row, power] = x**power
    return list(mp.lu_solve(matrix, mp.matrix([function(x) for x in nodes])))


def show(name, coefficients):
    """Prints the coefficients as Rust f32 literals, highest power first (Horner's order)."""
    print(name)
    for c in reversed(coefficients):
        print("   ", np.format_float_positional(np.float32(float(c)), unique=True, trim="-") if abs(c) > 1e-4
              else np.format_float_scientific(np.float32(float(c)), unique=True), ",")


def exp_remainder(r):
    """(exp(r) - 1 - r) / r^2, the part of exp that is a polynomial fit."""
    r = mp.mpf(r)
    return mp.mpf(1) / 2 if abs(r) < mp.mpf(10) ** -15 else (mp.expm1(r) - r) / r**2


def exp2_remainder(x):
    """(2^x - 1) / x."""
    x = mp.mpf(x)
    return mp.log(2) if abs(x) < mp.mpf(10) ** -15 else mp.expm1(x * mp.log(2)) / x


def tail_in_t(t):
    """exp(a^2/2) erfc(a/sqrt 2) / (2 t) with a = (1/t - 1)/P: smooth in t on (0, 1]."""
    a = (1 / t - 1) / TAIL_P
    return mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / (2 * t)


def tanh_remainder(t):
    """(tanh(x)/x - 1) / x^2 in t = x^2."""
    if t < mp.mpf(10) ** -15:
        return -mp.mpf(1) / 3
    x = mp.sqrt(t)
    return (mp.tanh(x) / x - 1) / t


TAIL_P = mp.mpf("0.28")

if __name__ == "__main__":
    half = mp.log(2) / 2
    show("exp: (exp(r) - 1 - r) / r^2 on [-ln2/2, ln2/2]", fit(exp_remainder, -half, half, 5))
    show("exp2: (2^x - 1) / x on [-1/2, 1/2]", fit(exp2_remainder, -mp.mpf(1) / 2, mp.mpf(1) / 2, 5))
    show("normal tail: Q(a) exp(a^2/2) / t on a in [0, 14], t = 1 / (1 + 0.28 a)",
         fit(tail_in_t, 1 / (1 + TAIL_P * 14), mp.mpf(1), 8))
    show("tanh: (tanh(x)/x - 1)/x^2 on |x| <= 0.625", fit(tanh_remainder, mp.mpf(0), mp.mpf("0.625") ** 2, 4))
