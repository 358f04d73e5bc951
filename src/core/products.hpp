// Matrix products, register-blocked: some rows and columns of the result stand in registers while terms are added.
//
// How many they are differs by level. A cell's own sum does not: it is one chain of fused multiply-adds, or eight of them.
#pragma once
#include "lanes.hpp"

namespace LEVEL {

// As many sums as registers hold, with room for what is read: HELD_ROWS by HELD_PARTS registers.
#if defined(__ARM_NEON)
constexpr int64_t HELD_ROWS = 6;
#else
constexpr int64_t HELD_ROWS = WIDTH == 8 ? 8 : WIDTH == 4 ? 4 : 3;
#endif
constexpr int64_t HELD_PARTS = 3, PANEL_TERMS = HELD_PARTS * WIDTH;
template <int64_t n_m>
constexpr int64_t BESIDE = HELD_ROWS * HELD_PARTS / n_m < 8 ? HELD_ROWS * HELD_PARTS / n_m : 8;  // registers beside n_m rows

// sum[m][n] += sum_p a[p * lda + m] b[p * ldb + n], lanes along n.
template <int64_t n_m, int64_t n_n, class T>
INLINE void multiply_cells(const double* a, int64_t lda, const T* b, int64_t ldb, int64_t n_p, Part (*sum)[n_n]) {
    for (int64_t p = 0; p < n_p; p++, a += lda, b += ldb) {
        Part right[n_n];
#pragma GCC unroll 8
        for (int64_t n = 0; n < n_n; n++) read(b + n * WIDTH, right[n]);
#pragma GCC unroll 8
        for (int64_t m = 0; m < n_m; m++) {
            const Part left = a[m] - Part{};
#pragma GCC unroll 8
            for (int64_t n = 0; n < n_n; n++) sum[m][n] = fma(left, right[n], sum[m][n]);
        }
    }
}

// Call `f` with 1 to `most` as a type, for what stands in registers must be known to the compiler.
template <int64_t n>
struct Size {
    static constexpr int64_t value = n;
};
template <int64_t most, class F>
INLINE void with_size(int64_t n, F f) {
    if constexpr (most == 1) f(Size<1>{});
    else if (n == most) f(Size<most>{});
    else with_size<most - 1>(n, f);
}

// Call `f(first, size)` for groups of n rows, at most `most` in each, as even as can be.
template <int64_t most, class F>
INLINE void each_group(int64_t n, F f) {
    const int64_t groups = (n + most - 1) / most;
    for (int64_t g = 0; g < groups; g++) {
        const int64_t first = g * n / groups;
        with_size<most>((g + 1) * n / groups - first, [&](auto size) { f(first, size); });
    }
}

// c[m * ldc + n] += sum_p a[p * lda + m] b[p * ldb + n] of n_n columns, m < n_m: each cell's chain goes on over p.
template <int64_t n_m, int64_t n_parts, class T>
static void add_chains(const double* a, int64_t lda, const T* b, int64_t ldb, int64_t n_p, double* c, int64_t ldc) {
    Part sum[n_m][n_parts];
#pragma GCC unroll 8
    for (int64_t m = 0; m < n_m; m++)
#pragma GCC unroll 8
        for (int64_t n = 0; n < n_parts; n++) read(c + m * ldc + n * WIDTH, sum[m][n]);
    multiply_cells<n_m, n_parts>(a, lda, b, ldb, n_p, sum);
#pragma GCC unroll 8
    for (int64_t m = 0; m < n_m; m++)
#pragma GCC unroll 8
        for (int64_t n = 0; n < n_parts; n++) write(c + m * ldc + n * WIDTH, sum[m][n]);
}

// Terms and columns at a time, so that what is read again lies in the second-level cache; the columns are a multiple of
// what stands in registers whatever the group.
constexpr int64_t TERMS_AT_ONCE = 192, CELLS_AT_ONCE = 192;

// Coefficients (n_m, n_p), rows lda apart, as `multiply_outputs` reads them: each group's, term by term.
INLINE void pack_groups(const double* a, int64_t lda, int64_t n_m, int64_t n_p, double* packed) {
    each_group<HELD_ROWS>(n_m, [&](int64_t first, auto size) {
        for (int64_t p = 0; p < n_p; p++)
            for (int64_t m = 0; m < size.value; m++) packed[first * n_p + p * size.value + m] = a[(first + m) * lda + p];
    });
}

// c[m * ldc + n] += sum_p a[m, p] b[p * ldb + n], a packed, n_n a multiple of 8: a cell's chain goes on over p.
template <class T>
static void multiply_outputs(const double* a, int64_t n_m, const T* b, int64_t ldb, int64_t n_n, int64_t n_p, double* c, int64_t ldc) {
    for (int64_t p = 0; p < n_p; p += TERMS_AT_ONCE)
        for (int64_t from = 0; from < n_n; from += CELLS_AT_ONCE) {
            const int64_t terms = least(n_p - p, TERMS_AT_ONCE), to = least(n_n, from + CELLS_AT_ONCE);
            each_group<HELD_ROWS>(n_m, [&](int64_t first, auto size) {
                constexpr int64_t rows = size.value, parts = BESIDE<rows>;
                const double* group = a + first * n_p + p * rows;
                int64_t n = from;
                for (; n + parts * WIDTH <= to; n += parts * WIDTH)
                    add_chains<rows, parts>(group, rows, b + p * ldb + n, ldb, terms, c + first * ldc + n, ldc);
                for (; n < to; n += WIDTH) add_chains<rows, 1>(group, rows, b + p * ldb + n, ldb, terms, c + first * ldc + n, ldc);
            });
        }
}

// Sums of a[m * lda + p] b[n * ldb + p] in lanes, n_p a multiple of 8: lane l of lanes[m * ld + n * 8] sums p = l, l + 8,
// ..., from zero where `anew`. Meanwhile what stands `ahead` bytes of b is fetched for the next product.
template <bool anew, int64_t n_m, int64_t n_n, class T>
INLINE void add_lanes(const double* a, int64_t lda, const T* b, int64_t ldb, int64_t n_p, int64_t ahead, double* lanes, int64_t ld) {
    for (int64_t half = 0; half < LANES; half += WIDTH) {
        Part sum[n_m][n_n];
#pragma GCC unroll 8
        for (int64_t m = 0; m < n_m; m++)
#pragma GCC unroll 8
            for (int64_t n = 0; n < n_n; n++)
                if constexpr (anew) sum[m][n] = Part{};
                else read(lanes + m * ld + n * LANES + half, sum[m][n]);
        for (int64_t p = half; p < n_p; p += LANES) {
            Part right[n_n];
#pragma GCC unroll 8
            for (int64_t n = 0; n < n_n; n++) {
                read(b + n * ldb + p, right[n]);
                __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(b + n * ldb + p) + (uintptr_t)ahead), 0, 2);
            }
#pragma GCC unroll 8
            for (int64_t m = 0; m < n_m; m++) {
                Part left;
                read(a + m * lda + p, left);
#pragma GCC unroll 8
                for (int64_t n = 0; n < n_n; n++) sum[m][n] = fma(left, right[n], sum[m][n]);
            }
        }
#pragma GCC unroll 8
        for (int64_t m = 0; m < n_m; m++)
#pragma GCC unroll 8
            for (int64_t n = 0; n < n_n; n++) write(lanes + m * ld + n * LANES + half, sum[m][n]);
    }
}

// The same, added to c[m * ldc + n].
template <int64_t n_m, int64_t n_n, class T>
static void add_dots(const double* a, int64_t lda, const T* b, int64_t ldb, int64_t n_p, int64_t ahead, double* c, int64_t ldc) {
    double lanes[n_m * n_n * LANES];
    add_lanes<true, n_m, n_n>(a, lda, b, ldb, n_p, ahead, lanes, n_n * LANES);
    for (int64_t m = 0; m < n_m; m++)
        for (int64_t n = 0; n < n_n; n++) c[m * ldc + n] += total(load(lanes + (m * n_n + n) * LANES));
}
template <int64_t n_m, int64_t n_n, class T>
static void keep_lanes(const double* a, int64_t lda, const T* b, int64_t ldb, int64_t n_p, int64_t ahead, double* lanes, int64_t ld) {
    add_lanes<false, n_m, n_n>(a, lda, b, ldb, n_p, ahead, lanes, ld);
}

// Rows of b at a time: as many as the second-level cache holds of tiles.
constexpr int64_t DOTS_AT_ONCE = 96;
constexpr int64_t DOTTED_ROWS = HELD_ROWS < 6 ? HELD_ROWS : 6;  // more would take more streams than pointers stand in registers

// Call `f(m, n, rows, columns)` for each block of cells (n_m, n_n) that stands in registers.
template <class F>
INLINE void each_block(int64_t n_m, int64_t n_n, F f) {
    for (int64_t from = 0; from < n_n; from += DOTS_AT_ONCE) {
        const int64_t to = least(n_n, from + DOTS_AT_ONCE);
        each_group<DOTTED_ROWS>(n_m, [&](int64_t m, auto rows) {
            constexpr int64_t beside = BESIDE<rows.value>;
            int64_t n = from;
            for (; n + beside <= to; n += beside) f(m, n, rows, Size<beside>{});
            for (; n < to; n++) f(m, n, rows, Size<1>{});
        });
    }
}

// c (n_m, n_n) += a b' of rows of n_p values, a multiple of 8: each cell in eight lanes.
template <class T>
static void multiply_rows_by_rows(const double* a, int64_t lda, int64_t n_m, const T* b, int64_t ldb, int64_t n_n, int64_t n_p, int64_t ahead, double* c, int64_t ldc) {
    each_block(n_m, n_n, [&](int64_t m, int64_t n, auto rows, auto columns) {
        add_dots<rows.value, columns.value>(a + m * lda, lda, b + n * ldb, ldb, n_p, ahead, c + m * ldc + n, ldc);
    });
}

// The same sums in lanes (n_m, n_n, 8), n_m's ld apart, to go on with.
template <class T>
static void keep_rows_by_rows(const double* a, int64_t lda, int64_t n_m, const T* b, int64_t ldb, int64_t n_n, int64_t n_p, int64_t ahead, double* lanes, int64_t ld) {
    each_block(n_m, n_n, [&](int64_t m, int64_t n, auto rows, auto columns) {
        keep_lanes<rows.value, columns.value>(a + m * lda, lda, b + n * ldb, ldb, n_p, ahead, lanes + m * ld + n * LANES, ld);
    });
}

// c[m * ldc + n] += sum_p a[p * PANEL_TERMS + m] b[p * PANEL_TERMS + n] of two panels, for m < n_m and n < n_n, from zero.
template <int64_t n_parts>
static void add_panels(const double* a, const double* b, int64_t n_p, int64_t n_m, int64_t n_n, double* c, int64_t ldc) {
    Part sum[HELD_ROWS][n_parts];
#pragma GCC unroll 8
    for (int64_t m = 0; m < HELD_ROWS; m++)
#pragma GCC unroll 8
        for (int64_t n = 0; n < n_parts; n++) sum[m][n] = Part{};
    multiply_cells<HELD_ROWS, n_parts>(a, PANEL_TERMS, b, PANEL_TERMS, n_p, sum);
    double cells[HELD_ROWS][n_parts * WIDTH];
#pragma GCC unroll 8
    for (int64_t m = 0; m < HELD_ROWS; m++)
#pragma GCC unroll 8
        for (int64_t n = 0; n < n_parts; n++) write(cells[m] + n * WIDTH, sum[m][n]);
    for (int64_t m = 0; m < n_m; m++)
        for (int64_t n = 0; n < n_n; n++) c[m * ldc + n] += cells[m][n];
}

}  // namespace LEVEL
