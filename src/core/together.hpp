// Several fits over the same rows: their predictors and gradients are products of matrices.
#pragma once
#include "outputs.hpp"
#include "sweep.hpp"

namespace LEVEL {

// Loss and gradient of each fit in one sweep, to the bits of `sums_of_one`: the products take each sum in its order.
static void sums_together(const Rows& rows, const Coefs& at, const float* y, const double* weight, double* losses, double* gradients) {
    if (at.n_outputs == 1) {
        Rows alone = rows;
        alone.y = y;
        alone.weight = weight;
        losses[0] = sums_of_one(alone, at, 1, gradients, nullptr);
        return;
    }
    Rows stacked = rows;  // as the products find its numeric columns
    stacked.by_row = false;
    const int64_t n_tile = output_rows(rows), ld = output_ld(n_tile), n = rows.n_coefs + 1, fits = at.n_outputs, size = Gradient::size(stacked);
    Scratch coefs(fits * n), packed(fits * rows.n_x), memory(fits * size), lanes(fits * LANES), z(fits * ld), e(n_tile), x(rows.n_x * ld);
    memory.clear(fits * size);
    lanes.clear(fits * LANES);
    for (int64_t f = 0; f < fits; f++) about_zero(rows, at.coef + f * rows.n_coefs, at.centre, coefs + f * n);
    pack_groups(at.coef + 1, rows.n_coefs, fits, rows.n_x, packed);
    Stacked tile(rows, n_tile, fits, x);
    for (int64_t first = 0; first < rows.n_rows; first += n_tile) {
        const int64_t k = least(n_tile, rows.n_rows - first);
        tile.take(first, k);
        for (int64_t f = 0; f < fits; f++)
            for (int64_t i = 0; i < k; i += LANES) store(z + f * ld + i, spread(coefs[f * n]));
        tile.with([&](auto values, int64_t ld_x) { multiply_outputs(packed.p, fits, values, ld_x, tile.lanes(), rows.n_x, z.p, ld); });
        for (int64_t f = 0; f < fits; f++) {
            const int64_t from = f * rows.n_rows + first;
            double* of_fit = z + f * ld;
            add_others(rows, first, k, coefs + f * n, of_fit);
            store(lanes + f * LANES, loss_and_residual(of_fit, y + from, weight ? weight + from : nullptr, k, of_fit, e, load(lanes + f * LANES)));
            gradient_others(rows, first, k, of_fit, Gradient(stacked, memory + f * size));
        }
        tile.with([&](auto values, int64_t ld_x) {
            keep_rows_by_rows(z.p, ld, fits, values, ld_x, rows.n_x, tile.lanes(), tile.next(), Gradient(stacked, memory).lanes + LANES, size);
        });
    }
    for (int64_t f = 0; f < fits; f++) {
        losses[f] = total(load(lanes + f * LANES));
        finish_gradient(stacked, Gradient(stacked, memory + f * size), at.centre, gradients + f * rows.n_coefs);
    }
}

}  // namespace LEVEL
