// The sweep of several outputs: a row of coefficients for each class, and softmax for the loss.
//
// With z[k, i] the predictor of class k and p = softmax(z):
//     loss             = sum_i weight[i] (log(sum_k exp(z[k, i])) - z[y[i], i])
//     gradient[k, j]   = sum_i weight[i] (p[k, i] - [y[i] = k]) v[j, i]
//     hessian[kj, lm]  = sum_i weight[i] p[k, i] ([k = l] - p[l, i]) v[j, i] v[m, i]      (upper triangle)
#pragma once
#include "logistic.hpp"
#include "tiles.hpp"

namespace LEVEL {

// A tile's values for K outputs are (K, ld) each, its numeric columns stacked and, for the gradient, row by row.
struct OutputTiles {
    int64_t rows;
    explicit OutputTiles(const Rows& block, int64_t n_outputs) : rows(64) {
        rows = most<int64_t>(64, least(MOST_TILE_ROWS, TILE_BYTES / 8 / (block.n_x + n_outputs) / 64 * 64));
        if (block.n_lines > 0 && !block.lines_are_rows) rows = most<int64_t>((block.n_rows + 63) / 64 * 64, 64);
    }
};

// Coefficients of several outputs about zero: of the numeric columns (n_x, K), of all terms (n_coefs + 1, K).
struct OutputCoefs {
    double *numeric, *all;
    OutputCoefs(const Rows& rows, const Coefs& at, double* memory) : numeric(memory), all(memory + rows.n_x * at.n_outputs) {
        const int64_t n = rows.n_coefs, K = at.n_outputs;
        for (int64_t o = 0; o < K; o++) {
            for (int64_t j = 0; j < rows.n_x; j++) numeric[j * K + o] = at.coef[o * n + 1 + j];
            for (int64_t j = 0; j < n; j++) all[j * K + o] = at.coef[o * n + j];
            all[n * K + o] = 0.0;
            all[o] -= dot(at.centre, at.coef + o * n + 1, rows.n_x);
        }
    }
    static int64_t size(const Rows& rows, int64_t n_outputs) { return (rows.n_x + rows.n_coefs + 1) * n_outputs; }
};

// The numeric columns of a tile, stacked (n_x, ld), zeros beyond k.
INLINE void fill_stacked(const Rows& rows, int64_t first, int64_t k, double* x_stacked, int64_t ld) {
    with_numeric(rows, first, [&](auto x) {
        for (int64_t i = 0; i < ld; i += LANES) {
            if (!rows.by_row) {
                for (int64_t j = 0; j < rows.n_x; j++)
                    store(x_stacked + j * ld + i, i < k ? load_some(x + j * rows.ld + i, k - i) : spread(0.0));
                continue;
            }
            for (int64_t j = 0; j < rows.n_x; j += LANES) {
                const int64_t n = least(rows.n_x - j, LANES);
                V square[LANES];
                for (int64_t r = 0; r < LANES; r++) square[r] = i + r < k ? load_some(x + (i + r) * rows.ld + j, n) : spread(0.0);
                transpose_lanes(square);
                for (int64_t c = 0; c < n; c++) store(x_stacked + (j + c) * ld + i, square[c]);
            }
        }
    });
}

// Rows (k, n) of what is stacked (n, ld), each of ld_row values, zeros beyond n.
INLINE void fill_rows(const double* stacked, int64_t n, int64_t ld, int64_t k, double* by_row, int64_t ld_row) {
    for (int64_t i = 0; i < k; i += LANES)
        for (int64_t j = 0; j < ld_row; j += LANES) {
            V square[LANES];
            for (int64_t c = 0; c < LANES; c++) square[c] = j + c < n ? load(stacked + (j + c) * ld + i) : spread(0.0);
            transpose_lanes(square);
            for (int64_t r = 0; r < least(k - i, LANES); r++) store(by_row + (i + r) * ld_row + j, square[r]);
        }
}

// z[o, i] = the predictor of output o and row first + i, from the tile's stacked numeric columns.
INLINE void fill_outputs(const Rows& rows, int64_t first, int64_t k, const double* x_stacked, const OutputCoefs& coefs, int64_t n_outputs, double* z, int64_t ld) {
    for (int64_t o = 0; o < n_outputs; o++)
        for (int64_t i = 0; i < ld; i += LANES) store(z + o * ld + i, spread(coefs.all[o]));
    add_product(coefs.numeric, n_outputs, n_outputs, x_stacked, ld, ld, rows.n_x, z, ld, false);
    if (rows.n_lines > 0) add_sparse_outputs(rows, first, k, coefs.all + (1 + rows.n_x) * n_outputs, n_outputs, z, ld);
    add_codes_outputs(rows, first, k, coefs.all, n_outputs, z, ld);
}

// The gradient of several outputs as tiles add to it, about zero: of numeric columns (K, n_x), of all terms (n_coefs + 1, K).
struct OutputGradient {
    double *numeric, *all;
    OutputGradient(const Rows& rows, int64_t n_outputs, double* memory) : numeric(memory), all(memory + rows.n_x * n_outputs) {}
};

// Add d[o, i] v[j, first + i] of every term j; scratch: the tile's rows and d row by row.
INLINE void add_gradients(const Rows& rows, int64_t first, int64_t k, const double* x_stacked, const double* d, int64_t ld, int64_t n_outputs, double* scratch, const OutputGradient& gradient) {
    for (int64_t o = 0; o < n_outputs; o++) {
        V sum = spread(0.0);
        for (int64_t i = 0; i < k; i += LANES) sum = sum + load(d + o * ld + i);
        gradient.all[o] += total(sum);
    }
    if (rows.n_x > 0) {
        const int64_t ld_x = (rows.n_x + LANES - 1) / LANES * LANES, ld_d = (n_outputs + LANES - 1) / LANES * LANES;
        double *x_rows = scratch, *d_rows = scratch + ld * ld_x;
        fill_rows(x_stacked, rows.n_x, ld, k, x_rows, ld_x);
        fill_rows(d, n_outputs, ld, k, d_rows, ld_d);
        add_product(d_rows, ld_d, n_outputs, x_rows, ld_x, rows.n_x, k, gradient.numeric, rows.n_x, false);
    }
    if (rows.n_lines > 0) gradient_sparse_outputs(rows, first, k, d, ld, n_outputs, gradient.all + (1 + rows.n_x) * n_outputs);
    gradient_codes_outputs(rows, first, k, d, ld, n_outputs, gradient.all);
}
INLINE int64_t gradients_scratch(const Rows& rows, int64_t ld, int64_t n_outputs) {
    return ld * ((rows.n_x + LANES - 1) / LANES + (n_outputs + LANES - 1) / LANES) * LANES;
}

// found (K, n_coefs) = the gradient about the centre.
INLINE void finish_gradients(const Rows& rows, const OutputGradient& gradient, const Coefs& at, double* found) {
    const int64_t n = rows.n_coefs, K = at.n_outputs;
    for (int64_t o = 0; o < K; o++) {
        for (int64_t j = 0; j < n; j++) found[o * n + j] = gradient.all[j * K + o];
        for (int64_t j = 0; j < rows.n_x; j++)
            found[o * n + 1 + j] = fma(-at.centre[j], gradient.all[o], gradient.numeric[o * rows.n_x + j]);
    }
}

// Eight rows' softmax: z[k, .] becomes p[k, .]; returned is the sum of exp(z - largest) but for the largest class's 1.
INLINE V softmax_of_8(double* z, int64_t ld, int64_t n_outputs, V& largest) {
    largest = load(z);
    for (int64_t o = 1; o < n_outputs; o++) largest = larger(load(z + o * ld), largest);
    V others = spread(-1.0);
    for (int64_t o = 0; o < n_outputs; o++) {
        const V e = exp_nonpositive(load(z + o * ld) - largest);
        store(z + o * ld, e);
        others = others + e;
    }
    const V all = spread(1.0) + others;
    for (int64_t o = 0; o < n_outputs; o++) store(z + o * ld, load(z + o * ld) / all);
    return others;
}

INLINE V weights_of(const double* weight, int64_t i, int64_t k) { return weight ? load_some(weight + i, k - i) : load_some(ONES, k - i); }

// Add the loss of k rows to `loss`; z becomes its derivative weight (p - [y = k]), 0 beyond k; p is kept in `share`
// unless that is null.
INLINE V losses_and_residuals(double* z, int64_t ld, int64_t n_outputs, const float* y, const double* weight, int64_t k, double* share, V loss) {
    for (int64_t i = 0; i < k; i += LANES) {
        double right[LANES] = {};
        const int64_t count = least(k - i, LANES);
        for (int64_t l = 0; l < count; l++) right[l] = z[(int64_t)y[i + l] * ld + i + l];
        V largest;
        const V others = softmax_of_8(z + i, ld, n_outputs, largest), w = weights_of(weight, i, k);
        const V of_row = log1p_nonnegative(larger(others, spread(0.0))) - (load_some(right, count) - largest);
        loss = loss + w * (count == LANES ? of_row : of_row * load_some(ONES, count));
        if (share)
            for (int64_t o = 0; o < n_outputs; o++) store(share + o * ld + i, load(z + o * ld + i));
        for (int64_t l = 0; l < count; l++) z[(int64_t)y[i + l] * ld + i + l] -= 1.0;
        if (weight || count < LANES)
            for (int64_t o = 0; o < n_outputs; o++) store(z + o * ld + i, w * load(z + o * ld + i));
    }
    return loss;
}

// The upper triangle over (class, coefficient) of the pairs' upper triangles, k <= l one after the other.
INLINE void join_hessians(const Rows& rows, int64_t n_outputs, double* pairs, double* hessian) {
    const int64_t n = rows.n_coefs, size = n * n_outputs;
    for (int64_t k = 0; k < n_outputs; k++)
        for (int64_t l = k; l < n_outputs; l++, pairs += n * n) {
            finish_hessian(rows, pairs);
            for (int64_t a = 0; a < n; a++)
                for (int64_t b = 0; b < n; b++) hessian[(k * n + a) * size + l * n + b] = pairs[least(a, b) * n + most(a, b)];
        }
}

static double sums_of_several(const Rows& rows, const Coefs& at, int order, double* gradient, double* hessian) {
    const int64_t K = at.n_outputs, n = rows.n_coefs, ld = OutputTiles(rows, K).rows, size = OutputCoefs::size(rows, K);
    Scratch of_coefs(size), of_gradient(size), x(most<int64_t>(rows.n_x, 1) * ld), z(K * ld), scratch(gradients_scratch(rows, ld, K));
    Scratch share(order == 2 ? K * ld : 0), terms(order == 2 ? hessian_scratch(rows, ld) : 0), curvature(ld);
    Scratch pairs(order == 2 ? K * (K + 1) / 2 * n * n : 0);
    of_gradient.clear(size);
    if (order == 2) pairs.clear(K * (K + 1) / 2 * n * n);
    const OutputCoefs coefs(rows, at, of_coefs);
    const OutputGradient sum(rows, K, of_gradient);
    V loss = spread(0.0);
    for (int64_t first = 0; first < rows.n_rows; first += ld) {
        const int64_t k = least(ld, rows.n_rows - first);
        const double* weight = rows.weight ? rows.weight + first : nullptr;
        fill_stacked(rows, first, k, x, ld);
        fill_outputs(rows, first, k, x, coefs, K, z, ld);
        loss = losses_and_residuals(z, ld, K, rows.y + first, weight, k, order == 2 ? share.p : nullptr, loss);
        if (order >= 1) add_gradients(rows, first, k, x, z, ld, K, scratch, sum);
        if (order < 2) continue;
        const int64_t ld_terms = terms_ld(rows);
        fill_terms(rows, first, k, at.centre, terms, ld_terms);
        double* pair = pairs;
        for (int64_t a = 0; a < K; a++)
            for (int64_t b = a; b < K; b++, pair += n * n) {
                for (int64_t i = 0; i < k; i += LANES) {
                    const V other = (a == b ? spread(1.0) : spread(0.0)) - load(share + b * ld + i);
                    store(curvature + i, weights_of(weight, i, k) * (load(share + a * ld + i) * other));
                }
                add_curved(rows, first, k, terms, curvature, terms + k * ld_terms, pair);
            }
    }
    if (order >= 1) finish_gradients(rows, sum, at, gradient);
    if (order == 2) join_hessians(rows, K, pairs, hessian);
    return total(loss);
}

// A stand-in for each class's part of the Hessian: sum_i weight[i] mean_k p (1 - p) v v', and what a pair of classes has
// for that mean: pairs[k, l] = sum_i weight[i] p[k, i] ([k = l] - p[l, i]).
static void shared_hessian(const Rows& rows, const Coefs& at, double* pairs, double* hessian) {
    const int64_t K = at.n_outputs, ld = OutputTiles(rows, K).rows, size = OutputCoefs::size(rows, K);
    Scratch of_coefs(size), x(most<int64_t>(rows.n_x, 1) * ld), z(K * ld), mean(ld), terms(hessian_scratch(rows, ld));
    const OutputCoefs coefs(rows, at, of_coefs);
    for (int64_t first = 0; first < rows.n_rows; first += ld) {
        const int64_t k = least(ld, rows.n_rows - first);
        fill_stacked(rows, first, k, x, ld);
        fill_outputs(rows, first, k, x, coefs, K, z, ld);
        for (int64_t i = 0; i < k; i += LANES) {
            V largest, sum = spread(0.0);
            softmax_of_8(z + i, ld, K, largest);
            const V w = weights_of(rows.weight ? rows.weight + first : nullptr, i, k);
            for (int64_t o = 0; o < K; o++) {
                const V p = load(z + o * ld + i);
                sum = sum + w * p * (spread(1.0) - p) / spread((double)K);
            }
            store(mean + i, sum);
        }
        for (int64_t a = 0; a < K; a++)
            for (int64_t b = 0; b < K; b++) {
                V sum = spread(0.0);
                for (int64_t i = 0; i < k; i += LANES) {
                    const V w = weights_of(rows.weight ? rows.weight + first : nullptr, i, k);
                    const V other = (a == b ? spread(1.0) : spread(0.0)) - load(z + b * ld + i);
                    sum = fma(w * load(z + a * ld + i), other, sum);
                }
                pairs[a * K + b] += total(sum);
            }
        add_hessian(rows, first, k, at.centre, mean, terms, hessian);
    }
    finish_hessian(rows, hessian);
}

static void diagonal_of_several(const Rows& rows, const Coefs& at, double* diagonal, double* squares) {
    const int64_t K = at.n_outputs, n = rows.n_coefs + 1, ld = OutputTiles(rows, K).rows, size = OutputCoefs::size(rows, K);
    Scratch of_coefs(size), x(most<int64_t>(rows.n_x, 1) * ld), z(K * ld), both(2 * K * n);
    both.clear(2 * K * n);
    const OutputCoefs coefs(rows, at, of_coefs);
    for (int64_t first = 0; first < rows.n_rows; first += ld) {
        const int64_t k = least(ld, rows.n_rows - first);
        fill_stacked(rows, first, k, x, ld);
        fill_outputs(rows, first, k, x, coefs, K, z, ld);
        for (int64_t i = 0; i < k; i += LANES) {
            V largest;
            softmax_of_8(z + i, ld, K, largest);
            const V w = weights_of(rows.weight ? rows.weight + first : nullptr, i, k);
            for (int64_t o = 0; o < K; o++) {
                const V p = load(z + o * ld + i);
                store(z + o * ld + i, w * (p * (spread(1.0) - p)));
            }
        }
        shifted_numeric(rows, first, k, at.centre, x, (k + LANES - 1) / LANES * LANES);
        for (int64_t o = 0; o < K; o++) add_diagonal(rows, first, k, x, z + o * ld, both + o * n, both + (K + o) * n);
    }
    for (int64_t o = 0; o < K; o++) {
        std::memcpy(diagonal + o * rows.n_coefs, both + o * n, rows.n_coefs * 8);
        std::memcpy(squares + o * rows.n_coefs, both + (K + o) * n, rows.n_coefs * 8);
    }
}

// The Hessian times `direction`: with u its predictor, weight p (u - sum_l p u) takes the residual's place.
static void multiply_several(const Rows& rows, const Coefs& at, const double* direction, double* product) {
    const int64_t K = at.n_outputs, ld = OutputTiles(rows, K).rows, size = OutputCoefs::size(rows, K);
    Scratch of_coefs(size), of_direction(size), of_product(size), x(most<int64_t>(rows.n_x, 1) * ld), z(K * ld), u(K * ld);
    Scratch scratch(gradients_scratch(rows, ld, K));
    of_product.clear(size);
    const OutputCoefs coefs(rows, at, of_coefs), along(rows, {direction, at.centre, K}, of_direction);
    const OutputGradient sum(rows, K, of_product);
    for (int64_t first = 0; first < rows.n_rows; first += ld) {
        const int64_t k = least(ld, rows.n_rows - first);
        fill_stacked(rows, first, k, x, ld);
        fill_outputs(rows, first, k, x, coefs, K, z, ld);
        fill_outputs(rows, first, k, x, along, K, u, ld);
        for (int64_t i = 0; i < k; i += LANES) {
            V largest, mean = spread(0.0);
            softmax_of_8(z + i, ld, K, largest);
            const V w = weights_of(rows.weight ? rows.weight + first : nullptr, i, k);
            for (int64_t o = 0; o < K; o++) mean = fma(load(z + o * ld + i), load(u + o * ld + i), mean);
            for (int64_t o = 0; o < K; o++)
                store(u + o * ld + i, w * (load(z + o * ld + i) * (load(u + o * ld + i) - mean)));
        }
        add_gradients(rows, first, k, x, u, ld, K, scratch, sum);
    }
    finish_gradients(rows, sum, at, product);
}

static void predictor_of_several(const Rows& rows, const Coefs& at, double* found) {
    const int64_t K = at.n_outputs, ld = OutputTiles(rows, K).rows;
    Scratch of_coefs(OutputCoefs::size(rows, K)), x(most<int64_t>(rows.n_x, 1) * ld), z(K * ld);
    const OutputCoefs coefs(rows, at, of_coefs);
    for (int64_t first = 0; first < rows.n_rows; first += ld) {
        const int64_t k = least(ld, rows.n_rows - first);
        fill_stacked(rows, first, k, x, ld);
        fill_outputs(rows, first, k, x, coefs, K, z, ld);
        for (int64_t o = 0; o < K; o++) std::memcpy(found + o * rows.n_rows + first, z + o * ld, k * 8);
    }
}

// p[k, i] = exp(z[k, i]) / sum_l exp(z[l, i]), (n_outputs, n_rows) each.
static void softmax(const double* z, int64_t n_outputs, int64_t n_rows, double* p) {
    Scratch part(n_outputs * LANES);
    for (int64_t i = 0; i < n_rows; i += LANES) {
        const int64_t count = least(n_rows - i, LANES);
        V largest;
        for (int64_t o = 0; o < n_outputs; o++) store(part + o * LANES, load_some(z + o * n_rows + i, count));
        softmax_of_8(part, LANES, n_outputs, largest);
        for (int64_t o = 0; o < n_outputs; o++) store_some(p + o * n_rows + i, count, load(part + o * LANES));
    }
}

}  // namespace LEVEL
