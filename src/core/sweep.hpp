// The fused sweep of one output: one block in, its sums out, tile by tile.
//
// While a tile's rows are in cache they give the predictor, the loss and its derivatives, the gradient and, when asked,
// the Hessian: memory is read once.
#pragma once
#include "logistic.hpp"
#include "tiles.hpp"

namespace LEVEL {

// The fused rung of the ladder, and the statistic of nearly every pass. With z = coef . x and a = sigmoid(z):
//     loss        = sum_i weight[i] log_loss(z[i], y[i])
//     gradient[j] = sum_i weight[i] (a[i] - y[i]) v[j, i]
//     hessian     = sum_i weight[i] a[i] (1 - a[i]) v[j, i] v[l, i]      (upper triangle)
static double sums_of_one(const Rows& rows, const Coefs& at, int order, double* gradient, double* hessian) {
    const int64_t tile = tile_rows(rows, order);
    Scratch coef(rows.n_coefs + 1), memory(Gradient::size(rows)), z(tile), residual(tile), e(tile);
    Scratch of_terms(order == 2 ? Terms::size(rows, tile) : 0);
    const Terms terms(rows, tile, of_terms);
    memory.clear(Gradient::size(rows));
    const Gradient sum(rows, memory);
    about_zero(rows, at.coef, at.centre, coef);
    V loss = spread(0.0);
    for (int64_t first = 0; first < rows.n_rows; first += tile) {
        const int64_t k = least(tile, rows.n_rows - first);
        const double* weight = rows.weight ? rows.weight + first : nullptr;
        fill_predictor(rows, first, k, coef, z);                                    // Z = w.T X + b
        loss = loss_and_residual(z, rows.y + first, weight, k, residual, e, loss);  // dZ = A - Y
        if (order >= 1) add_gradient(rows, first, k, residual, sum);                // dw = X dZ.T, db = sum(dZ)
        if (order == 2) {
            curvature_of(e, weight, k);
            terms.fill(rows, first, k, at.centre);
            add_hessian(rows, first, k, terms, e, hessian);
        }
    }
    if (order >= 1) finish_gradient(rows, sum, at.centre, gradient);
    if (order == 2) finish_hessian(rows, hessian);
    return total(loss);
}

// The Hessian's diagonal, and the sum of its rows' squares, for the price of a gradient.
static void diagonal_of_one(const Rows& rows, const Coefs& at, double* diagonal, double* squares) {
    const int64_t tile = tile_rows(rows, 2), n = rows.n_coefs + 1;
    Scratch coef(n), z(tile), both(2 * n), v(tile * most<int64_t>(rows.n_x, 1));
    about_zero(rows, at.coef, at.centre, coef);
    both.clear(2 * n);
    for (int64_t first = 0; first < rows.n_rows; first += tile) {
        const int64_t k = least(tile, rows.n_rows - first);
        fill_predictor(rows, first, k, coef, z);
        curvature_at(z, rows.weight ? rows.weight + first : nullptr, k);
        shifted_numeric(rows, first, k, at.centre, v, (k + LANES - 1) / LANES * LANES);
        add_diagonal(rows, first, k, v, z, both, both + n);
    }
    std::memcpy(diagonal, both, rows.n_coefs * 8);
    std::memcpy(squares, both + n, rows.n_coefs * 8);
}

// The Hessian times `direction`, for the price of a gradient.
static void multiply_one(const Rows& rows, const Coefs& at, const double* direction, double* product) {
    const int64_t tile = tile_rows(rows), n = rows.n_coefs + 1;
    Scratch coef(n), along(n), memory(Gradient::size(rows)), curvature(tile), d(tile);
    memory.clear(Gradient::size(rows));
    const Gradient sum(rows, memory);
    about_zero(rows, at.coef, at.centre, coef);
    about_zero(rows, direction, at.centre, along);
    for (int64_t first = 0; first < rows.n_rows; first += tile) {
        const int64_t k = least(tile, rows.n_rows - first);
        fill_predictor(rows, first, k, coef, curvature);
        curvature_at(curvature, rows.weight ? rows.weight + first : nullptr, k);
        fill_predictor(rows, first, k, along, d);
        for (int64_t i = 0; i < k; i += LANES) store(d + i, load(d + i) * load(curvature + i));
        add_gradient(rows, first, k, d, sum);
    }
    finish_gradient(rows, sum, at.centre, product);
}

static void predictor_of_one(const Rows& rows, const Coefs& at, double* z) {
    const int64_t tile = tile_rows(rows);
    Scratch coef(rows.n_coefs + 1), part(tile);
    about_zero(rows, at.coef, at.centre, coef);
    for (int64_t first = 0; first < rows.n_rows; first += tile) {
        const int64_t k = least(tile, rows.n_rows - first);
        fill_predictor(rows, first, k, coef, part);
        std::memcpy(z + first, part, k * 8);
    }
}

}  // namespace LEVEL
