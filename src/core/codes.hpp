// Categorical columns of a tile of rows, as integer codes: gather for the predictor, scatter for the gradient.
//
// A code is the index of a coefficient; the code `n_coefs` stands for no coefficient, and `coef` holds a zero there.
// Marks are pairs (row of the block, coefficient), sorted by row: terms that few rows have cost only those rows.
#pragma once
#include "kernels.hpp"
#include "lanes.hpp"

namespace LEVEL {

// Two columns at a time: a column alone waits for its addition to the level that it met last.
// z[i] += sum_c coef[codes[c, first + i]]
INLINE void add_codes(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    const int32_t* codes = rows.codes + first;
    int64_t c = 0;
    for (; c + 2 <= rows.n_codes; c += 2) {
        const int32_t *one = codes + c * rows.n_rows, *other = one + rows.n_rows;
        for (int64_t i = 0; i < k; i++) z[i] += coef[one[i]] + coef[other[i]];
    }
    if (c < rows.n_codes)
        for (int64_t i = 0; i < k; i++) z[i] += coef[codes[c * rows.n_rows + i]];
}

// gradient[codes[c, first + i]] += d[i] for every column c; the last cell is of no coefficient.
INLINE void gradient_codes(const Rows& rows, int64_t first, int64_t k, const double* d, double* gradient) {
    const int32_t* codes = rows.codes + first;
    int64_t c = 0;
    for (; c + 2 <= rows.n_codes; c += 2) {
        const int32_t *one = codes + c * rows.n_rows, *other = one + rows.n_rows;
        for (int64_t i = 0; i < k; i++) {
            gradient[one[i]] += d[i];
            gradient[other[i]] += d[i];
        }
    }
    if (c < rows.n_codes)
        for (int64_t i = 0; i < k; i++) gradient[codes[c * rows.n_rows + i]] += d[i];
}

// The number of marks before `row`.
INLINE int64_t first_mark(const Rows& rows, int64_t row) {
    int64_t low = 0, high = rows.n_marks;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (rows.mark_rows[middle] < row) low = middle + 1;
        else high = middle;
    }
    return low;
}

// Call `f(i, coefficient)` for every mark of rows first + i.
template <class F>
INLINE void each_mark(const Rows& rows, int64_t first, int64_t k, F f) {
    if (rows.n_marks == 0) return;
    const int64_t last = first_mark(rows, first + k);
    for (int64_t p = first_mark(rows, first); p < last; p++) f(rows.mark_rows[p] - first, rows.mark_terms[p]);
}

// z[i] += coef[l] for every mark (first + i, l)
INLINE void add_marks(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    each_mark(rows, first, k, [&](int64_t i, int32_t l) { z[i] += coef[l]; });
}

// gradient[l] += d[i] for every mark (first + i, l)
INLINE void gradient_marks(const Rows& rows, int64_t first, int64_t k, const double* d, double* gradient) {
    each_mark(rows, first, k, [&](int64_t i, int32_t l) { gradient[l] += d[i]; });
}

// The same for several outputs: coef and gradient (n_coefs + 1, n_outputs), z and d (n_outputs, ld).
INLINE void add_codes_outputs(const Rows& rows, int64_t first, int64_t k, const double* coef, int64_t n_outputs, double* z, int64_t ld) {
    for (int64_t c = 0; c < rows.n_codes; c++)
        for (int64_t i = 0; i < k; i++) {
            const double* of_level = coef + rows.codes[c * rows.n_rows + first + i] * n_outputs;
            for (int64_t o = 0; o < n_outputs; o++) z[o * ld + i] += of_level[o];
        }
    each_mark(rows, first, k, [&](int64_t i, int32_t l) {
        for (int64_t o = 0; o < n_outputs; o++) z[o * ld + i] += coef[l * n_outputs + o];
    });
}

INLINE void gradient_codes_outputs(const Rows& rows, int64_t first, int64_t k, const double* d, int64_t ld, int64_t n_outputs, double* gradient) {
    for (int64_t c = 0; c < rows.n_codes; c++)
        for (int64_t i = 0; i < k; i++) {
            double* of_level = gradient + rows.codes[c * rows.n_rows + first + i] * n_outputs;
            for (int64_t o = 0; o < n_outputs; o++) of_level[o] += d[o * ld + i];
        }
    each_mark(rows, first, k, [&](int64_t i, int32_t l) {
        for (int64_t o = 0; o < n_outputs; o++) gradient[l * n_outputs + o] += d[o * ld + i];
    });
}

// y[j] += a x[j], in lanes.
INLINE void add_multiple(double a, const double* x, int64_t n, double* y) {
    const V by = spread(a);
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) store(y + j, fma(by, load(x + j), load(y + j)));
    for (; j < n; j++) y[j] = fma(a, x[j], y[j]);
}

// Add the pairs (numeric, code) and (code, code) to the Hessian (n_coefs, n_coefs). v: the tile's numeric terms, row i of
// them at v[i * ld]. The former go to the transposed cells, contiguous in j; `finish_hessian` moves them up.
INLINE void hessian_codes(const Rows& rows, int64_t first, int64_t k, const double* v, int64_t ld, const double* curvature, double* hessian) {
    const int64_t n = rows.n_coefs, n_terms = 1 + rows.n_x;
    for (int64_t i = 0; i < k; i++)
        for (int64_t c = 0; c < rows.n_codes; c++) {
            const int64_t at = rows.codes[c * rows.n_rows + first + i];
            if (at == n) continue;
            add_multiple(curvature[i], v + i * ld, n_terms, hessian + at * n);
            hessian[at * n + at] += curvature[i];
            for (int64_t other = 0; other < c; other++) {
                const int64_t met = rows.codes[other * rows.n_rows + first + i];
                if (met != n) hessian[least(met, at) * n + most(met, at)] += curvature[i];
            }
        }
}

// Add the pairs of marks with numeric terms, codes and one another.
INLINE void hessian_marks(const Rows& rows, int64_t first, int64_t k, const double* v, int64_t ld, const double* curvature, double* hessian) {
    const int64_t n = rows.n_coefs, n_terms = 1 + rows.n_x;
    if (rows.n_marks == 0) return;
    const int64_t last = first_mark(rows, first + k);
    for (int64_t p = first_mark(rows, first); p < last; p++) {
        const int64_t at = rows.mark_terms[p], i = rows.mark_rows[p] - first;
        const double h = curvature[i];
        add_multiple(h, v + i * ld, n_terms, hessian + at * n);
        for (int64_t c = 0; c < rows.n_codes; c++) {
            const int64_t met = rows.codes[c * rows.n_rows + first + i];
            if (met != n) hessian[least(met, at) * n + most(met, at)] += h;
        }
        for (int64_t q = p; q < last && rows.mark_rows[q] == rows.mark_rows[p]; q++) {
            const int64_t met = rows.mark_terms[q];
            hessian[least(met, at) * n + most(met, at)] += h;
        }
    }
}

}  // namespace LEVEL
