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

// Rows of a tile, all of them where sparse columns are lines: enough that a gradient's sums of lanes cost little, few
// enough for the second-level cache. Values of K outputs are (K, ld) each, ld odd in cache lines: a power of two of them
// would put columns into each other's places in the cache.
constexpr int64_t OUTPUT_ROWS = 384;
constexpr int64_t MOST_FETCHED = 160;  // columns of which two tiles lie in the second-level cache
INLINE int64_t output_ld(int64_t tile) { return tile + LANES; }
INLINE int64_t output_rows(const Rows& rows) {
    if (rows.n_lines > 0 && !rows.lines_are_rows) return most<int64_t>((rows.n_rows + 63) / 64 * 64, 64);
    return OUTPUT_ROWS;
}

// Coefficients of several outputs about zero: of the numeric columns, packed, and of all terms (n_coefs + 1, K).
struct OutputCoefs {
    double *numeric, *all;
    OutputCoefs(const Rows& rows, const Coefs& at, double* memory) : numeric(memory), all(memory + rows.n_x * at.n_outputs) {
        const int64_t n = rows.n_coefs, K = at.n_outputs;
        pack_groups(at.coef + 1, n, K, rows.n_x, numeric);
        for (int64_t o = 0; o < K; o++) {
            for (int64_t j = 0; j < n; j++) all[j * K + o] = at.coef[o * n + j];
            all[n * K + o] = 0.0;
            all[o] -= dot(at.centre, at.coef + o * n + 1, rows.n_x);
        }
    }
    static int64_t size(const Rows& rows, int64_t n_outputs) { return (rows.n_x + rows.n_coefs + 1) * n_outputs; }
};

// The numeric columns of a tile, stacked: where they lie, or a copy in float64 (n_x, ld) with zeros beyond k up to whole
// lanes. Copied are row-major ones, rows that end within lanes, and what many outputs read again and again.
struct Stacked {
    const Rows& rows;
    double* copy;
    int64_t ld, n_outputs, first, k;

    Stacked(const Rows& block, int64_t tile, int64_t outputs, double* memory)
        : rows(block), copy(memory), ld(output_ld(tile)), n_outputs(outputs), first(0), k(0) {}
    bool copied() const { return rows.by_row || k % LANES || n_outputs > 16; }
    void take(int64_t from, int64_t count) {
        first = from;
        k = count;
        if (copied()) with_numeric(rows, first, [&](auto x) { fill(x); });
    }
    template <class T>
    void fill(const T* x) const {
        for (int64_t j = 0; !rows.by_row && j < rows.n_x; j++)
            for (int64_t i = 0; i < k; i += LANES) store(copy + j * ld + i, load_some(x + j * rows.ld + i, k - i));
        for (int64_t i = 0; rows.by_row && i < k; i += LANES)
            for (int64_t j = 0; j < rows.n_x; j += LANES) {
                const int64_t n = least(rows.n_x - j, LANES);
                V square[LANES];
                for (int64_t r = 0; r < LANES; r++) __builtin_prefetch(x + (i + LANES + r) * rows.ld + j);  // the next eight rows
                for (int64_t r = 0; r < LANES; r++) square[r] = i + r < k ? load_some(x + (i + r) * rows.ld + j, n) : spread(0.0);
                transpose_lanes(square);
                for (int64_t c = 0; c < n; c++) store(copy + (j + c) * ld + i, square[c]);
            }
    }
    template <class F>
    void with(F f) const {
        if (copied()) f(const_cast<const double*>(copy), ld);
        else with_numeric(rows, first, [&](auto x) { f(x, rows.ld); });
    }
    // Bytes from here to the next tile's values. They are fetched while this tile's are multiplied, in the order in which
    // they lie: of row-major ones, which are waited for otherwise, about as many lines as their copy has.
    int64_t next() const {
        const int64_t size = rows.single ? 4 : 8;
        if (!copied()) return k * size;
        if (!rows.by_row || rows.n_x > MOST_FETCHED) return 0;
        return (int64_t)((uintptr_t)rows.x + (uintptr_t)((first + k) * rows.ld * size) - (uintptr_t)copy);
    }
    int64_t lanes() const { return (k + LANES - 1) / LANES * LANES; }
};

// z[o, i] = the predictor of output o and the tile's row i.
static void fill_outputs(const Stacked& tile, const OutputCoefs& coefs, double* z) {
    const Rows& rows = tile.rows;
    const int64_t K = tile.n_outputs, ld = tile.ld;
    for (int64_t o = 0; o < K; o++)
        for (int64_t i = 0; i < tile.k; i += LANES) store(z + o * ld + i, spread(coefs.all[o]));
    tile.with([&](auto x, int64_t ld_x) { multiply_outputs(coefs.numeric, K, x, ld_x, tile.lanes(), rows.n_x, z, ld); });
    if (rows.n_lines > 0) add_sparse_outputs(rows, tile.first, tile.k, coefs.all + (1 + rows.n_x) * K, K, z, ld);
    add_codes_outputs(rows, tile.first, tile.k, coefs.all, K, z, ld);
}

// The gradient of several outputs as tiles add to it, about zero: of numeric columns (K, n_x), of all terms (n_coefs + 1, K).
struct OutputGradient {
    double *numeric, *all;
    OutputGradient(const Rows& rows, int64_t n_outputs, double* memory) : numeric(memory), all(memory + rows.n_x * n_outputs) {}
};

// Add d[o, i] v[j, first + i] of every term j; d is 0 beyond k, up to whole lanes.
static void add_gradients(const Stacked& tile, const double* d, const OutputGradient& gradient) {
    const Rows& rows = tile.rows;
    const int64_t K = tile.n_outputs, ld = tile.ld;
    for (int64_t o = 0; o < K; o++) {
        V sum = spread(0.0);
        for (int64_t i = 0; i < tile.k; i += LANES) sum = sum + load(d + o * ld + i);
        gradient.all[o] += total(sum);
    }
    tile.with([&](auto x, int64_t ld_x) { multiply_rows_by_rows(d, ld, K, x, ld_x, rows.n_x, tile.lanes(), tile.next(), gradient.numeric, rows.n_x); });
    if (rows.n_lines > 0) gradient_sparse_outputs(rows, tile.first, tile.k, d, ld, K, gradient.all + (1 + rows.n_x) * K);
    gradient_codes_outputs(rows, tile.first, tile.k, d, ld, K, gradient.all);
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

// exp(z - largest) of eight rows in the place of z; returned is their sum but for the largest class's 1.
INLINE V exps_of_8(double* z, int64_t ld, int64_t n_outputs, V& largest) {
    largest = load(z);
    for (int64_t o = 1; o < n_outputs; o++) largest = larger(load(z + o * ld), largest);
    V others = spread(-1.0);
    for (int64_t o = 0; o < n_outputs; o++) {
        const V e = exp_nonpositive(load(z + o * ld) - largest);
        store(z + o * ld, e);
        others = others + e;
    }
    return others;
}

// p[k, .] = softmax of eight rows, in the place of z.
INLINE void softmax_of_8(double* z, int64_t ld, int64_t n_outputs) {
    V largest;
    const V share = spread(1.0) / (spread(1.0) + exps_of_8(z, ld, n_outputs, largest));
    for (int64_t o = 0; o < n_outputs; o++) store(z + o * ld, load(z + o * ld) * share);
}

INLINE V weights_of(const double* weight, int64_t i, int64_t k) { return weight ? load_some(weight + i, k - i) : load_some(ONES, k - i); }

// Add the loss of k rows to `loss`; z becomes its derivative weight (p - [y = k]), 0 beyond k; p is kept in `share`
// unless that is null.
static V losses_and_residuals(double* z, int64_t ld, int64_t n_outputs, const float* y, const double* weight, int64_t k, double* share, V loss) {
    for (int64_t i = 0; i < k; i += LANES) {
        double right[LANES] = {};
        const int64_t count = least(k - i, LANES);
        for (int64_t l = 0; l < count; l++) right[l] = z[(int64_t)y[i + l] * ld + i + l];
        V largest;
        const V others = exps_of_8(z + i, ld, n_outputs, largest), w = weights_of(weight, i, k);
        const V of_row = log1p_nonnegative(larger(others, spread(0.0))) - (load_some(right, count) - largest);
        loss = loss + w * (count == LANES ? of_row : of_row * load_some(ONES, count));
        const V to_share = spread(1.0) / (spread(1.0) + others);
        for (int64_t o = 0; o < n_outputs; o++) {
            const V p = load(z + o * ld + i) * to_share;
            if (share) store(share + o * ld + i, p);
            store(z + o * ld + i, w * p);
        }
        for (int64_t l = 0; l < count; l++) z[(int64_t)y[i + l] * ld + i + l] -= weight ? weight[i + l] : 1.0;
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
    const int64_t K = at.n_outputs, n = rows.n_coefs, n_tile = output_rows(rows), ld = output_ld(n_tile), size = OutputCoefs::size(rows, K);
    const int64_t n_pairs = order == 2 ? K * (K + 1) / 2 : 0;
    Scratch of_coefs(size), of_gradient(size), x(rows.n_x * ld), z(K * ld), curvature(n_tile), pairs(n_pairs * n * n);
    Scratch share(order == 2 ? K * ld : 0), of_terms(order == 2 ? Terms::size(rows, n_tile) : 0);
    of_gradient.clear(size);
    pairs.clear(n_pairs * n * n);
    const OutputCoefs coefs(rows, at, of_coefs);
    const OutputGradient sum(rows, K, of_gradient);
    const Terms terms(rows, n_tile, of_terms);
    Stacked tile(rows, n_tile, K, x);
    V loss = spread(0.0);
    for (int64_t first = 0; first < rows.n_rows; first += n_tile) {
        const int64_t k = least(n_tile, rows.n_rows - first);
        const double* weight = rows.weight ? rows.weight + first : nullptr;
        tile.take(first, k);
        fill_outputs(tile, coefs, z);
        loss = losses_and_residuals(z, ld, K, rows.y + first, weight, k, order == 2 ? share.p : nullptr, loss);
        if (order >= 1) add_gradients(tile, z, sum);
        if (order < 2) continue;
        terms.fill(rows, first, k, at.centre);
        double* pair = pairs;
        for (int64_t a = 0; a < K; a++)
            for (int64_t b = a; b < K; b++, pair += n * n) {
                for (int64_t i = 0; i < k; i += LANES) {
                    const V other = (a == b ? spread(1.0) : spread(0.0)) - load(share + b * ld + i);
                    store(curvature + i, weights_of(weight, i, k) * (load(share + a * ld + i) * other));
                }
                add_hessian(rows, first, k, terms, curvature, pair);
            }
    }
    if (order >= 1) finish_gradients(rows, sum, at, gradient);
    if (order == 2) join_hessians(rows, K, pairs, hessian);
    return total(loss);
}

// A stand-in for each class's part of the Hessian: sum_i weight[i] mean_k p (1 - p) v v', and what a pair of classes has
// for that mean: pairs[k, l] = sum_i weight[i] p[k, i] ([k = l] - p[l, i]).
static void shared_hessian(const Rows& rows, const Coefs& at, double* pairs, double* hessian) {
    const int64_t K = at.n_outputs, n_tile = output_rows(rows), ld = output_ld(n_tile);
    Scratch of_coefs(OutputCoefs::size(rows, K)), x(rows.n_x * ld), p(K * ld), minus(K * ld), mean(n_tile), own(K), of_terms(Terms::size(rows, n_tile));
    own.clear(K);
    const OutputCoefs coefs(rows, at, of_coefs);
    const Terms terms(rows, n_tile, of_terms);
    Stacked tile(rows, n_tile, K, x);
    for (int64_t first = 0; first < rows.n_rows; first += n_tile) {
        const int64_t k = least(n_tile, rows.n_rows - first);
        tile.take(first, k);
        fill_outputs(tile, coefs, p);
        for (int64_t i = 0; i < k; i += LANES) {
            softmax_of_8(p + i, ld, K);
            const V w = weights_of(rows.weight ? rows.weight + first : nullptr, i, k);
            V sum = spread(0.0);
            for (int64_t o = 0; o < K; o++) {
                const V of_class = load(p + o * ld + i), weighted = w * of_class, curvature = weighted * (spread(1.0) - of_class);
                sum = sum + curvature;
                store(minus + o * ld + i, spread(0.0) - weighted);
                own[o] += total(curvature);
            }
            store(mean + i, sum * spread(1.0 / (double)K));
        }
        multiply_rows_by_rows(minus.p, ld, K, const_cast<const double*>(p.p), ld, K, tile.lanes(), 0, pairs, K);
        terms.fill(rows, first, k, at.centre);
        add_hessian(rows, first, k, terms, mean, hessian);
    }
    for (int64_t o = 0; o < K; o++) pairs[o * K + o] = own[o];
    finish_hessian(rows, hessian);
}

static void diagonal_of_several(const Rows& rows, const Coefs& at, double* diagonal, double* squares) {
    const int64_t K = at.n_outputs, n = rows.n_coefs + 1, n_tile = output_rows(rows), ld = output_ld(n_tile);
    Scratch of_coefs(OutputCoefs::size(rows, K)), x(rows.n_x * ld), z(K * ld), both(2 * K * n);
    both.clear(2 * K * n);
    const OutputCoefs coefs(rows, at, of_coefs);
    Stacked tile(rows, n_tile, K, x);
    for (int64_t first = 0; first < rows.n_rows; first += n_tile) {
        const int64_t k = least(n_tile, rows.n_rows - first);
        tile.take(first, k);
        fill_outputs(tile, coefs, z);
        for (int64_t i = 0; i < k; i += LANES) {
            softmax_of_8(z + i, ld, K);
            const V w = weights_of(rows.weight ? rows.weight + first : nullptr, i, k);
            for (int64_t o = 0; o < K; o++) {
                const V p = load(z + o * ld + i);
                store(z + o * ld + i, w * (p * (spread(1.0) - p)));
            }
        }
        shifted_numeric(rows, first, k, at.centre, x, tile.lanes());
        for (int64_t o = 0; o < K; o++) add_diagonal(rows, first, k, x, z + o * ld, both + o * n, both + (K + o) * n);
    }
    for (int64_t o = 0; o < K; o++) {
        std::memcpy(diagonal + o * rows.n_coefs, both + o * n, rows.n_coefs * 8);
        std::memcpy(squares + o * rows.n_coefs, both + (K + o) * n, rows.n_coefs * 8);
    }
}

// The Hessian times `direction`: with u its predictor, weight p (u - sum_l p u) takes the residual's place.
static void multiply_several(const Rows& rows, const Coefs& at, const double* direction, double* product) {
    const int64_t K = at.n_outputs, n_tile = output_rows(rows), ld = output_ld(n_tile), size = OutputCoefs::size(rows, K);
    Scratch of_coefs(size), of_direction(size), of_product(size), x(rows.n_x * ld), z(K * ld), u(K * ld);
    of_product.clear(size);
    const OutputCoefs coefs(rows, at, of_coefs), along(rows, {direction, at.centre, K}, of_direction);
    const OutputGradient sum(rows, K, of_product);
    Stacked tile(rows, n_tile, K, x);
    for (int64_t first = 0; first < rows.n_rows; first += n_tile) {
        const int64_t k = least(n_tile, rows.n_rows - first);
        tile.take(first, k);
        fill_outputs(tile, coefs, z);
        fill_outputs(tile, along, u);
        for (int64_t i = 0; i < k; i += LANES) {
            V mean = spread(0.0);
            softmax_of_8(z + i, ld, K);
            const V w = weights_of(rows.weight ? rows.weight + first : nullptr, i, k);
            for (int64_t o = 0; o < K; o++) mean = fma(load(z + o * ld + i), load(u + o * ld + i), mean);
            for (int64_t o = 0; o < K; o++)
                store(u + o * ld + i, w * (load(z + o * ld + i) * (load(u + o * ld + i) - mean)));
        }
        add_gradients(tile, u, sum);
    }
    finish_gradients(rows, sum, at, product);
}

static void predictor_of_several(const Rows& rows, const Coefs& at, double* found) {
    const int64_t K = at.n_outputs, n_tile = output_rows(rows), ld = output_ld(n_tile);
    Scratch of_coefs(OutputCoefs::size(rows, K)), x(rows.n_x * ld), z(K * ld);
    const OutputCoefs coefs(rows, at, of_coefs);
    Stacked tile(rows, n_tile, K, x);
    for (int64_t first = 0; first < rows.n_rows; first += n_tile) {
        const int64_t k = least(n_tile, rows.n_rows - first);
        tile.take(first, k);
        fill_outputs(tile, coefs, z);
        for (int64_t o = 0; o < K; o++) std::memcpy(found + o * rows.n_rows + first, z + o * ld, k * 8);
    }
}

// p[k, i] = exp(z[k, i]) / sum_l exp(z[l, i]), (n_outputs, n_rows) each.
static void softmax(const double* z, int64_t n_outputs, int64_t n_rows, double* p) {
    Scratch part(n_outputs * LANES);
    for (int64_t i = 0; i < n_rows; i += LANES) {
        const int64_t count = least(n_rows - i, LANES);
        for (int64_t o = 0; o < n_outputs; o++) store(part + o * LANES, load_some(z + o * n_rows + i, count));
        softmax_of_8(part, LANES, n_outputs);
        for (int64_t o = 0; o < n_outputs; o++) store_some(p + o * n_rows + i, count, load(part + o * LANES));
    }
}

}  // namespace LEVEL
