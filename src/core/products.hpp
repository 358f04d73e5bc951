// Matrix products of packed panels, a few rows and columns of the result in registers at a time.
#pragma once
#include "lanes.hpp"

namespace LEVEL {

// Rows and registers' widths of the result that are held: as many sums as registers allow, with room for what is read.
constexpr int64_t HELD_ROWS = WIDTH == 8 ? 8 : 4, HELD_PARTS = WIDTH == 8 ? 3 : 3;
constexpr int64_t HELD_COLUMNS = HELD_PARTS * WIDTH;

// c[m * ldc + n] += sum_p a[p * lda + m] b[p * ldb + n] for m < n_m and n < n_n: each cell is one chain of fused
// multiply-adds over p, from zero, added to c. b's rows are read in whole registers: they end in room for them.
template <int64_t n_m, int64_t n_n>
INLINE void add_cells(const double* a, int64_t lda, const double* b, int64_t ldb, int64_t n_p, double* c, int64_t ldc, int64_t columns) {
    Part sum[n_m][n_n];
    for (int64_t m = 0; m < n_m; m++)
        for (int64_t n = 0; n < n_n; n++) sum[m][n] = Part{};
    for (int64_t p = 0; p < n_p; p++) {
        Part right[n_n];
#pragma GCC unroll 4
        for (int64_t n = 0; n < n_n; n++) read(b + p * ldb + n * WIDTH, right[n]);
#pragma GCC unroll 8
        for (int64_t m = 0; m < n_m; m++) {
            const Part left = Part{} + a[p * lda + m];
#pragma GCC unroll 4
            for (int64_t n = 0; n < n_n; n++) sum[m][n] = fma(left, right[n], sum[m][n]);
        }
    }
    for (int64_t m = 0; m < n_m; m++)
        for (int64_t n = 0; n < n_n; n++) {
            double found[WIDTH];
            write(found, sum[m][n]);
            for (int64_t l = 0; l < least(columns - n * WIDTH, WIDTH); l++) c[m * ldc + n * WIDTH + l] += found[l];
        }
}

template <int64_t n_m>
INLINE void add_strip(const double* a, int64_t lda, const double* b, int64_t ldb, int64_t n_p, double* c, int64_t ldc, int64_t columns) {
    int64_t n = 0;
    for (; n + HELD_COLUMNS <= columns; n += HELD_COLUMNS) add_cells<n_m, HELD_PARTS>(a, lda, b + n, ldb, n_p, c + n, ldc, HELD_COLUMNS);
    for (; n < columns; n += WIDTH) add_cells<n_m, 1>(a, lda, b + n, ldb, n_p, c + n, ldc, least(columns - n, WIDTH));
}

// c (n_m, n_n) += a' b with a (n_p, n_m) and b (n_p, n_n), rows lda, ldb, ldc apart; with `upper` only the cells with
// n >= m - m % HELD_ROWS, which are the upper triangle and some more.
static void add_product(const double* a, int64_t lda, int64_t n_m, const double* b, int64_t ldb, int64_t n_n, int64_t n_p, double* c, int64_t ldc, bool upper) {
    int64_t m = 0;
    for (; m + HELD_ROWS <= n_m; m += HELD_ROWS) {
        const int64_t from = upper ? m / WIDTH * WIDTH : 0;
        add_strip<HELD_ROWS>(a + m, lda, b + from, ldb, n_p, c + m * ldc + from, ldc, n_n - from);
    }
    for (; m < n_m; m++) {
        const int64_t from = upper ? m / WIDTH * WIDTH : 0;
        add_strip<1>(a + m, lda, b + from, ldb, n_p, c + m * ldc + from, ldc, n_n - from);
    }
}

}  // namespace LEVEL
