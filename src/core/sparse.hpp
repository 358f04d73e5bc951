// Sparse columns of a tile of rows: gather for the predictor, scatter for the gradient.
//
// By row (CSR) a tile is some rows; by column (CSC) it is the whole block, whose predictor then stays in cache.
// `coef` and `gradient` here begin at the sparse columns' first.
#pragma once
#include "codes.hpp"

namespace LEVEL {

// Call `f` with the stored values and their indices, as what they are.
template <class T, class F>
INLINE void with_indices(const Rows& rows, const T* values, F f) {
    if (rows.long_indices) f(values, static_cast<const int64_t*>(rows.indices));
    else f(values, static_cast<const int32_t*>(rows.indices));
}
template <class F>
INLINE void with_stored(const Rows& rows, F f) {
    if (rows.single_values) with_indices(rows, static_cast<const float*>(rows.values), f);
    else with_indices(rows, static_cast<const double*>(rows.values), f);
}

// table[at[l]] of the first `count` lanes, zeros after them.
#if defined(__AVX512F__)
INLINE V gather(const double* table, const int32_t* at, int64_t count) {
    const __mmask8 some = first_lanes(count);
    return _mm512_mask_i32gather_pd(spread(0.0), some, _mm256_maskz_loadu_epi32(some, at), table, 8);
}
INLINE V gather(const double* table, const int64_t* at, int64_t count) {
    const __mmask8 some = first_lanes(count);
    return _mm512_mask_i64gather_pd(spread(0.0), some, _mm512_maskz_loadu_epi64(some, at), table, 8);
}
#else
template <class I>
INLINE V gather(const double* table, const I* at, int64_t count) {
    double found[LANES] = {};
    for (int64_t l = 0; l < least(count, LANES); l++) found[l] = table[at[l]];
    return load(found);
}
#endif

// sum_p values[p] table[indices[p]] of n values, in lanes: lane l sums places l, l + 8, ...
template <class T, class I>
INLINE double gathered(const T* values, const I* indices, int64_t n, const double* table) {
    int64_t p = 0;
#if defined(__AVX512F__)
    V sum = spread(0.0);
    for (; p + LANES <= n; p += LANES) sum = fma(load(values + p), gather(table, indices + p, LANES), sum);
    if (p < n) sum = fma(load_some(values + p, n - p), gather(table, indices + p, n - p), sum);
    return total(sum);
#else
    double sum[LANES] = {};
    for (; p + LANES <= n; p += LANES)
#pragma GCC unroll 8
        for (int64_t l = 0; l < LANES; l++) sum[l] = fma(values[p + l], table[indices[p + l]], sum[l]);
    for (int64_t l = 0; p < n; p++, l++) sum[l] = fma(values[p], table[indices[p]], sum[l]);
    return total(load(sum));
#endif
}

// table[indices[p]] += scale values[p] of n values.
template <class T, class I>
INLINE void scatter(double scale, const T* values, const I* indices, int64_t n, double* table) {
    for (int64_t p = 0; p < n; p++) table[indices[p]] = fma(scale, values[p], table[indices[p]]);
}

// z[i] += sum_j coef[j] x[j, first + i].
static void add_sparse(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    with_stored(rows, [&](auto values, auto indices) {
        if (rows.lines_are_rows) {
            const double* table = coef - rows.origin;
            for (int64_t i = 0; i < k; i++) {
                const int64_t from = rows.start[first + i];
                z[i] += gathered(values + from, indices + from, rows.stop[first + i] - from, table);
            }
        } else {
            for (int64_t j = 0; j < rows.n_lines; j++) {
                const int64_t from = rows.start[j];
                if (coef[j] != 0.0) scatter(coef[j], values + from, indices + from, rows.stop[j] - from, z - rows.origin);
            }
        }
    });
}

// gradient[j] += sum_i d[i] x[j, first + i].
static void gradient_sparse(const Rows& rows, int64_t first, int64_t k, const double* d, double* gradient) {
    with_stored(rows, [&](auto values, auto indices) {
        if (rows.lines_are_rows) {
            for (int64_t i = 0; i < k; i++) {
                const int64_t from = rows.start[first + i];
                scatter(d[i], values + from, indices + from, rows.stop[first + i] - from, gradient - rows.origin);
            }
        } else {
            for (int64_t j = 0; j < rows.n_lines; j++) {
                const int64_t from = rows.start[j];
                gradient[j] += gathered(values + from, indices + from, rows.stop[j] - from, d - rows.origin);
            }
        }
    });
}

// Several outputs, coef (n_sparse, K): z[o, i] += sum_j coef[j, o] x[j, first + i].
static void add_sparse_outputs(const Rows& rows, int64_t first, int64_t k, const double* coef, int64_t n_outputs, double* z, int64_t ld) {
    with_stored(rows, [&](auto values, auto indices) {
        if (rows.lines_are_rows) {
            for (int64_t i = 0; i < k; i++)
                for (int64_t o = 0; o < n_outputs; o += LANES) {
                    const int64_t count = least(n_outputs - o, LANES);
                    V sum = spread(0.0);
                    for (int64_t p = rows.start[first + i]; p < rows.stop[first + i]; p++) {
                        const double* of_column = coef + ((int64_t)indices[p] - rows.origin) * n_outputs + o;
                        sum = fma(spread(values[p]), load_some(of_column, count), sum);
                    }
                    double sums[LANES];
                    store(sums, sum);
                    for (int64_t r = 0; r < count; r++) z[(o + r) * ld + i] += sums[r];
                }
        } else {
            for (int64_t j = 0; j < rows.n_lines; j++) {
                const int64_t from = rows.start[j];
                for (int64_t o = 0; o < n_outputs; o++)
                    scatter(coef[j * n_outputs + o], values + from, indices + from, rows.stop[j] - from, z + o * ld - rows.origin);
            }
        }
    });
}

// gradient[j, o] += sum_i d[o, i] x[j, first + i].
static void gradient_sparse_outputs(const Rows& rows, int64_t first, int64_t k, const double* d, int64_t ld, int64_t n_outputs, double* gradient) {
    with_stored(rows, [&](auto values, auto indices) {
        if (rows.lines_are_rows) {
            for (int64_t i = 0; i < k; i++)
                for (int64_t o = 0; o < n_outputs; o += LANES) {
                    const int64_t count = least(n_outputs - o, LANES);
                    double of_row[LANES] = {};
                    for (int64_t r = 0; r < count; r++) of_row[r] = d[(o + r) * ld + i];
                    const V here = load(of_row);
                    for (int64_t p = rows.start[first + i]; p < rows.stop[first + i]; p++) {
                        double* of_column = gradient + ((int64_t)indices[p] - rows.origin) * n_outputs + o;
                        const V sum = fma(here, spread(values[p]), load_some(of_column, count));
                        if (count == LANES) store(of_column, sum);
                        else store_some(of_column, count, sum);
                    }
                }
        } else {
            for (int64_t j = 0; j < rows.n_lines; j++) {
                const int64_t from = rows.start[j];
                for (int64_t o = 0; o < n_outputs; o++)
                    gradient[j * n_outputs + o] += gathered(values + from, indices + from, rows.stop[j] - from, d + o * ld - rows.origin);
            }
        }
    });
}

// diagonal[j] += sum_i h[j, i], squares[j] += sum_i h[j, i]^2, with h[j, i] = curvature[i] x[j, first + i]^2.
static void diagonal_sparse(const Rows& rows, int64_t first, int64_t k, const double* curvature, double* diagonal, double* squares) {
    with_stored(rows, [&](auto values, auto indices) {
        const int64_t n_lines = rows.lines_are_rows ? k : rows.n_lines, at = rows.lines_are_rows ? first : 0;
        for (int64_t line = 0; line < n_lines; line++)
            for (int64_t p = rows.start[at + line]; p < rows.stop[at + line]; p++) {
                const int64_t other = (int64_t)indices[p] - rows.origin;
                const int64_t i = rows.lines_are_rows ? line : other, j = rows.lines_are_rows ? other : line;
                const double value = values[p], h = curvature[i] * value * value;
                diagonal[j] += h;
                squares[j] = fma(h, h, squares[j]);
            }
    });
}

// Scatter the pairs of sparse columns, by row, with numeric terms, as `hessian_codes` does, with one another, and with
// codes and marks.
static void hessian_sparse(const Rows& rows, int64_t first, int64_t k, const double* v, int64_t ld, const double* curvature, double* hessian) {
    if (rows.n_lines == 0) return;
    const int64_t n = rows.n_coefs, own = 1 + rows.n_x;
    with_stored(rows, [&](auto values, auto indices) {
        for (int64_t i = 0; i < k; i++) {
            const int64_t from = rows.start[first + i], to = rows.stop[first + i];
            for (int64_t p = from; p < to; p++) {
                const int64_t at = own + ((int64_t)indices[p] - rows.origin);
                const double h = curvature[i] * values[p];
                double* row = hessian + at * n;
                add_terms(rows, h, v + i * ld, ld, at, hessian);
                for (int64_t q = from; q < to; q++) {
                    const int64_t other = own + ((int64_t)indices[q] - rows.origin);
                    if (other >= at) row[other] = fma(h, values[q], row[other]);
                }
                for (int64_t c = 0; c < rows.n_codes; c++) {
                    const int64_t code = rows.codes[c * rows.n_rows + first + i];
                    if (code < n) row[code] += h;
                }
            }
        }
        each_mark(rows, first, k, [&](int64_t i, int64_t l) {
            for (int64_t p = rows.start[first + i]; p < rows.stop[first + i]; p++) {
                double& cell = hessian[(own + ((int64_t)indices[p] - rows.origin)) * n + l];
                cell = fma(curvature[i], values[p], cell);
            }
        });
    });
}

// found[j] = max_i |x[j, i]|; NaN where there is one.
static void largest(const Rows& rows, double* found) {
    if (rows.n_lines == 0) return;
    with_stored(rows, [&](auto values, auto indices) {
        for (int64_t line = 0; line < rows.n_lines; line++)
            for (int64_t p = rows.start[line]; p < rows.stop[line]; p++) {
                const int64_t j = rows.lines_are_rows ? (int64_t)indices[p] - rows.origin : line;
                const double size = __builtin_fabs(values[p]);
                if (found[j] == found[j] && !(size <= found[j])) found[j] = size;
            }
    });
}

template <class I>
INLINE void split(const I* indices, const int64_t* indptr, int64_t n_columns, const int64_t* bounds, int64_t n_bounds, int64_t* places) {
    for (int64_t j = 0; j < n_columns; j++) {
        int64_t p = indptr[j];
        for (int64_t b = 0; b < n_bounds; b++) {
            int64_t high = indptr[j + 1];
            while (p < high) {
                const int64_t middle = p + (high - p) / 2;
                if (indices[middle] < bounds[b]) p = middle + 1;
                else high = middle;
            }
            places[b * n_columns + j] = p;
        }
    }
}

// places (n_bounds, n_columns): where in each column of a CSC matrix, its rows sorted, those from bounds[b] on begin.
static void split_columns(const void* indices, bool long_indices, const int64_t* indptr, int64_t n_columns, const int64_t* bounds, int64_t n_bounds, int64_t* places) {
    if (long_indices) split(static_cast<const int64_t*>(indices), indptr, n_columns, bounds, n_bounds, places);
    else split(static_cast<const int32_t*>(indices), indptr, n_columns, bounds, n_bounds, places);
}

}  // namespace LEVEL
