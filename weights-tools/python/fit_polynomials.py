"""Fits the polynomials of `crates/kernels/src/math.rs` and prints their coefficients.

`exp` and `tanh` are interpolated at Chebyshev nodes in 40-digit arithmetic, which is within a small
factor of the best polynomial of that degree. `2^x` and the normal distribution are fitted by least
squares whose weights follow the error until it is the same everywhere, in f64; the tail of the
normal distribution so in each of its pieces. All are rounded to
f32. Needs `mpmath` and `numpy`.

    python fit_polynomials.py
"""

import math

import mpmath as mp
import numpy as np
from numpy.polynomial import chebyshev

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


def literal(c):
    """A number as a Rust f32 literal."""
    c = np.float32(float(c))
    if c == 0 or abs(c) > 1e-4:
        return np.format_float_positional(c, unique=True, trim="0")
    return np.format_float_scientific(c, unique=True)


def show(name, coefficients):
    """Prints the coefficients as Rust f32 literals, highest power first (Horner's order)."""
    print(name)
    for c in reversed(coefficients):
        print("   ", literal(c), ",")


def exp_remainder(r):
    """(exp(r) - 1 - r) / r^2, the part of exp that is a polynomial fit."""
    r = mp.mpf(r)
    return mp.mpf(1) / 2 if abs(r) < mp.mpf(10) ** -15 else (mp.expm1(r) - r) / r**2


def even_fit(basis, target, scale, rounds, fixed=None):
    """Coefficients for the columns of `basis` whose largest `scale * error` is least.

    Lawson's way: a point weighs the more the larger its error was. `fixed` is a row and a value
    that the coefficients meet.
    """
    weights = np.ones_like(target)
    for _ in range(rounds):
        rows, values = basis * (weights * scale)[:, None], target * weights * scale
        if fixed:
            rows = np.vstack([rows, fixed[0] * 1e6])
            values = np.append(values, fixed[1] * 1e6)
        coefficients = np.linalg.lstsq(rows, values, rcond=None)[0]
        error = np.abs(basis @ coefficients - target) * scale
        weights *= (error / error.max() + 1e-3) ** 0.15
        weights /= weights.max()
    return coefficients


def exp2_fit(degree):
    """`(2^x - 1) / x` on [-1/2, 1/2] for the least relative error of `2^x`, and the 1."""
    x = np.cos(np.linspace(0, np.pi, 8001)) / 2
    x = x[np.abs(x) > 1e-9]
    basis = chebyshev.chebvander(2 * x, degree)
    coefficients = even_fit(basis, (2.0**x - 1) / x, np.abs(x) / 2.0**x, 500)
    powers = chebyshev.cheb2poly(coefficients)
    return [1.0] + [c * 2**i for i, c in enumerate(powers)]


def normal_slope_fit(degree, end, above):
    """`(Phi(x) - 1/2) / x` in `t = 2 (x / end)^2 - 1`, for the least error of `Phi` on [0, end].

    At the end it is `above` one: rounded to f32 and cut at 0, `Phi` is exactly 1 there, and
    exactly 0 at the other end.
    """
    x = np.cos(np.linspace(0, np.pi / 2, 6000))[:-1] * end
    x = np.sort(np.concatenate([x, np.linspace(1e-3, end, 6000)]))
    half = np.array([math.erf(v / math.sqrt(2)) / 2 for v in x])
    basis = chebyshev.chebvander(2 * (x / end) ** 2 - 1, degree) * x[:, None]
    last = chebyshev.chebvander(np.ones(1), degree) * end
    return chebyshev.cheb2poly(even_fit(basis, half, np.ones_like(x), 400, (last, 0.5 + above)))


def normal_tail_table(pieces, end):
    """`-Phi(-a)` on [0, end] in pieces of width 1 around the whole numbers of `a * scale`, by degree 4 in
    the distance from the middle; behind them a piece of zeros. Returns the scale and the coefficients,
    highest power first, `[5][pieces + 1]`.
    """
    scale = float(np.float32((pieces - 0.5) / end))
    distance = np.cos(np.linspace(0, np.pi, 801)) / 2
    basis = chebyshev.chebvander(2 * distance, 4)
    table = np.zeros((5, pieces + 1))
    for piece in range(pieces):
        tail = np.array([-math.erfc((piece + r) / scale / math.sqrt(2)) / 2 for r in distance])
        powers = chebyshev.cheb2poly(even_fit(basis, tail, np.ones_like(tail), 200))
        for power, c in enumerate(powers):
            # Around 0 the function is odd, but for its constant.
            table[4 - power, piece] = 0 if piece == 0 and power in (2, 4) else c * 2**power
    return scale, table


def tanh_remainder(t):
    """(tanh(x)/x - 1) / x^2 in t = x^2."""
    if t < mp.mpf(10) ** -15:
        return -mp.mpf(1) / 3
    x = mp.sqrt(t)
    return (mp.tanh(x) / x - 1) / t


if __name__ == "__main__":
    half = mp.log(2) / 2
    show("exp: (exp(r) - 1 - r) / r^2 on [-ln2/2, ln2/2]", fit(exp_remainder, -half, half, 5))
    show("exp2: 2^x on [-1/2, 1/2]", exp2_fit(4))
    show("normal distribution: (Phi(x) - 1/2) / x on |x| <= 5.25, in t = 2 (x / 5.25)^2 - 1",
         normal_slope_fit(13, 5.25, 1.5e-8))
    scale, table = normal_tail_table(15, 5.2)
    print("normal tail by table: pieces of a *", np.float32(scale))
    for row in table:
        print("    [", ", ".join(map(literal, row)), "],")
    show("tanh: (tanh(x)/x - 1)/x^2 on |x| <= 0.625", fit(tanh_remainder, mp.mpf(0), mp.mpf("0.625") ** 2, 4))
