// The Hessian of a tile of rows, X diag(curvature) X', for every pair of kinds: numeric, sparse, codes and marks.
//
// Numeric columns are first shifted by their centre into scratch: products of raw columns far from zero (a Unix time)
// would lose the variance in the square of the mean.
#pragma once
#include "dense.hpp"
#include "memory.hpp"
#include "products.hpp"
#include "sparse.hpp"

namespace LEVEL {

// The numeric terms of a tile, row by row: v[i * ld] = 1, v[i * ld + 1 + j] = x[j, first + i] - centre[j], zeros up to ld.
INLINE int64_t terms_ld(const Rows& rows) { return (1 + rows.n_x + LANES - 1) / LANES * LANES; }

INLINE void fill_terms(const Rows& rows, int64_t first, int64_t k, const double* centre, double* v, int64_t ld) {
    for (int64_t i = 0; i < k; i++) {
        for (int64_t j = ld - LANES; j < ld; j++) v[i * ld + j] = 0.0;
        v[i * ld] = 1.0;
    }
    with_numeric(rows, first, [&](auto x) {
        if (rows.by_row) {
            for (int64_t i = 0; i < k; i++)
                for (int64_t j = 0; j < rows.n_x; j++) v[i * ld + 1 + j] = (double)x[i * rows.ld + j] - centre[j];
            return;
        }
        for (int64_t i = 0; i < k; i += LANES)
            for (int64_t j = 0; j < rows.n_x; j += LANES) {
                const int64_t n = least(rows.n_x - j, LANES);
                V square[LANES];
                for (int64_t c = 0; c < LANES; c++)
                    square[c] = c < n ? load_some(x + (j + c) * rows.ld + i, k - i) - spread(centre[j + c]) : spread(0.0);
                transpose_lanes(square);
                for (int64_t r = 0; r < least(k - i, LANES); r++) store_some(v + (i + r) * ld + 1 + j, n, square[r]);
            }
    });
}

// Add sum_i curvature[i] v[j, i] v[l, i] of a tile's rows to `hessian` (n_coefs, n_coefs), given their numeric terms v
// and scratch for the same times their row's curvature. Sparse columns must be by row.
INLINE void add_curved(const Rows& rows, int64_t first, int64_t k, const double* v, const double* curvature, double* scaled, double* hessian) {
    const int64_t ld = terms_ld(rows);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < ld; j += LANES) store(scaled + i * ld + j, load(v + i * ld + j) * spread(curvature[i]));
    add_product(scaled, ld, 1 + rows.n_x, v, ld, 1 + rows.n_x, k, hessian, rows.n_coefs, true);
    hessian_sparse(rows, first, k, v, ld, curvature, hessian);
    hessian_codes(rows, first, k, v, ld, curvature, hessian);
    hessian_marks(rows, first, k, v, ld, curvature, hessian);
}

// The same from the tile's rows themselves; the scratch is of `hessian_scratch` float64.
INLINE int64_t hessian_scratch(const Rows& rows, int64_t tile) { return 2 * tile * terms_ld(rows); }

INLINE void add_hessian(const Rows& rows, int64_t first, int64_t k, const double* centre, const double* curvature, double* scratch, double* hessian) {
    const int64_t ld = terms_ld(rows);
    fill_terms(rows, first, k, centre, scratch, ld);
    add_curved(rows, first, k, scratch, curvature, scratch + k * ld, hessian);
}

// Move the pairs of numeric terms with others from below the diagonal, where they were added, above it.
INLINE void finish_hessian(const Rows& rows, double* hessian) {
    const int64_t n = rows.n_coefs;
    for (int64_t at = 1 + rows.n_x; at < n; at++)
        for (int64_t j = 0; j <= rows.n_x; j++) hessian[j * n + at] = hessian[at * n + j];
}

}  // namespace LEVEL
