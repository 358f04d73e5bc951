// Symmetric positive definite systems: Cholesky's factor, solutions, inverses; each sum in one order at every level.
//
// A = U' U with U upper triangular, row-major: rows are what lanes run along. Every routine halves its matrix until BASE
// rows are left, so that nearly all work is products. Matrices stand in scratch whose rows begin at whole lanes (`ld` a
// multiple of 8): a row is worked on from the whole lane at or below its diagonal, and what that writes below the
// diagonal, or beyond the last column, is not looked at.
#pragma once
#include "eigen.hpp"
#include "elementary.hpp"

namespace LEVEL {

constexpr int64_t BASE = 32;          // rows that are not halved further
constexpr int64_t ACROSS = 8 * LANES;  // columns of right sides at a time: with BASE rows in the first-level cache

INLINE int64_t lanes_below(int64_t j) { return j / LANES * LANES; }
INLINE int64_t half_of(int64_t n) { return whole(n / 2, LANES); }

// to[j] -= c from[j] for j from a whole lane up to whole lanes.
INLINE void subtract(double c, const double* from, int64_t first, int64_t n, double* to) {
    const V factor = spread(-c);
    for (int64_t j = first; j < n; j += LANES) store(to + j, fma(factor, load(from + j), load(to + j)));
}
INLINE void divide(double by, int64_t first, int64_t n, double* row) {
    const V factor = spread(by);
    for (int64_t j = first; j < n; j += LANES) store(row + j, load(row + j) / factor);
}

// Solve U' X = B in place, B (n, m): row k of X is (B[k] - sum_{i<k} U[i, k] X[i]) / U[k, k].
static void solve_transposed(const double* u, int64_t ld, int64_t n, double* b, int64_t ld_b, int64_t m) {
    if (n > BASE) {
        const int64_t h = half_of(n);
        solve_transposed(u, ld, h, b, ld_b, m);
        add_product(transposed(rows_of(u + h, ld)), rows_of(b, ld_b), n - h, m, h, -1.0, b + h * ld_b, ld_b);
        return solve_transposed(u + h * ld + h, ld, n - h, b + h * ld_b, ld_b, m);
    }
    for (int64_t first = 0; first < m; first += ACROSS) {
        const int64_t last = least(first + ACROSS, m);
        for (int64_t k = 0; k < n; k++) {
            divide(u[k * ld + k], first, last, b + k * ld_b);
            for (int64_t i = k + 1; i < n; i++) subtract(u[k * ld + i], b + k * ld_b, first, last, b + i * ld_b);
        }
    }
}

// Solve U X = B in place: row k of X is (B[k] - sum_{i>k} U[k, i] X[i]) / U[k, k].
static void solve_upper(const double* u, int64_t ld, int64_t n, double* b, int64_t ld_b, int64_t m) {
    if (n > BASE) {
        const int64_t h = half_of(n);
        solve_upper(u + h * ld + h, ld, n - h, b + h * ld_b, ld_b, m);
        add_product(rows_of(u + h, ld), rows_of(b + h * ld_b, ld_b), h, m, n - h, -1.0, b, ld_b);
        return solve_upper(u, ld, h, b, ld_b, m);
    }
    for (int64_t first = 0; first < m; first += ACROSS) {
        const int64_t last = least(first + ACROSS, m);
        for (int64_t k = n; k-- > 0;) {
            divide(u[k * ld + k], first, last, b + k * ld_b);
            for (int64_t i = 0; i < k; i++) subtract(u[i * ld + k], b + k * ld_b, first, last, b + i * ld_b);
        }
    }
}

// The same of one right side, whose lanes run along U's rows; U is 0 below its diagonal and beyond its last column.
static void solve_transposed(const double* u, int64_t ld, int64_t n, double* x) {
    for (int64_t k = 0; k < n; k++) {
        const double found = x[k] / u[k * ld + k];
        subtract(found, u + k * ld, lanes_below(k), n, x);
        x[k] = found;
    }
}
static void solve_upper(const double* u, int64_t ld, int64_t n, double* x) {
    for (int64_t k = n; k-- > 0;) {
        const int64_t from = lanes_below(k), to = whole(n, LANES);
        const double right = x[k];
        x[k] = 0.0;
        x[k] = (right - dot(u + k * ld + from, x + from, to - from)) / u[k * ld + k];
    }
}

// Replace A's upper triangle by U; false where A is not positive definite.
static bool factorise(double* a, int64_t ld, int64_t n) {
    if (n > BASE) {
        const int64_t h = half_of(n);
        if (!factorise(a, ld, h)) return false;
        solve_transposed(a, ld, h, a + h, ld, n - h);
        add_product(transposed(rows_of(a + h, ld)), rows_of(a + h, ld), n - h, n - h, h, -1.0, a + h * ld + h, ld, true);
        return factorise(a + h * ld + h, ld, n - h);
    }
    for (int64_t k = 0; k < n; k++) {
        double* row = a + k * ld;
        if (!(row[k] > 0.0 && row[k] <= __DBL_MAX__)) return false;
        const double root = __builtin_sqrt(row[k]);
        divide(root, lanes_below(k), n, row);
        row[k] = root;
        for (int64_t i = k + 1; i < n; i++) subtract(row[i], row, lanes_below(i), n, a + i * ld);
    }
    return true;
}

INLINE void clear_below(double* u, int64_t ld, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < i; j++) u[i * ld + j] = 0.0;
        for (int64_t j = n; j < ld; j++) u[i * ld + j] = 0.0;
    }
}

// Replace U by its inverse: with halves [A B; 0 D] it is [A^-1, -A^-1 B D^-1; 0, D^-1]. U is 0 below its diagonal.
static void invert_upper(double* u, int64_t ld, int64_t n) {
    if (n > BASE) {
        const int64_t h = half_of(n), rest = whole(n - h, LANES);
        invert_upper(u, ld, h);
        invert_upper(u + h * ld + h, ld, n - h);
        Scratch product(h * rest);
        clear(product, h * rest);
        add_product(rows_of(u + h, ld), rows_of(u + h * ld + h, ld), h, n - h, n - h, 1.0, product, rest);
        for (int64_t i = 0; i < h; i++)
            for (int64_t j = h; j < n; j++) u[i * ld + j] = 0.0;
        return add_product(rows_of(u, ld), rows_of(product, rest), h, n - h, h, -1.0, u + h, ld);
    }
    double identity[BASE * BASE] = {};
    for (int64_t i = 0; i < n; i++) identity[i * BASE + i] = 1.0;
    solve_upper(u, ld, n, identity, BASE, n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++) u[i * ld + j] = identity[i * BASE + j];
}

// Copies between a caller's rows and scratch's.
INLINE void copy_in(const double* a, int64_t m, int64_t n, int64_t ld, double* found) {
    for (int64_t i = 0; i < m; i++) {
        std::memcpy(found + i * ld, a + i * n, static_cast<size_t>(n) * 8);
        for (int64_t j = n; j < ld; j++) found[i * ld + j] = 0.0;
    }
}
INLINE void copy_out(const double* a, int64_t m, int64_t n, int64_t ld, double* found) {
    for (int64_t i = 0; i < m; i++) std::memcpy(found + i * n, a + i * ld, static_cast<size_t>(n) * 8);
}

// --- What the table offers: each array (n, n) or (n, m) row-major, without gaps ---

// U, 0 below its diagonal; false where A is not positive definite. A's upper triangle counts.
static bool cholesky(const double* a, int64_t n, double* u) {
    const int64_t ld = whole(n, LANES);
    Scratch work(n * ld);
    copy_in(a, n, n, ld, work);
    if (!factorise(work, ld, n)) return false;
    clear_below(work, ld, n);
    copy_out(work, n, n, ld, u);
    return true;
}

// X with U X = B, or with U' X = B, in B's place.
static void solve_triangular(const double* u, int64_t n, bool is_transposed, double* b, int64_t m) {
    const int64_t ld = whole(n, LANES), ld_b = m == 1 ? 1 : whole(m, LANES);
    Scratch work(n * ld), right(whole(n * ld_b, LANES));
    clear(right, whole(n * ld_b, LANES));
    copy_in(u, n, n, ld, work);
    clear_below(work, ld, n);
    copy_in(b, n, m, ld_b, right);
    if (m == 1 && is_transposed) solve_transposed(work, ld, n, right);
    else if (m == 1) solve_upper(work, ld, n, right);
    else if (is_transposed) solve_transposed(work, ld, n, right, ld_b, m);
    else solve_upper(work, ld, n, right, ld_b, m);
    copy_out(right, n, m, ld_b, b);
}

// X with A X = B, in B's place; false where A is not positive definite.
static bool solve_positive(const double* a, int64_t n, double* b, int64_t m) {
    Scratch u(n * n);
    if (!cholesky(a, n, u)) return false;
    solve_triangular(u, n, true, b, m);
    solve_triangular(u, n, false, b, m);
    return true;
}

// A^-1 b, in b's place, by A brought to ones on its diagonal. A row whose diagonal is at most `flat` has no curvature: its
// x is 0. False where A is not positive definite, or others leave some row no more than `distinct` of its curvature.
static bool solve_scaled(const double* a, int64_t n, double flat, double distinct, double* b) {
    const int64_t ld = whole(n, LANES);
    Scratch work(n * ld), unit(ld), right(ld);
    clear(right, ld);
    for (int64_t i = 0; i < n; i++) unit[i] = a[i * n + i] > flat ? 1.0 / __builtin_sqrt(a[i * n + i]) : 0.0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = i; j < n; j++) work[i * ld + j] = a[i * n + j] * unit[i] * unit[j];
        if (unit[i] == 0.0) work[i * ld + i] = 1.0;
        right[i] = b[i] * unit[i];
    }
    if (!factorise(work, ld, n)) return false;
    for (int64_t i = 0; i < n; i++)
        if (!(work[i * ld + i] * work[i * ld + i] > distinct)) return false;
    clear_below(work, ld, n);
    solve_transposed(work, ld, n, right);
    solve_upper(work, ld, n, right);
    for (int64_t i = 0; i < n; i++) b[i] = right[i] * unit[i];
    return true;
}

static void invert_triangular(const double* u, int64_t n, double* found) {
    const int64_t ld = whole(n, LANES);
    Scratch work(n * ld);
    copy_in(u, n, n, ld, work);
    clear_below(work, ld, n);
    invert_upper(work, ld, n);
    copy_out(work, n, n, ld, found);
}

// A^-1 = U^-1 U^-T, symmetric to the bit; false where A is not positive definite.
static bool invert_positive(const double* a, int64_t n, double* found) {
    const int64_t ld = whole(n, LANES);
    Scratch work(n * ld);
    copy_in(a, n, n, ld, work);
    if (!factorise(work, ld, n)) return false;
    clear_below(work, ld, n);
    invert_upper(work, ld, n);
    for (int64_t i = 0; i < n * n; i++) found[i] = 0.0;
    add_product(rows_of(work, ld), transposed(rows_of(work, ld)), n, n, n, 1.0, found, n, true);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) found[i * n + j] = found[j * n + i];
    return true;
}

// C = A B. With one column or one row, lanes run along what is contiguous.
static void product(View a, View b, int64_t m, int64_t n, int64_t n_terms, bool symmetric, double* c) {
    if (n == 1 && b.row == 1 && a.column == 1) return multiply_rows(a.p, a.row, m, n_terms, b.p, c);
    if (n == 1 && b.row == 1 && a.row == 1) return multiply_columns(a.p, a.column, n_terms, m, b.p, c);
    if (m == 1 && a.column == 1 && b.column == 1) return multiply_columns(b.p, b.row, n_terms, n, a.p, c);
    if (m == 1 && a.column == 1 && b.row == 1) return multiply_rows(b.p, b.column, n, n_terms, a.p, c);
    clear(c, m * n);
    add_product(a, b, m, n, n_terms, 1.0, c, n, symmetric);
    for (int64_t i = 0; i < m && symmetric; i++)
        for (int64_t j = 0; j < i; j++) c[i * n + j] = c[j * n + i];
}

static double dot_product(const double* a, const double* b, int64_t n) { return dot(a, b, n); }

constexpr Systems SYSTEMS = {dot_product, product, cholesky, solve_positive, solve_scaled, invert_positive, solve_triangular, invert_triangular, eigen, exp_all, log_all, log1p_all};

}  // namespace LEVEL
