// Categorical columns of a tile of rows, as integer codes: gather for the predictor, scatter for the gradient.
//
// A code is the index of a coefficient; the code `n_coefs` stands for no coefficient: `coef` holds a zero there, and
// `gradient` a sum that nobody reads. Some columns at a time, because a column alone waits for its addition to the
// level that it met last.
//
// Marks are pairs (row of the block, coefficient), sorted by row: terms that few rows have cost only those rows.
#pragma once
#include "kernels.hpp"
#include "lanes.hpp"
#include "products.hpp"
#include "vectors.hpp"

namespace LEVEL {

constexpr int64_t GATHERED_AT_ONCE = 4, SCATTERED_AT_ONCE = 8;  // columns of codes

// z[i] += sum_c coef[codes[c, i]] of n columns; of a column alone four rows at a time.
template <int64_t n>
INLINE void add_levels(const int32_t* codes, int64_t ld, int64_t k, const double* coef, double* z) {
    constexpr int64_t at_once = n == 1 ? 4 : 1;
    int64_t i = 0;
    for (; i + at_once <= k; i += at_once) {
        double sum[at_once];
#pragma GCC unroll 4
        for (int64_t r = 0; r < at_once; r++) {
            sum[r] = coef[codes[i + r]];
#pragma GCC unroll 8
            for (int64_t c = 1; c < n; c++) sum[r] += coef[codes[c * ld + i + r]];
        }
#pragma GCC unroll 4
        for (int64_t r = 0; r < at_once; r++) z[i + r] += sum[r];
    }
    for (; i < k; i++) z[i] += coef[codes[i]];
}

// gradient[codes[c, i]] += d[i] of n columns.
template <int64_t n>
INLINE void gradient_levels(const int32_t* codes, int64_t ld, int64_t k, const double* d, double* gradient) {
    for (int64_t i = 0; i < k; i++) {
        const double here = d[i];
#pragma GCC unroll 8
        for (int64_t c = 0; c < n; c++) gradient[codes[c * ld + i]] += here;
    }
}

// z[i] += sum_c coef[codes[c, first + i]].
static void add_codes(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    each_group<GATHERED_AT_ONCE>(rows.n_codes, [&](int64_t c, auto n) { add_levels<n.value>(rows.codes + c * rows.n_rows + first, rows.n_rows, k, coef, z); });
}

// gradient[codes[c, first + i]] += d[i].
static void gradient_codes(const Rows& rows, int64_t first, int64_t k, const double* d, double* gradient) {
    each_group<SCATTERED_AT_ONCE>(rows.n_codes, [&](int64_t c, auto n) { gradient_levels<n.value>(rows.codes + c * rows.n_rows + first, rows.n_rows, k, d, gradient); });
}

// The number of marks before `row`.
INLINE int64_t first_mark(const Rows& rows, int64_t row) {
    int64_t low = 0, high = rows.n_marks;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (rows.mark_rows[middle] < row) low = middle + 1;
        else high = middle;
    }
    return low;
}

// Call f(i, l) for each mark (first + i, l) of k rows.
template <class F>
INLINE void each_mark(const Rows& rows, int64_t first, int64_t k, F f) {
    for (int64_t p = first_mark(rows, first); p < rows.n_marks && rows.mark_rows[p] < first + k; p++)
        f(rows.mark_rows[p] - first, rows.mark_terms[p]);
}

// z[i] += coef[l] for every mark (first + i, l).
static void add_marks(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    each_mark(rows, first, k, [&](int64_t i, int64_t l) { z[i] += coef[l]; });
}

// gradient[l] += d[i] for every mark (first + i, l).
static void gradient_marks(const Rows& rows, int64_t first, int64_t k, const double* d, double* gradient) {
    each_mark(rows, first, k, [&](int64_t i, int64_t l) { gradient[l] += d[i]; });
}

// p[0 .. count] += x, at most eight.
INLINE void add_some(double* p, int64_t count, V x) {
    if (count >= LANES) store(p, load(p) + x);
    else store_some(p, count, load_some(p, count) + x);
}

// Several outputs: coef (n_coefs + 1, K), so that a level's coefficients stand side by side. Eight rows of eight
// outputs at a time: z[o, i] += sum_c coef[codes[c, first + i], o]; and marks.
static void add_codes_outputs(const Rows& rows, int64_t first, int64_t k, const double* coef, int64_t n_outputs, double* z, int64_t ld) {
    each_mark(rows, first, k, [&](int64_t i, int64_t l) {
        for (int64_t o = 0; o < n_outputs; o++) z[o * ld + i] += coef[l * n_outputs + o];
    });
    if (rows.n_codes == 0) return;
    for (int64_t i = 0; i < k; i += LANES)
        for (int64_t o = 0; o < n_outputs; o += LANES) {
            const int64_t count = least(n_outputs - o, LANES);
            V sum[LANES];
            for (int64_t r = 0; r < LANES; r++) sum[r] = spread(0.0);
            for (int64_t c = 0; c < rows.n_codes; c++) {
                const int32_t* codes = rows.codes + c * rows.n_rows + first + i;
                for (int64_t r = 0; r < least(k - i, LANES); r++) sum[r] = sum[r] + load_some(coef + codes[r] * n_outputs + o, count);
            }
            transpose_lanes(sum);
            for (int64_t r = 0; r < count; r++) {
                double* at = z + (o + r) * ld + i;
                store(at, load(at) + sum[r]);
            }
        }
}

// gradient[codes[c, first + i], o] += d[o, i]; gradient (n_coefs + 1, K); and marks.
static void gradient_codes_outputs(const Rows& rows, int64_t first, int64_t k, const double* d, int64_t ld, int64_t n_outputs, double* gradient) {
    each_mark(rows, first, k, [&](int64_t i, int64_t l) {
        for (int64_t o = 0; o < n_outputs; o++) gradient[l * n_outputs + o] += d[o * ld + i];
    });
    if (rows.n_codes == 0) return;
    for (int64_t i = 0; i < k; i += LANES)
        for (int64_t o = 0; o < n_outputs; o += LANES) {
            const int64_t count = least(n_outputs - o, LANES);
            V of_row[LANES];
            for (int64_t r = 0; r < LANES; r++) of_row[r] = r < count ? load_some(d + (o + r) * ld + i, k - i) : spread(0.0);
            transpose_lanes(of_row);
            for (int64_t c = 0; c < rows.n_codes; c++) {
                const int32_t* codes = rows.codes + c * rows.n_rows + first + i;
                for (int64_t r = 0; r < least(k - i, LANES); r++) add_some(gradient + codes[r] * n_outputs + o, count, of_row[r]);
            }
        }
}

// row[j] += h v[j] of the numeric terms j, in the row of coefficient `at`. v is 0 from the last of them up to ld, whole
// lanes; they are added where that pays, and meets no cell that other pairs add to, for which a processor would wait.
INLINE void add_terms(const Rows& rows, double h, const double* v, int64_t ld, int64_t at, double* hessian) {
    const int64_t n = rows.n_coefs;
    double* row = hessian + at * n;
    if (rows.n_x >= 3 && ld <= at && at * n + ld <= n * n) {
        for (int64_t j = 0; j < ld; j += LANES) store(row + j, fma(spread(h), load(v + j), load(row + j)));
    } else {
        for (int64_t j = 0; j <= rows.n_x; j++) row[j] = fma(h, v[j], row[j]);
    }
}

// Scatter the pairs of n columns of codes with numeric terms.
template <int64_t n>
INLINE void hessian_levels(const Rows& rows, const int32_t* codes, int64_t k, const double* v, int64_t ld, const double* curvature, double* hessian) {
    for (int64_t i = 0; i < k; i++)
#pragma GCC unroll 8
        for (int64_t c = 0; c < n; c++) {
            const int64_t at = codes[c * rows.n_rows + i];
            if (at < rows.n_coefs) add_terms(rows, curvature[i], v + i * ld, ld, at, hessian);
        }
}

// Scatter the pairs of one column of codes with n others, which mostly have the lower coefficients.
template <int64_t n>
INLINE void hessian_pairs(const Rows& rows, const int32_t* codes, const int32_t* others, int64_t k, const double* curvature, double* hessian) {
    for (int64_t i = 0; i < k; i++) {
        const int64_t at = codes[i];
        if (at == rows.n_coefs) continue;
        const double h = curvature[i];
#pragma GCC unroll 8
        for (int64_t c = 0; c < n; c++) {
            const int64_t other = others[c * rows.n_rows + i];
            if (other < at) hessian[other * rows.n_coefs + at] += h;
            else if (other < rows.n_coefs) hessian[at * rows.n_coefs + other] += h;
        }
    }
}

// Scatter the pairs (numeric, code) and (code, code) of a tile; v[i * ld + j] is numeric term j of row first + i, the
// intercept's 1 at j = 0. Pairs with numeric terms go to the row of the level, below the diagonal, where they stand
// side by side: `finish_hessian` moves them up. Column by column, because a pair of columns has few cells, which stay in
// cache.
static void hessian_codes(const Rows& rows, int64_t first, int64_t k, const double* v, int64_t ld, const double* curvature, double* hessian) {
    const int32_t* codes = rows.codes + first;
    each_group<SCATTERED_AT_ONCE>(rows.n_codes, [&](int64_t c, auto n) { hessian_levels<n.value>(rows, codes + c * rows.n_rows, k, v, ld, curvature, hessian); });
    for (int64_t at = 0; at < rows.n_codes; at++)
        each_group<SCATTERED_AT_ONCE>(at + 1, [&](int64_t c, auto n) {
            hessian_pairs<n.value>(rows, codes + at * rows.n_rows, codes + c * rows.n_rows, k, curvature, hessian);
        });
}

// Scatter the pairs of marks with numeric terms, as `hessian_codes` does, with codes, and with one another.
static void hessian_marks(const Rows& rows, int64_t first, int64_t k, const double* v, int64_t ld, const double* curvature, double* hessian) {
    const int64_t n = rows.n_coefs;
    for (int64_t p = first_mark(rows, first); p < rows.n_marks && rows.mark_rows[p] < first + k; p++) {
        const int64_t row = rows.mark_rows[p], i = row - first, at = rows.mark_terms[p];
        const double h = curvature[i];
        add_terms(rows, h, v + i * ld, ld, at, hessian);
        for (int64_t c = 0; c < rows.n_codes; c++) {
            const int64_t code = rows.codes[c * rows.n_rows + row];
            if (code < n) hessian[least(at, code) * n + most(at, code)] += h;
        }
        for (int64_t q = p; q < rows.n_marks && rows.mark_rows[q] == row; q++) {
            const int64_t other = rows.mark_terms[q];
            hessian[least(at, other) * n + most(at, other)] += h;
        }
    }
}

}  // namespace LEVEL
