// Numeric columns of a tile of rows: their part of the predictor and of the gradient.
//
// Example i of feature j stands at x[j * ld + i] where columns are stacked (the article's layout), at x[i * ld + j] where
// rows are. A tile is small enough to be read from memory once, for the predictor, and from cache again, for the
// gradient. Each sum is taken in one order for both layouts: a predictor feature by feature, a gradient in eight lanes,
// of which lane l sums rows l, l + 8, ... of the block. The lanes are kept from tile to tile, and added at its end.
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
            a = fma(c[j], load(x + j * ld + i), a);          // Z += w[j] X[j], of eight rows
            b = fma(c[j], load(x + j * ld + i + LANES), b);  // and of eight more
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
    if (AT_ONCE > 4 && j + 4 <= n) add_columns<4>(x + j * ld, ld, coef + j, k, z), j += 4;
    for (; j + 2 <= n; j += 2) add_columns<2>(x + j * ld, ld, coef + j, k, z);
    if (j < n) add_columns<1>(x + j * ld, ld, coef + j, k, z);
}

// lanes[j] += d[i] x[j, i] of k stacked rows, lane by lane; d is 0 beyond k, up to whole lanes.
template <int64_t n, class T>
INLINE void gradient_columns(const T* x, int64_t ld, const double* d, int64_t k, double* lanes) {
    V sum[n];
    for (int64_t j = 0; j < n; j++) sum[j] = load(lanes + j * LANES);
    int64_t i = 0;
    for (; i + LANES <= k; i += LANES) {
        const V here = load(d + i);
#pragma GCC unroll 8
        for (int64_t j = 0; j < n; j++) sum[j] = fma(here, load(x + j * ld + i), sum[j]);  // dw[j] += dZ X[j]
    }
    if (i < k) {
        const V here = load(d + i);
#pragma GCC unroll 8
        for (int64_t j = 0; j < n; j++) sum[j] = fma(here, load_some(x + j * ld + i, k - i), sum[j]);
    }
    for (int64_t j = 0; j < n; j++) store(lanes + j * LANES, sum[j]);
}

template <class T>
INLINE void gradient_stacked(const T* x, int64_t ld, const double* d, int64_t n, int64_t k, double* lanes) {
    int64_t j = 0;
    for (; j + AT_ONCE <= n; j += AT_ONCE) gradient_columns<AT_ONCE>(x + j * ld, ld, d, k, lanes + j * LANES);
    if (AT_ONCE > 4 && j + 4 <= n) gradient_columns<4>(x + j * ld, ld, d, k, lanes + j * LANES), j += 4;
    for (; j + 2 <= n; j += 2) gradient_columns<2>(x + j * ld, ld, d, k, lanes + j * LANES);
    if (j < n) gradient_columns<1>(x + j * ld, ld, d, k, lanes + j * LANES);
}

// The same of row-major rows: a register's width of rows, and as many values of each, are turned into columns.
template <int64_t groups, class T, class Load>
INLINE void add_square(const T* const* row, int64_t columns, const double* coef, Load load_row, Part* sum) {
    Part square[groups][WIDTH];
#pragma GCC unroll 4
    for (int64_t g = 0; g < groups; g++) {
#pragma GCC unroll 8
        for (int64_t r = 0; r < WIDTH; r++) square[g][r] = load_row(row[g * WIDTH + r]);
        transpose(square[g], 1);
    }
#pragma GCC unroll 8
    for (int64_t c = 0; c < columns; c++)
#pragma GCC unroll 4
        for (int64_t g = 0; g < groups; g++) sum[g] = fma(Part{} + coef[c], square[g][c], sum[g]);
}

// Rows that are fetched ahead: eight rows side by side are an order that processors do not foresee.
constexpr int64_t PREFETCHED_ROWS = 16;

template <class T>
INLINE void add_row_major(const T* x, int64_t ld, const double* coef, int64_t n, int64_t k, double* z) {
    constexpr int64_t groups = LANES / WIDTH;
    const int64_t rest = n % WIDTH;
    const auto some = [rest](const T* p) { Part v; read_some(p, rest, v); return v; };
    for (int64_t i = 0; i < k; i += LANES) {
        const T* row[LANES];  // beyond the last row, that row again: what it adds there is not looked at
        for (int64_t r = 0; r < LANES; r++) row[r] = x + least(i + r, k - 1) * ld;
        int64_t j = 0;
        Part sum[groups];
        for (int64_t g = 0; g < groups; g++) read(z + i + g * WIDTH, sum[g]);
        const auto whole = [&](const T* p) {
            Part v;
            read(p + j, v);
            return v;
        };
        const char* ahead = reinterpret_cast<const char*>(x + (i + PREFETCHED_ROWS) * ld);
        for (j = 0; j + WIDTH <= n; j += WIDTH) {
            for (int64_t line = 0; line < WIDTH * LANES * (int64_t)sizeof(T); line += 64) __builtin_prefetch(ahead + line);
            ahead += WIDTH * LANES * sizeof(T);
            add_square<groups>(row, WIDTH, coef + j, whole, sum);
        }
        if (rest) {
            for (int64_t r = 0; r < LANES; r++) row[r] += n - rest;
            add_square<groups>(row, rest, coef + n - rest, some, sum);
        }
        for (int64_t g = 0; g < groups; g++) write(z + i + g * WIDTH, sum[g]);
    }
}

// `parts` registers of features: lanes[p][r] is lane r of the sums of the features of part p.
template <int64_t parts, class T, class Load>
INLINE void gradient_part(const T* x, int64_t ld, const double* d, int64_t k, Load load_row, double* lanes) {
    Part sum[parts][LANES];
    for (int64_t p = 0; p < parts; p++)
        for (int64_t r = 0; r < LANES; r++) read(lanes + (p * LANES + r) * WIDTH, sum[p][r]);
    int64_t i = 0;
    for (; i + LANES <= k; i += LANES)
#pragma GCC unroll 8
        for (int64_t r = 0; r < LANES; r++) {
            const Part here = Part{} + d[i + r];
#pragma GCC unroll 4
            for (int64_t p = 0; p < parts; p++) sum[p][r] = fma(here, load_row(x + (i + r) * ld + p * WIDTH), sum[p][r]);
        }
#pragma GCC unroll 8
    for (int64_t r = 0; r < LANES; r++)
        if (i + r < k)
            for (int64_t p = 0; p < parts; p++)
                sum[p][r] = fma(Part{} + d[i + r], load_row(x + (i + r) * ld + p * WIDTH), sum[p][r]);
    for (int64_t p = 0; p < parts; p++)
        for (int64_t r = 0; r < LANES; r++) write(lanes + (p * LANES + r) * WIDTH, sum[p][r]);
}

template <class T>
INLINE void gradient_row_major(const T* x, int64_t ld, const double* d, int64_t n, int64_t k, double* lanes) {
    constexpr int64_t parts = WIDTH == 8 ? 2 : 1;  // sums that registers hold
    const int64_t rest = n % WIDTH;
    const auto whole = [](const T* p) { Part v; read(p, v); return v; };
    const auto some = [rest](const T* p) { Part v; read_some(p, rest, v); return v; };
    int64_t j = 0;
    for (; j + parts * WIDTH <= n; j += parts * WIDTH) gradient_part<parts>(x + j, ld, d, k, whole, lanes + j * LANES);
    for (; j + WIDTH <= n; j += WIDTH) gradient_part<1>(x + j, ld, d, k, whole, lanes + j * LANES);
    if (rest) gradient_part<1>(x + j, ld, d, k, some, lanes + j * LANES);
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

// Add d[i] x[j, first + i] to the lanes of the gradient, which take `gradient_lanes` float64.
INLINE void gradient_numeric(const Rows& rows, int64_t first, int64_t k, const double* d, double* lanes) {
    with_numeric(rows, first, [&](auto x) {
        if (rows.by_row) gradient_row_major(x, rows.ld, d, rows.n_x, k, lanes);
        else gradient_stacked(x, rows.ld, d, rows.n_x, k, lanes);
    });
}
INLINE int64_t gradient_lanes(const Rows& rows) { return (rows.n_x + WIDTH - 1) / WIDTH * WIDTH * LANES; }

// gradient[j] = the sum of its lanes.
INLINE void sum_lanes(const Rows& rows, const double* lanes, double* gradient) {
    for (int64_t j = 0; j < rows.n_x; j++) {
        if (!rows.by_row) {
            gradient[j] = total(load(lanes + j * LANES));
            continue;
        }
        double of_column[LANES];
        for (int64_t r = 0; r < LANES; r++) of_column[r] = lanes[(j / WIDTH * LANES + r) * WIDTH + j % WIDTH];
        gradient[j] = total(load(of_column));
    }
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
