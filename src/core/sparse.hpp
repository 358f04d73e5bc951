// Sparse columns of a tile of rows: gather for the predictor, scatter for the gradient.
//
// By row (CSR) a tile is some rows; by column (CSC) it is the whole block, whose predictor then stays in cache.
#pragma once
#include "codes.hpp"

namespace LEVEL {

// Call `f(values, indices)` with the arrays as what they are.
template <class F>
INLINE void with_stored(const Rows& rows, F f) {
    const auto with_values = [&](auto values) {
        if (rows.long_indices) f(values, static_cast<const int64_t*>(rows.indices));
        else f(values, static_cast<const int32_t*>(rows.indices));
    };
    if (rows.single_values) with_values(static_cast<const float*>(rows.values));
    else with_values(static_cast<const double*>(rows.values));
}

// z[i] += sum_j coef[j] x[j, first + i]
INLINE void add_sparse(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    with_stored(rows, [&](auto values, auto indices) {
        if (rows.lines_are_rows) {
            for (int64_t i = 0; i < k; i++) {
                double sum = 0.0;
                for (int64_t p = rows.start[first + i]; p < rows.stop[first + i]; p++) sum = fma(coef[indices[p]], (double)values[p], sum);
                z[i] += sum;
            }
            return;
        }
        for (int64_t j = 0; j < rows.n_lines; j++) {
            const double c = coef[j];
            if (c == 0.0) continue;
            double* from = z - rows.origin;
            for (int64_t p = rows.start[j]; p < rows.stop[j]; p++) from[indices[p]] = fma(c, (double)values[p], from[indices[p]]);
        }
    });
}

// gradient[j] += sum_i d[i] x[j, first + i]
INLINE void gradient_sparse(const Rows& rows, int64_t first, int64_t k, const double* d, double* gradient) {
    with_stored(rows, [&](auto values, auto indices) {
        if (rows.lines_are_rows) {
            for (int64_t i = 0; i < k; i++)
                for (int64_t p = rows.start[first + i]; p < rows.stop[first + i]; p++)
                    gradient[indices[p]] = fma(d[i], (double)values[p], gradient[indices[p]]);
            return;
        }
        const double* from = d - rows.origin;
        for (int64_t j = 0; j < rows.n_lines; j++) {
            double even = 0.0, odd = 0.0;  // two chains, of every other value
            int64_t p = rows.start[j];
            for (; p + 2 <= rows.stop[j]; p += 2) {
                even = fma(from[indices[p]], (double)values[p], even);
                odd = fma(from[indices[p + 1]], (double)values[p + 1], odd);
            }
            if (p < rows.stop[j]) even = fma(from[indices[p]], (double)values[p], even);
            gradient[j] += even + odd;
        }
    });
}

// z[o, i] += sum_j coef[j, o] x[j, first + i]; z (n_outputs, ld): each stored value is read once for all outputs.
INLINE void add_sparse_outputs(const Rows& rows, int64_t first, int64_t k, const double* coef, int64_t n_outputs, double* z, int64_t ld) {
    with_stored(rows, [&](auto values, auto indices) {
        const int64_t n_lines = rows.lines_are_rows ? k : rows.n_lines, from = rows.lines_are_rows ? first : 0;
        for (int64_t line = 0; line < n_lines; line++)
            for (int64_t p = rows.start[from + line]; p < rows.stop[from + line]; p++) {
                const int64_t other = indices[p] - rows.origin;
                const int64_t i = rows.lines_are_rows ? line : other, j = rows.lines_are_rows ? other : line;
                const double value = values[p];
                for (int64_t o = 0; o < n_outputs; o++) z[o * ld + i] = fma(coef[j * n_outputs + o], value, z[o * ld + i]);
            }
    });
}

// gradient[j, o] += sum_i d[o, i] x[j, first + i]; d (n_outputs, ld)
INLINE void gradient_sparse_outputs(const Rows& rows, int64_t first, int64_t k, const double* d, int64_t ld, int64_t n_outputs, double* gradient) {
    with_stored(rows, [&](auto values, auto indices) {
        const int64_t n_lines = rows.lines_are_rows ? k : rows.n_lines, from = rows.lines_are_rows ? first : 0;
        for (int64_t line = 0; line < n_lines; line++)
            for (int64_t p = rows.start[from + line]; p < rows.stop[from + line]; p++) {
                const int64_t other = indices[p] - rows.origin;
                const int64_t i = rows.lines_are_rows ? line : other, j = rows.lines_are_rows ? other : line;
                const double value = values[p];
                for (int64_t o = 0; o < n_outputs; o++)
                    gradient[j * n_outputs + o] = fma(d[o * ld + i], value, gradient[j * n_outputs + o]);
            }
    });
}

// Add h = curvature[i] x[j, i]^2, and its square, to column j's sums.
INLINE void diagonal_sparse(const Rows& rows, int64_t first, int64_t k, const double* curvature, double* diagonal, double* squares) {
    with_stored(rows, [&](auto values, auto indices) {
        const int64_t n_lines = rows.lines_are_rows ? k : rows.n_lines, from = rows.lines_are_rows ? first : 0;
        for (int64_t line = 0; line < n_lines; line++)
            for (int64_t p = rows.start[from + line]; p < rows.stop[from + line]; p++) {
                const int64_t other = indices[p] - rows.origin;
                const int64_t i = rows.lines_are_rows ? line : other, j = rows.lines_are_rows ? other : line;
                const double value = values[p], h = curvature[i] * value * value;
                diagonal[j] += h;
                squares[j] = fma(h, h, squares[j]);
            }
    });
}

// Add the pairs of sparse columns, by row, with numeric terms, one another, codes and marks to the Hessian.
INLINE void hessian_sparse(const Rows& rows, int64_t first, int64_t k, const double* v, int64_t ld, const double* curvature, double* hessian) {
    if (rows.n_lines == 0) return;
    const int64_t n = rows.n_coefs, n_terms = 1 + rows.n_x;
    with_stored(rows, [&](auto values, auto indices) {
        for (int64_t i = 0; i < k; i++)
            for (int64_t p = rows.start[first + i]; p < rows.stop[first + i]; p++) {
                const int64_t at = n_terms + indices[p];
                const double h = curvature[i] * (double)values[p];
                double* row = hessian + at * n;
                add_multiple(h, v + i * ld, n_terms, row);  // the transposed cells, as `hessian_codes` has them
                for (int64_t q = rows.start[first + i]; q < rows.stop[first + i]; q++) {
                    const int64_t other = n_terms + indices[q];
                    if (other >= at) row[other] = fma(h, (double)values[q], row[other]);
                }
                for (int64_t c = 0; c < rows.n_codes; c++) {
                    const int64_t met = rows.codes[c * rows.n_rows + first + i];
                    if (met != n) row[met] += h;
                }
            }
        each_mark(rows, first, k, [&](int64_t i, int32_t l) {
            for (int64_t p = rows.start[first + i]; p < rows.stop[first + i]; p++) {
                double& cell = hessian[(n_terms + indices[p]) * n + l];
                cell = fma(curvature[i], (double)values[p], cell);
            }
        });
    });
}

// found[j] = max_i |x[j, i]|; NaN where there is one.
static void largest(const Rows& rows, double* found) {
    with_stored(rows, [&](auto values, auto indices) {
        for (int64_t line = 0; line < rows.n_lines; line++)
            for (int64_t p = rows.start[line]; p < rows.stop[line]; p++) {
                double& so_far = found[rows.lines_are_rows ? (int64_t)indices[p] : line];
                const double size = __builtin_fabs((double)values[p]);
                if (!(size <= so_far)) so_far = size;
            }
    });
}

// places[b, j] = where in column j of a CSC matrix the rows from bounds[b] on begin; rows sorted.
template <class I>
static void split(const I* indices, const int64_t* indptr, int64_t n_columns, const int64_t* bounds, int64_t n_bounds, int64_t* places) {
    for (int64_t j = 0; j < n_columns; j++) {
        int64_t p = indptr[j];
        for (int64_t b = 0; b < n_bounds; b++) {
            int64_t low = p, high = indptr[j + 1];
            while (low < high) {
                const int64_t middle = (low + high) / 2;
                if (indices[middle] < bounds[b]) low = middle + 1;
                else high = middle;
            }
            places[b * n_columns + j] = p = low;
        }
    }
}

static void split_columns(const void* indices, bool long_indices, const int64_t* indptr, int64_t n_columns, const int64_t* bounds, int64_t n_bounds, int64_t* places) {
    if (long_indices) split(static_cast<const int64_t*>(indices), indptr, n_columns, bounds, n_bounds, places);
    else split(static_cast<const int32_t*>(indices), indptr, n_columns, bounds, n_bounds, places);
}

}  // namespace LEVEL
