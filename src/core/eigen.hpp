// Eigenvalues and eigenvectors of a symmetric matrix.
//
// A = Q T Q' with T tridiagonal, by Householder's reflections, PANEL at a time so that half of the work is products;
// T's eigenvalues by implicit QL steps, whose rotations turn Q into the eigenvectors, many steps over one strip of Q at a
// time. Sources: Golub and Van Loan, "Matrix Computations", 4th ed., sections 8.3.1 to 8.3.5; Bischof and Van Loan, "The
// WY representation for products of Householder matrices", SIAM J. Scientific and Statistical Computing, 1987; Van Zee,
// van de Geijn and Quintana-Orti, "Restructuring the tridiagonal and bidiagonal QR algorithms for performance", ACM
// Transactions on Mathematical Software, 2014 (many steps over one strip).
#pragma once
#include "multiply.hpp"

namespace LEVEL {

constexpr int64_t PANEL = 32;          // reflections at a time
constexpr int64_t STRIP = 4 * LANES;   // columns that rotations pass over together: what stays in registers
constexpr int64_t STEPS_AT_ONCE = 24;  // QL steps whose rotations are kept before they are applied
constexpr int64_t MOST_STEPS = 50;     // for one eigenvalue; two are usual

INLINE double magnitude(double x) { return __builtin_fabs(x); }

// 2^-k with 2^k about the largest of n magnitudes: to multiply by it is exact. 1 for zeros; NaN and infinity stay.
INLINE double power_of_two(const double* a, int64_t n) {
    double found = 0.0;
    for (int64_t i = 0; i < n; i++) found = most(found, magnitude(a[i]));
    uint64_t bits;
    std::memcpy(&bits, &found, 8);
    const uint64_t exponent = bits >> 52;
    if (exponent == 0 || exponent >= 2046) return found > 0.0 && exponent == 0 ? 0x1p1000 : 1.0;
    bits = (2046 - exponent) << 52;
    std::memcpy(&found, &bits, 8);
    return found;
}

// The reflection 1 - scale v v' that takes x to (length, 0, ...): v in x's place, v[0] = 1.
struct Reflection {
    double scale, length;
};
INLINE Reflection reflect(double* x, int64_t n) {
    const double rest = dot(x + 1, x + 1, n - 1), first = x[0];
    x[0] = 1.0;
    if (rest == 0.0) return {0.0, first};
    const double size = __builtin_sqrt(first * first + rest), length = first > 0.0 ? -size : size;
    multiple(1.0 / (first - length), x + 1, n - 1, x + 1);
    return {(length - first) / length, length};
}

// Replace A (n, n) by its reflections, v of the j-th in row j from column j + 1 on, zeros before; T's diagonal and what
// is beside it.
static void tridiagonalise(double* a, int64_t n, double* diagonal, double* beside, double* scale) {
    Scratch v(PANEL * n), w(PANEL * n), products(n);
    for (int64_t first = 0; first < n; first += PANEL) {
        const int64_t last = least(first + PANEL, n);
        for (int64_t j = first; j < last; j++) {
            double *row = a + j * n, *v_j = v + (j - first) * n, *w_j = w + (j - first) * n;
            for (int64_t p = 0; p < j - first; p++) {  // what the panel's reflections so far make of this row
                add_multiple(-w[p * n + j], v + p * n + j, n - j, row + j);
                add_multiple(-v[p * n + j], w + p * n + j, n - j, row + j);
            }
            diagonal[j] = row[j];
            for (int64_t i = 0; i < n; i++) v_j[i] = w_j[i] = 0.0;
            scale[j] = beside[j] = 0.0;
            if (j + 1 == n) break;
            const int64_t rest = n - j - 1;
            std::memcpy(v_j + j + 1, row + j + 1, static_cast<size_t>(rest) * 8);
            const Reflection found = reflect(v_j + j + 1, rest);
            scale[j] = found.scale;
            beside[j] = found.length;
            double *x = v_j + j + 1, *y = w_j + j + 1;  // y = scale (A x - (scale x'A x / 2) x)
            multiply_rows(a + (j + 1) * n + j + 1, n, rest, rest, x, y);
            for (int64_t p = 0; p < j - first; p++) {
                const double of_w = dot(w + p * n + j + 1, x, rest), of_v = dot(v + p * n + j + 1, x, rest);
                add_multiple(-of_w, v + p * n + j + 1, rest, y);
                add_multiple(-of_v, w + p * n + j + 1, rest, y);
            }
            multiple(found.scale, y, rest, y);
            add_multiple(-0.5 * found.scale * dot(x, y, rest), x, rest, y);
        }
        const int64_t size = last - first, rest = n - last;
        if (rest > 0) {
            add_product(View{v + last, 1, n}, rows_of(w + last, n), rest, rest, size, -1.0, a + last * n + last, n);
            add_product(View{w + last, 1, n}, rows_of(v + last, n), rest, rest, size, -1.0, a + last * n + last, n);
        }
        for (int64_t j = first; j < last; j++) std::memcpy(a + j * n, v + (j - first) * n, static_cast<size_t>(n) * 8);
    }
}

// Q' (n, n) of reflections as `tridiagonalise` leaves them: the product of a panel's is 1 - Y T Y', T upper triangular.
static void turn_of(const double* reflections, int64_t n, const double* scale, double* turn) {
    Scratch of_y(n * PANEL), of_t(n * PANEL);
    double t[PANEL * PANEL], products[PANEL];
    for (int64_t i = 0; i < n * n; i++) turn[i] = 0.0;
    for (int64_t i = 0; i < n; i++) turn[i * n + i] = 1.0;
    for (int64_t first = (n - 1) / PANEL * PANEL; first >= 0; first -= PANEL) {
        const int64_t size = least(first + PANEL, n) - first, from = first + 1, rest = n - from;
        if (rest <= 0) continue;
        const double* y = reflections + first * n + from;
        for (int64_t i = 0; i < PANEL * PANEL; i++) t[i] = 0.0;
        for (int64_t j = 0; j < size; j++) {
            for (int64_t p = 0; p < j; p++) products[p] = dot(y + p * n, y + j * n, rest);
            for (int64_t p = 0; p < j; p++) t[p * PANEL + j] = -scale[first + j] * dot(t + p * PANEL + p, products + p, j - p);
            t[j * PANEL + j] = scale[first + j];
        }
        double* part = turn + from * n + from;
        clear(of_y, rest * PANEL);
        clear(of_t, rest * PANEL);
        add_product(rows_of(part, n), View{y, 1, n}, rest, size, rest, 1.0, of_y, PANEL);
        add_product(rows_of(of_y, PANEL), View{t, 1, PANEL}, rest, size, size, 1.0, of_t, PANEL);
        add_product(rows_of(of_t, PANEL), rows_of(y, n), rest, rest, size, -1.0, part, n);
    }
}

// Rotations of rows i and i + 1, for i from `high` - 1 down to `low`.
struct Sweep {
    int64_t low, high, at;  // `at`: of the first one's cosine and sine
};

// Turn rows of z (n, n) by sweeps of rotations, one strip of columns after the other.
static void rotate(const Sweep* sweeps, int64_t n_sweeps, const double* rotations, double* z, int64_t n) {
    for (int64_t j = 0; j < n; j += STRIP) {
        const int64_t count = least(n - j, STRIP);
        for (int64_t s = 0; s < n_sweeps; s++) {
            const double* turn = rotations + sweeps[s].at;
            V below[4];
            if (count == STRIP) {
                for (int64_t q = 0; q < 4; q++) below[q] = load(z + sweeps[s].high * n + j + q * LANES);
                for (int64_t i = sweeps[s].high - 1; i >= sweeps[s].low; i--, turn += 2) {
                    const V cosine = spread(turn[0]), sine = spread(turn[1]);
#pragma GCC unroll 4
                    for (int64_t q = 0; q < 4; q++) {
                        const V above = load(z + i * n + j + q * LANES);
                        store(z + (i + 1) * n + j + q * LANES, fma(sine, above, cosine * below[q]));
                        below[q] = cosine * above - sine * below[q];
                    }
                }
                for (int64_t q = 0; q < 4; q++) store(z + sweeps[s].low * n + j + q * LANES, below[q]);
            } else {
                for (int64_t i = sweeps[s].high - 1; i >= sweeps[s].low; i--, turn += 2)
                    for (int64_t c = j; c < n; c++) {
                        const double above = z[i * n + c], here = z[(i + 1) * n + c];
                        z[(i + 1) * n + c] = fma(turn[1], above, turn[0] * here);
                        z[i * n + c] = turn[0] * above - turn[1] * here;
                    }
            }
        }
    }
}

// One implicit QL step on rows low..high of T, with Wilkinson's shift; writes its rotations, from high - 1 down to low.
INLINE void step(double* d, double* e, int64_t low, int64_t high, double* rotations) {
    double g = (d[low + 1] - d[low]) / (2.0 * e[low]);
    double r = __builtin_sqrt(g * g + 1.0);
    g = d[high] - d[low] + e[low] / (g + (g >= 0.0 ? r : -r));
    double sine = 1.0, cosine = 1.0, p = 0.0;
    for (int64_t i = high - 1; i >= low; i--, rotations += 2) {
        const double f = sine * e[i], b = cosine * e[i];
        r = __builtin_sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r == 0.0) {  // T falls apart here: the rest of the step does nothing
            d[i + 1] -= p;
            e[high] = 0.0;
            for (; i >= low; i--, rotations += 2) rotations[0] = 1.0, rotations[1] = 0.0;
            return;
        }
        sine = f / r;
        cosine = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * sine + 2.0 * cosine * b;
        p = sine * r;
        d[i + 1] = g + p;
        g = cosine * r - b;
        rotations[0] = cosine;
        rotations[1] = sine;
    }
    d[low] -= p;
    e[low] = g;
    e[high] = 0.0;
}

// Eigenvalues (n,), ascending, and eigenvectors, the rows of (n, n); false where A (n, n) holds what is not finite.
static bool eigen(const double* a, int64_t n, double* values, double* vectors) {
    Scratch work(n * n), e(n + 1), scale(n), turn(n * n);
    Scratch rotations(2 * n * STEPS_AT_ONCE);
    Sweep sweeps[STEPS_AT_ONCE];
    const double unit = power_of_two(a, n * n);
    for (int64_t i = 0; i < n * n; i++) {
        work[i] = a[i] * unit;
        if (!(magnitude(work[i]) <= __DBL_MAX__)) return false;
    }
    double* d = values;
    tridiagonalise(work, n, d, e, scale);
    turn_of(work, n, scale, turn);
    double negligible = 0.0;  // of what is beside the diagonal: as much as rounding has made of A already
    for (int64_t i = 0; i < n; i++) negligible = most(negligible, __DBL_EPSILON__ * (magnitude(d[i]) + magnitude(e[i])));
    int64_t n_sweeps = 0;
    for (int64_t low = 0; low < n; low++) {
        for (int64_t tries = 0;; tries++) {
            int64_t high = low;
            while (high + 1 < n && !(magnitude(e[high]) <= negligible)) high++;
            if (high == low) break;
            if (tries == MOST_STEPS) return false;
            sweeps[n_sweeps] = {low, high, 2 * n * n_sweeps};
            step(d, e, low, high, rotations + 2 * n * n_sweeps);
            if (++n_sweeps == STEPS_AT_ONCE) {
                rotate(sweeps, n_sweeps, rotations, turn, n);
                n_sweeps = 0;
            }
        }
    }
    rotate(sweeps, n_sweeps, rotations, turn, n);
    for (int64_t i = 0; i < n; i++) {  // smallest first
        int64_t least_at = i;
        for (int64_t k = i + 1; k < n; k++)
            if (values[k] < values[least_at]) least_at = k;
        const double found = values[least_at];
        values[least_at] = values[i];
        values[i] = found / unit;
        for (int64_t j = 0; j < n && least_at != i; j++) {
            const double kept = turn[i * n + j];
            turn[i * n + j] = turn[least_at * n + j];
            turn[least_at * n + j] = kept;
        }
    }
    std::memcpy(vectors, turn, static_cast<size_t>(n * n) * 8);
    return true;
}

}  // namespace LEVEL
