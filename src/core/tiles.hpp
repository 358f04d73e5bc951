// The terms of a tile of rows, whatever they are stored as: predictor, gradient and curvature of one output.
#pragma once
#include "codes.hpp"
#include "dense.hpp"
#include "hessian.hpp"
#include "memory.hpp"
#include "sparse.hpp"
#include "vectors.hpp"

namespace LEVEL {

// Numeric data of a tile: a part of a second-level cache. Stacked columns take twice that, and LEAST_STACKED rows or more:
// short runs of many columns are an order that processors do not foresee.
constexpr int64_t TILE_BYTES = 196608, LEAST_STACKED = 128;
constexpr int64_t MOST_TILE_ROWS = 2048;
constexpr int64_t HESSIAN_ROWS = 256;  // its products are as fast with few columns as with many

// Rows of a tile: a multiple of 64; all of them where sparse columns are lines. Only sums of order 2, of a
// Hessian or of its diagonal, depend on it: their tiles have as many rows whatever the data are.
INLINE int64_t tile_rows(const Rows& rows, int order = 1) {
    if (rows.n_lines > 0 && !rows.lines_are_rows) return most<int64_t>((rows.n_rows + 63) / 64 * 64, 64);
    if (order == 2) return HESSIAN_ROWS;
    int64_t bytes = most<int64_t>(rows.n_x, 1) * (rows.single ? 4 : 8);
    if (rows.n_lines > 0) bytes += 12 * rows.n_stored / rows.n_lines;  // a value and an index
    if (rows.by_row) return most<int64_t>(64, least(MOST_TILE_ROWS, TILE_BYTES / bytes / 64 * 64));
    return most(LEAST_STACKED, least(MOST_TILE_ROWS, 2 * TILE_BYTES / bytes / 64 * 64));
}

// The coefficients of one output about zero, (n_coefs + 1,): the last is that of "no level", which is zero.
INLINE void about_zero(const Rows& rows, const double* coef, const double* centre, double* found) {
    std::memcpy(found, coef, rows.n_coefs * 8);
    found[rows.n_coefs] = 0.0;
    found[0] -= dot(centre, coef + 1, rows.n_x);
}

// Add to z what terms other than numeric ones have of the predictor.
INLINE void add_others(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    if (rows.n_lines > 0) add_sparse(rows, first, k, coef + 1 + rows.n_x, z);
    add_codes(rows, first, k, coef, z);
    add_marks(rows, first, k, coef, z);
}

// z[i] = the linear predictor of row first + i of k; z has room for whole groups of 64. `coef` about zero.
INLINE void fill_predictor(const Rows& rows, int64_t first, int64_t k, const double* coef, double* z) {
    for (int64_t i = 0; i < k; i += LANES) store(z + i, spread(coef[0]));
    add_numeric(rows, first, k, coef + 1, z);
    add_others(rows, first, k, coef, z);
}

// The gradient of a block as its tiles add to it, numeric terms about zero, in memory of `size(rows)` zeros.
struct Gradient {
    double *lanes, *others;  // of the intercept and the numeric columns; (n_coefs + 1,) of the terms after them
    Gradient(const Rows& rows, double* memory) : lanes(memory), others(memory + LANES + gradient_lanes(rows)) {}
    static int64_t size(const Rows& rows) { return LANES + gradient_lanes(rows) + rows.n_coefs + 1; }
};

// Add d[i] v[j, first + i] of every term but the numeric columns; d is 0 beyond k, up to whole lanes.
INLINE void gradient_others(const Rows& rows, int64_t first, int64_t k, const double* d, const Gradient& gradient) {
    V sum = load(gradient.lanes);
    for (int64_t i = 0; i < k; i += LANES) sum = sum + load(d + i);
    store(gradient.lanes, sum);
    if (rows.n_lines > 0) gradient_sparse(rows, first, k, d, gradient.others + 1 + rows.n_x);
    gradient_codes(rows, first, k, d, gradient.others);
    gradient_marks(rows, first, k, d, gradient.others);
}

// The same of every term.
INLINE void add_gradient(const Rows& rows, int64_t first, int64_t k, const double* d, const Gradient& gradient) {
    gradient_numeric(rows, first, k, d, gradient.lanes + LANES);
    gradient_others(rows, first, k, d, gradient);
}

// found (n_coefs,) = the gradient about the centre.
INLINE void finish_gradient(const Rows& rows, const Gradient& gradient, const double* centre, double* found) {
    std::memcpy(found, gradient.others, rows.n_coefs * 8);
    found[0] = total(load(gradient.lanes));
    sum_lanes(rows, gradient.lanes + LANES, found + 1);
    for (int64_t j = 0; j < rows.n_x; j++) found[1 + j] = fma(-centre[j], found[0], found[1 + j]);
}

// Add sums of h = curvature[i] v[j, i]^2, and of its square, to (n_coefs + 1,) each, given the tile's stacked numeric
// columns about their centre; the curvature is scratch.
INLINE void add_diagonal(const Rows& rows, int64_t first, int64_t k, const double* v, double* curvature, double* diagonal, double* squares) {
    const int64_t ld = (k + LANES - 1) / LANES * LANES;
    for (int64_t j = -1; j < rows.n_x; j++) {
        V sum = spread(0.0), sum_of_squares = sum;
        for (int64_t i = 0; i < k; i += LANES) {
            const V u = j < 0 ? spread(1.0) : load(v + j * ld + i);
            const V h = load(curvature + i) * u * u;
            sum = sum + h;
            sum_of_squares = fma(h, h, sum_of_squares);
        }
        diagonal[1 + j] += total(sum);
        squares[1 + j] += total(sum_of_squares);
    }
    if (rows.n_lines > 0) diagonal_sparse(rows, first, k, curvature, diagonal + 1 + rows.n_x, squares + 1 + rows.n_x);
    gradient_codes(rows, first, k, curvature, diagonal);
    gradient_marks(rows, first, k, curvature, diagonal);
    for (int64_t i = 0; i < k; i += LANES) store(curvature + i, load(curvature + i) * load(curvature + i));
    gradient_codes(rows, first, k, curvature, squares);
    gradient_marks(rows, first, k, curvature, squares);
}

}  // namespace LEVEL
