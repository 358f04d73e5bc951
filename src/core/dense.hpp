// Numeric columns of a tile of rows: their part of the predictor and of the gradient.
//
// Example i of feature j stands at x[j * ld + i] where columns are stacked (the article's layout), at x[i * ld + j] where
// rows are. A tile is small enough to be read from memory once, for the predictor, and from cache again, for the
// gradient. Each sum is taken in one order for both layouts: a predictor feature by feature, a gradient in eight lanes,
// of which lane l sums rows l, l + 8, ...
#pragma once
#include "kernels.hpp"
#include "lanes.hpp"

namespace LEVEL {

// Features at a time, for as many sums as registers hold: so z is loaded and stored an eighth or a quarter as often.
constexpr int64_t AT_ONCE = WIDTH == 8 ? 8 : 4;

// z[i] += sum_j coef[j] x[j, i] of k stacked rows; z has room for whole lanes, zeros are added beyond k.
template <int64_t n, class T>
INLINE void add_columns(const T* x, int64_t ld, const double* coef, int64_t k, double* z) {
    V c[n];
    for (int64_t j = 0; j < n; j++) c[j] = spread(coef[j]);
    int64_t i = 0;
    for (; i + 2 * LANES <= k; i += 2 * LANES) {
        V a = load(z + i), b = load(z + i + LANES);
#pragma GCC unroll 8
        for (int64_t j = 0; j < n; j++) {
            a = fma(c[j], load(x + j * ld + i), a);
            b = fma(c[j], load(x + j * ld + i + LANES), b);
        }
        store(z + i, a);
        store(z + i + LANES, b);
    }
    for (; i < k; i += LANES) {
        V a = load(z + i);
#pragma GCC unroll 8
        for (int64_t j = 0; j < n; j++) a = fma(c[j], load_some(x + j * ld + i, k - i), a);
        store(z + i, a);
    }
}

template <class T>
INLINE void add_stacked(const T* x, int64_t ld, const double* coef, int64_t n, int64_t k, double* z) {
    int64_t j = 0;
    for (; j + AT_ONCE <= n; j += AT_ONCE) add_columns<AT_ONCE>(x + j * ld, ld, coef + j, k, z);
    for (; j + 2 <= n; j += 2) add_columns<2>(x + j * ld, ld, coef + j, k, z);
    if (j < n) add_columns<1>(x + j * ld, ld, coef + j, k, z);
}

// gradient[j] += sum_i d[i] x[j, i] of k stacked rows; d is 0 beyond k, up to whole lanes.
template <int64_t n, class T>
INLINE void gradient_columns(const T* x, int64_t ld, const double* d, int64_t k, double* gradient) {
    V sum[n];
    for (int64_t j = 0; j < n; j++) sum[j] = spread(0.0);
    int64_t i = 0;
    for (; i + LANES <= k; i += LANES) {
        const V here = load(d + i);
#pragma GCC unroll 8
        for (int64_t j = 0; j < n; j++) sum[j] = fma(here, load(x + j * ld + i), sum[j]);
    }
    if (i < k) {
        const V here = load(d + i);
#pragma GCC unroll 8
        for (int64_t j = 0; j < n; j++) sum[j] = fma(here, load_some(x + j * ld + i, k - i), sum[j]);
    }
    for (int64_t j = 0; j < n; j++) gradient[j] += total(sum[j]);
}

template <class T>
INLINE void gradient_stacked(const T* x, int64_t ld, const double* d, int64_t n, int64_t k, double* gradient) {
    int64_t j = 0;
    for (; j + AT_ONCE <= n; j += AT_ONCE) gradient_columns<AT_ONCE>(x + j * ld, ld, d, k, gradient + j);
    for (; j + 2 <= n; j += 2) gradient_columns<2>(x + j * ld, ld, d, k, gradient + j);
    if (j < n) gradient_columns<1>(x + j * ld, ld, d, k, gradient + j);
}

// The same of row-major rows: eight rows of eight values are turned into columns in registers.
template <class T>
INLINE void add_row_major(const T* x, int64_t ld, const double* coef, int64_t n, int64_t k, double* z) {
    for (int64_t i = 0; i < k; i += LANES) {
        const T* row[LANES];  // beyond the last row, that row again: what it adds there is not looked at
        for (int64_t r = 0; r < LANES; r++) row[r] = x + least(i + r, k - 1) * ld;
        V sum = load(z + i);
        int64_t j = 0;
        for (; j + LANES <= n; j += LANES) {
            V square[LANES];
#pragma GCC unroll 8
            for (int64_t r = 0; r < LANES; r++) square[r] = load(row[r] + j);
            transpose_lanes(square);
#pragma GCC unroll 8
            for (int64_t c = 0; c < LANES; c++) sum = fma(spread(coef[j + c]), square[c], sum);
        }
        if (j < n) {
            V square[LANES];
#pragma GCC unroll 8
            for (int64_t r = 0; r < LANES; r++) square[r] = load_some(row[r] + j, n - j);
            transpose_lanes(square);
            for (int64_t c = 0; c < n - j; c++) sum = fma(spread(coef[j + c]), square[c], sum);
        }
        store(z + i, sum);
    }
}

// A register's width of features: sum[r] is lane r of each one's sum.
template <class T, class Load>
INLINE void gradient_part(const T* x, int64_t ld, const double* d, int64_t k, Load load_row, double* found) {
    Part sum[LANES];
    for (int64_t r = 0; r < LANES; r++) sum[r] = Part{};
    int64_t i = 0;
    for (; i + LANES <= k; i += LANES)
#pragma GCC unroll 8
        for (int64_t r = 0; r < LANES; r++) sum[r] = fma(Part{} + d[i + r], load_row(x + (i + r) * ld), sum[r]);
    for (int64_t r = 0; i + r < k; r++) sum[r] = fma(Part{} + d[i + r], load_row(x + (i + r) * ld), sum[r]);
    write(found, ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7])));
}

template <class T>
INLINE void gradient_row_major(const T* x, int64_t ld, const double* d, int64_t n, int64_t k, double* gradient) {
    for (int64_t j = 0; j < n; j += WIDTH) {
        double found[WIDTH];
        const int64_t count = least(n - j, WIDTH);
        const auto whole = [](const T* p) { Part v; read(p, v); return v; };
        const auto some = [count](const T* p) { Part v; read_some(p, count, v); return v; };
        if (count == WIDTH) gradient_part(x + j, ld, d, k, whole, found);
        else gradient_part(x + j, ld, d, k, some, found);
        for (int64_t c = 0; c < count; c++) gradient[j + c] += found[c];
    }
}

// Call `f` with the numeric columns from row `first` on, as what they are.
template <class F>
INLINE void with_numeric(const Rows& rows, int64_t first, F f) {
    const int64_t at = rows.by_row ? first * rows.ld : first;
    if (rows.n_x == 0) return;
    if (rows.single) f(static_cast<const float*>(rows.x) + at);
    else f(static_cast<const double*>(rows.x) + at);
}

// z[i] += sum_j coef[j] x[j, first + i], `coef` of the numeric columns.
INLINE void add_numeric(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    with_numeric(rows, first, [&](auto x) {
        if (rows.by_row) add_row_major(x, rows.ld, coef, rows.n_x, k, z);
        else add_stacked(x, rows.ld, coef, rows.n_x, k, z);
    });
}

// gradient[j] += sum_i d[i] x[j, first + i]
INLINE void gradient_numeric(const Rows& rows, int64_t first, int64_t k, const double* d, double* gradient) {
    with_numeric(rows, first, [&](auto x) {
        if (rows.by_row) gradient_row_major(x, rows.ld, d, rows.n_x, k, gradient);
        else gradient_stacked(x, rows.ld, d, rows.n_x, k, gradient);
    });
}

// v[j * ld_v + i] = x[j, first + i] - centre[j], stacked, zeros beyond k up to whole lanes; ld_v a multiple of 8.
INLINE void shifted_numeric(const Rows& rows, int64_t first, int64_t k, const double* centre, double* v, int64_t ld_v) {
    with_numeric(rows, first, [&](auto x) {
        for (int64_t j = 0; j < rows.n_x; j++) {
            const V c = spread(centre[j]);
            for (int64_t i = 0; i < k; i += LANES) {
                V values;
                if (rows.by_row) {
                    double column[LANES] = {};
                    for (int64_t r = 0; r < least(k - i, LANES); r++) column[r] = x[(i + r) * rows.ld + j];
                    values = load(column);
                } else values = load_some(x + j * rows.ld + i, k - i);
                store(v + j * ld_v + i, values - c);
            }
            for (int64_t i = k; i % LANES; i++) v[j * ld_v + i] = 0.0;
        }
    });
}

}  // namespace LEVEL
