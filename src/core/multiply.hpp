// Products of matrices in float64, of whatever layout: packed panels, register-blocked.
//
// A cell of the product is summed term after term, fused, in pieces of DEPTH terms that are added up in turn. How many
// cells stand in registers at a time differs by level; a cell's own sum does not.
#pragma once
#include "kernels.hpp"
#include "memory.hpp"
#include "vectors.hpp"

namespace LEVEL {

INLINE View rows_of(const double* p, int64_t ld) { return {p, ld, 1}; }
INLINE View transposed(View a) { return {a.p, a.column, a.row}; }

constexpr int64_t DEPTH = 256;                             // terms at a time: a panel of 16 columns stays in the first-level cache
constexpr int64_t TALL = WIDTH == 8 ? 12 : WIDTH == 4 ? 6 : 2;  // cells in registers, down
constexpr int64_t BROAD = WIDTH == 8 ? 2 * LANES : LANES;       // and across
constexpr int64_t ROWS_AT_ONCE = 8 * 12, COLUMNS_AT_ONCE = 2048;  // packed at a time: for the second- and third-level cache

INLINE int64_t whole(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

// Panels of `width` lines side by side, term by term; zeros beyond the last line.
template <int64_t width>
static void pack(View a, int64_t n_lines, int64_t n_terms, double* panels) {
    for (int64_t first = 0; first < n_lines; first += width, panels += width * n_terms) {
        const double* p = a.p + first * a.row;
        const int64_t count = least(n_lines - first, width);
        if (count < width)
            for (int64_t i = 0; i < width * n_terms; i++) panels[i] = 0.0;
        if (a.row == 1 && count == width) {
            for (int64_t k = 0; k < n_terms; k++)
                for (int64_t i = 0; i < width; i++) panels[k * width + i] = p[k * a.column + i];
        } else {
            for (int64_t i = 0; i < count; i++)
                for (int64_t k = 0; k < n_terms; k++) panels[k * width + i] = p[i * a.row + k * a.column];
        }
    }
}

// c[i, j] += sign sum_k a[k, i] b[k, j] of two panels; `m` by `n` cells are wanted.
INLINE void multiply_panels(const double* a, const double* b, int64_t n_terms, double sign, int64_t m, int64_t n, double* c, int64_t ld) {
    constexpr int64_t across = BROAD / LANES;
    V sum[TALL][across];
#pragma GCC unroll 12
    for (int64_t i = 0; i < TALL; i++)
#pragma GCC unroll 2
        for (int64_t q = 0; q < across; q++) sum[i][q] = spread(0.0);
    for (int64_t k = 0; k < n_terms; k++, a += TALL, b += BROAD) {
        V right[across];
#pragma GCC unroll 2
        for (int64_t q = 0; q < across; q++) right[q] = load(b + q * LANES);
#pragma GCC unroll 12
        for (int64_t i = 0; i < TALL; i++) {
            const V left = spread(a[i]);
#pragma GCC unroll 2
            for (int64_t q = 0; q < across; q++) sum[i][q] = fma(left, right[q], sum[i][q]);
        }
    }
    const V factor = spread(sign);
#pragma GCC unroll 12
    for (int64_t i = 0; i < TALL; i++) {
        if (i >= m) break;
#pragma GCC unroll 2
        for (int64_t q = 0; q < across; q++) {
            double* cells = c + i * ld + q * LANES;
            const int64_t count = n - q * LANES;
            if (count >= LANES) store(cells, fma(factor, sum[i][q], load(cells)));
            else if (count > 0) store_some(cells, count, fma(factor, sum[i][q], load_some(cells, count)));
        }
    }
}

// C += sign A B, C (m, n) row-major; of a square C only the upper triangle counts where `upper`.
static void add_product(View a, View b, int64_t m, int64_t n, int64_t n_terms, double sign, double* c, int64_t ld, bool upper = false) {
    const int64_t depth = least(n_terms, DEPTH);
    Scratch left(whole(least(m, ROWS_AT_ONCE), TALL) * depth), right(whole(least(n, COLUMNS_AT_ONCE), BROAD) * depth);
    for (int64_t j0 = 0; j0 < n; j0 += COLUMNS_AT_ONCE) {
        const int64_t n_here = least(n - j0, COLUMNS_AT_ONCE);
        for (int64_t k0 = 0; k0 < n_terms; k0 += DEPTH) {
            const int64_t k_here = least(n_terms - k0, DEPTH);
            pack<BROAD>(View{b.p + k0 * b.row + j0 * b.column, b.column, b.row}, n_here, k_here, right);
            for (int64_t i0 = 0; i0 < m && !(upper && i0 >= j0 + n_here); i0 += ROWS_AT_ONCE) {
                const int64_t m_here = least(m - i0, ROWS_AT_ONCE);
                pack<TALL>(View{a.p + i0 * a.row + k0 * a.column, a.row, a.column}, m_here, k_here, left);
                for (int64_t j = 0; j < n_here; j += BROAD)
                    for (int64_t i = 0; i < m_here && !(upper && i0 + i >= j0 + j + BROAD); i += TALL)
                        multiply_panels(left + i * k_here, right + j * k_here, k_here, sign, m_here - i, n_here - j,
                                        c + (i0 + i) * ld + j0 + j, ld);
            }
        }
    }
}

// y[i] = sum_j a[i, j] x[j] of row-major rows, each as `dot` has it.
static void multiply_rows(const double* a, int64_t ld, int64_t m, int64_t n, const double* x, double* y) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) {
        V sum[4] = {spread(0.0), spread(0.0), spread(0.0), spread(0.0)};
        int64_t j = 0;
        for (; j + LANES <= n; j += LANES) {
            const V here = load(x + j);
#pragma GCC unroll 4
            for (int64_t r = 0; r < 4; r++) sum[r] = fma(load(a + (i + r) * ld + j), here, sum[r]);
        }
        if (j < n)
#pragma GCC unroll 4
            for (int64_t r = 0; r < 4; r++)
                sum[r] = fma(load_some(a + (i + r) * ld + j, n - j), load_some(x + j, n - j), sum[r]);
        for (int64_t r = 0; r < 4; r++) y[i + r] = total(sum[r]);
    }
    for (; i < m; i++) y[i] = dot(a + i * ld, x, n);
}

// y[j] = sum_i x[i] a[i, j] of row-major rows, row after row.
static void multiply_columns(const double* a, int64_t ld, int64_t m, int64_t n, const double* x, double* y) {
    int64_t j = 0;
    for (; j + 4 * LANES <= n; j += 4 * LANES) {
        V sum[4] = {spread(0.0), spread(0.0), spread(0.0), spread(0.0)};
        for (int64_t i = 0; i < m; i++) {
            const V here = spread(x[i]);
#pragma GCC unroll 4
            for (int64_t q = 0; q < 4; q++) sum[q] = fma(here, load(a + i * ld + j + q * LANES), sum[q]);
        }
        for (int64_t q = 0; q < 4; q++) store(y + j + q * LANES, sum[q]);
    }
    for (; j < n; j += LANES) {
        V sum = spread(0.0);
        for (int64_t i = 0; i < m; i++) sum = fma(spread(x[i]), load_some(a + i * ld + j, n - j), sum);
        store_some(y + j, least(n - j, LANES), sum);
    }
}

}  // namespace LEVEL
