// The fused sweep of one output: one block in, its sums out, tile by tile.
//
// While a tile's rows are in cache they give the predictor, the loss and its derivatives, the gradient and, when asked,
// the Hessian: memory is read once.
#pragma once
#include "logistic.hpp"
#include "tiles.hpp"

namespace LEVEL {

// gradient about zero (n_coefs + 1,) into one about the centre (n_coefs,)
INLINE void about_centre(const Rows& rows, const double* gradient, const double* centre, double* found) {
    for (int64_t j = 0; j < rows.n_coefs; j++) found[j] = gradient[j];
    for (int64_t j = 0; j < rows.n_x; j++) found[1 + j] = fma(-centre[j], gradient[0], gradient[1 + j]);
}

// The fused rung of the ladder, and the statistic of nearly every pass. With z = coef . x and a = sigmoid(z):
//     loss        = sum_i weight[i] log_loss(z[i], y[i])
//     gradient[j] = sum_i weight[i] (a[i] - y[i]) v[j, i]
//     hessian     = sum_i weight[i] a[i] (1 - a[i]) v[j, i] v[l, i]      (upper triangle)
static double sums_of_one(const Rows& rows, const Coefs& at, int order, double* gradient, double* hessian) {
    const int64_t tile = tile_rows(rows), n = rows.n_coefs + 1;
    Scratch coef(n), sum(n), z(tile), residual(tile), e(tile);
    about_zero(rows, at.coef, at.centre, coef);
    for (int64_t j = 0; j < n; j++) sum[j] = 0.0;
    double loss = 0.0;
    for (int64_t first = 0; first < rows.n_rows; first += tile) {
        const int64_t k = least(tile, rows.n_rows - first);
        const double* weight = rows.weight ? rows.weight + first : nullptr;
        fill_predictor(rows, first, k, coef, z);                                    // Z = w.T X + b
        loss += loss_and_residual(z, rows.y + first, weight, k, residual, e);       // dZ = A - Y
        if (order >= 1) add_gradient(rows, first, k, residual, sum);                // dw = X dZ.T, db = sum(dZ)
        if (order == 2) {
            curvature_of(e, weight, k);
            add_hessian(rows, first, k, at.centre, e, hessian);
        }
    }
    if (order >= 1) about_centre(rows, sum, at.centre, gradient);
    if (order == 2) finish_hessian(rows, hessian);
    return loss;
}

// Loss and gradient of several fits over the same rows, each as `sums_of_one` has it, in one sweep.
static void sums_together(const Rows& rows, const Coefs& at, const float* y, const double* weight, double* losses, double* gradients) {
    const int64_t tile = tile_rows(rows), n = rows.n_coefs + 1, fits = at.n_outputs;
    Scratch coefs(fits * n), sums(fits * n), z(tile), residual(tile), e(tile);
    for (int64_t j = 0; j < fits * n; j++) sums[j] = 0.0;
    for (int64_t f = 0; f < fits; f++) about_zero(rows, at.coef + f * rows.n_coefs, at.centre, coefs + f * n);
    for (int64_t first = 0; first < rows.n_rows; first += tile) {
        const int64_t k = least(tile, rows.n_rows - first);
        for (int64_t f = 0; f < fits; f++) {
            const int64_t from = f * rows.n_rows + first;
            fill_predictor(rows, first, k, coefs + f * n, z);
            losses[f] += loss_and_residual(z, y + from, weight ? weight + from : nullptr, k, residual, e);
            add_gradient(rows, first, k, residual, sums + f * n);
        }
    }
    for (int64_t f = 0; f < fits; f++) about_centre(rows, sums + f * n, at.centre, gradients + f * rows.n_coefs);
}

// The Hessian's diagonal, and the sum of its rows' squares, for the price of a gradient.
static void diagonal_of_one(const Rows& rows, const Coefs& at, double* diagonal, double* squares) {
    const int64_t tile = tile_rows(rows), n = rows.n_coefs + 1;
    Scratch coef(n), z(tile), both(2 * n), v(tile * most<int64_t>(rows.n_x, 1));
    about_zero(rows, at.coef, at.centre, coef);
    for (int64_t j = 0; j < 2 * n; j++) both[j] = 0.0;
    for (int64_t first = 0; first < rows.n_rows; first += tile) {
        const int64_t k = least(tile, rows.n_rows - first);
        fill_predictor(rows, first, k, coef, z);
        curvature_at(z, rows.weight ? rows.weight + first : nullptr, k);
        add_diagonal(rows, first, k, at.centre, z, v, both, both + n);
    }
    std::memcpy(diagonal, both, rows.n_coefs * 8);
    std::memcpy(squares, both + n, rows.n_coefs * 8);
}

// The Hessian times `direction`, for the price of a gradient.
static void multiply_one(const Rows& rows, const Coefs& at, const double* direction, double* product) {
    const int64_t tile = tile_rows(rows), n = rows.n_coefs + 1;
    Scratch coef(n), along(n), sum(n), curvature(tile), d(tile);
    about_zero(rows, at.coef, at.centre, coef);
    about_zero(rows, direction, at.centre, along);
    for (int64_t j = 0; j < n; j++) sum[j] = 0.0;
    for (int64_t first = 0; first < rows.n_rows; first += tile) {
        const int64_t k = least(tile, rows.n_rows - first);
        fill_predictor(rows, first, k, coef, curvature);
        curvature_at(curvature, rows.weight ? rows.weight + first : nullptr, k);
        fill_predictor(rows, first, k, along, d);
        for (int64_t i = 0; i < k; i += LANES) store(d + i, load(d + i) * load(curvature + i));
        add_gradient(rows, first, k, d, sum);
    }
    about_centre(rows, sum, at.centre, product);
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
