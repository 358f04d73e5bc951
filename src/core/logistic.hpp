// Sigmoid, log loss and derivatives of one linear predictor, at any magnitude.
//
// With e = exp(-|z|), which never overflows:
//     log loss    max(z, 0) - y z + log(1 + e)
//     sigmoid     1 / (1 + e) for z >= 0, e / (1 + e) below: exact in either tail
//     curvature   e / (1 + e)^2
#pragma once
#include "lanes.hpp"

namespace LEVEL {

constexpr double LN2_HI = 6.93147180369123816490e-01;  // 32 trailing zero bits: its product with k is exact
constexpr double LN2_LO = 1.90821492927058770002e-10;
constexpr double ROUND = 6755399441055744.0;  // 1.5 * 2^52: added, it rounds to an integer and leaves it in the lowest bits
constexpr uint64_t ROUND_BITS = 0x4338000000000000;
constexpr uint64_t SQRT_HALF_BITS = 0x3FE6A09E667F3BCD;
constexpr double SMALLEST = -746.0;  // exp is 0 in float64 from -745.2 down

// exp(x) for x <= 0 (-inf included), to 1 ulp: Cody and Waite's reduction and Taylor's polynomial, whose remainder on
// |r| <= ln(2)/2 is r^14/14! = 4e-18, below rounding. NaN stays NaN.
INLINE V exp_nonpositive(V x) {
    x = larger(spread(SMALLEST), x);
    const V shifted = fma(x, spread(1.4426950408889634), spread(ROUND));
    const V k = shifted - spread(ROUND);
    V r = fma(k, spread(-LN2_HI), x);
    r = fma(k, spread(-LN2_LO), r);
    V p = spread(1.6059043836821613e-10);
    p = fma(p, r, spread(2.08767569878681e-09));
    p = fma(p, r, spread(2.505210838544172e-08));
    p = fma(p, r, spread(2.755731922398589e-07));
    p = fma(p, r, spread(2.7557319223985893e-06));
    p = fma(p, r, spread(2.48015873015873e-05));
    p = fma(p, r, spread(1.984126984126984e-04));
    p = fma(p, r, spread(1.388888888888889e-03));
    p = fma(p, r, spread(8.333333333333333e-03));
    p = fma(p, r, spread(4.1666666666666664e-02));
    p = fma(p, r, spread(1.6666666666666666e-01));
    p = fma(p, r, spread(0.5));
    p = fma(p * r, r, r);
    // 2^k in two factors, 2^(k+64) and 2^-64, so that subnormal results are rounded once.
    const V scale = shift_left(add_bits(shifted, 1023 + 64));
    return fma(scale, p, scale) * spread(5.421010862427522e-20);
}

// log(2^exponent (1 + f)) with 1 + f in [sqrt(2)/2, sqrt(2)]; the polynomial is that of log in fdlibm (Sun Microsystems,
// 1993).
INLINE V log_of_parts(V f, V exponent) {
    const V s = f / (spread(2.0) + f);
    const V u = s * s;
    V r = spread(1.479819860511658591e-01);
    r = fma(r, u, spread(1.531383769920937332e-01));
    r = fma(r, u, spread(1.818357216161805012e-01));
    r = fma(r, u, spread(2.222219843214978396e-01));
    r = fma(r, u, spread(2.857142874366239149e-01));
    r = fma(r, u, spread(3.999999999940941908e-01));
    r = fma(r, u, spread(6.666666666666735130e-01));
    const V half = spread(0.5) * f * f;
    const V low = fma(exponent, spread(LN2_LO), s * fma(r, u, half));
    return fma(exponent, spread(LN2_HI), f - (half - low));
}

// log(1 + t) for finite t >= 0, to 2 ulp: 1 + t = 2^k (1 + f), f rounded once.
INLINE V log1p_nonnegative(V t) {
    const V one = spread(1.0);
    const V k = shift_right(add_bits(one + t, -SQRT_HALF_BITS));
    const V scale = shift_left(bits_from(1023, k));
    const V exponent = add_bits(k, ROUND_BITS) - spread(ROUND);
    const V f = fma(t, scale, scale - one);
    return log_of_parts(f, exponent);
}

// (1 + a)(1 + b) - 1, without losing the smallest values to the one.
INLINE V joined(V a, V b) { return fma(a, b, a + b); }

struct Point {
    V linear, residual, e;
};

// Eight rows at z: of their losses max(z, 0) - y z, to which log(1 + e) is still to be added; dZ; and e.
INLINE Point point(V z, V y) {
    const V e = exp_nonpositive(minus_abs(z));            // exp(-|Z|)
    const V share = spread(1.0) / (spread(1.0) + e);
    const V a = select_nonnegative(z, share, e * share);  // A = sigmoid(Z)
    return {larger(z, spread(0.0)) - y * z, a - y, e};    // max(Z, 0) - Y Z, dZ = A - Y
}

// Eight times eight rows: residuals and e = exp(-|z|) are stored, the sum of losses is returned. One logarithm for
// eight values: of 0 <= e <= 1 the product of eight (1 + e) is at most 256.
INLINE V loss_of_64(const double* z, const float* y, double* residual, double* e) {
    V loss = spread(0.0), pairs[4];
    for (int64_t q = 0; q < 4; q++) {
        const Point first = point(load(z + 16 * q), load(y + 16 * q));
        const Point second = point(load(z + 16 * q + 8), load(y + 16 * q + 8));
        store(residual + 16 * q, first.residual);
        store(residual + 16 * q + 8, second.residual);
        store(e + 16 * q, first.e);
        store(e + 16 * q + 8, second.e);
        loss = loss + (first.linear + second.linear);
        pairs[q] = joined(first.e, second.e);
    }
    return loss + log1p_nonnegative(joined(joined(pairs[0], pairs[1]), joined(pairs[2], pairs[3])));
}

// The same with weights. Where all are 0 and 1, as in a cross-validation, they only mask, and one logarithm still does.
INLINE V weighted_loss_of_64(const double* z, const float* y, const double* weight, double* residual, double* e) {
    V loss = spread(0.0), between = loss, pairs[4];
    for (int64_t i = 0; i < 64; i += 8) {
        const V w = load(weight + i);
        between = between + minus_abs(w - w * w);
    }
    if (total(between) == 0.0) {
        for (int64_t q = 0; q < 4; q++) {
            V masked[2];
            for (int64_t h = 0; h < 2; h++) {
                const int64_t i = 16 * q + 8 * h;
                const V w = load(weight + i);
                const Point at = point(load(z + i), load(y + i));
                store(residual + i, w * at.residual);
                masked[h] = w * at.e;
                store(e + i, masked[h]);
                loss = fma(w, at.linear, loss);
            }
            pairs[q] = joined(masked[0], masked[1]);
        }
        return loss + log1p_nonnegative(joined(joined(pairs[0], pairs[1]), joined(pairs[2], pairs[3])));
    }
    for (int64_t i = 0; i < 64; i += 8) {
        const V w = load(weight + i);
        const Point at = point(load(z + i), load(y + i));
        store(residual + i, w * at.residual);
        store(e + i, at.e);
        loss = fma(w, at.linear + log1p_nonnegative(at.e), loss);
    }
    return loss;
}

// Add weight[i] log_loss(z[i], y[i]) of k rows to `loss`, whose lanes are summed at a block's end; fill
// residual[i] = weight[i] (a[i] - y[i]), the loss's derivative in z, and e[i] = exp(-|z[i]|). The three arrays have room
// for whole groups of 64; what stands beyond k is set to 0.
INLINE V loss_and_residual(double* z, const float* y, const double* weight, int64_t k, double* residual, double* e, V loss) {
    int64_t i = 0;
    for (; i + 64 <= k; i += 64)
        loss = loss + (weight ? weighted_loss_of_64(z + i, y + i, weight + i, residual + i, e + i)
                              : loss_of_64(z + i, y + i, residual + i, e + i));
    if (i < k) {
        float labels[64] = {};
        double here[64] = {};
        for (int64_t r = 0; r < k - i; r++) {
            labels[r] = y[i + r];
            here[r] = weight ? weight[i + r] : 1.0;
        }
        for (int64_t r = k; r < i + 64; r++) z[r] = 0.0;
        loss = loss + weighted_loss_of_64(z + i, labels, here, residual + i, e + i);
    }
    return loss;
}

// Replace e = exp(-|z|) by weight a (1 - a), the loss's second derivative in z; zeros beyond k, up to a multiple of 8.
INLINE void curvature_of(double* e, const double* weight, int64_t k) {
    for (int64_t i = 0; i < k; i += LANES) {
        const V here = load(e + i), share = spread(1.0) / (spread(1.0) + here);
        const V curvature = here * (share * share);
        store(e + i, curvature * (weight ? load_some(weight + i, k - i) : load_some(ONES, k - i)));
    }
}

// Replace the predictor z by weight a (1 - a).
INLINE void curvature_at(double* z, const double* weight, int64_t k) {
    for (int64_t i = 0; i < k; i += LANES) store(z + i, exp_nonpositive(minus_abs(load(z + i))));
    curvature_of(z, weight, k);
}

// below[i] = sigmoid(-z[i]), above[i] = sigmoid(z[i]), each exact in its tail.
INLINE void sigmoids(const double* z, int64_t n, double* below, double* above) {
    for (int64_t i = 0; i < n; i += LANES) {
        const V at = load_some(z + i, n - i), e = exp_nonpositive(minus_abs(at));
        const V share = spread(1.0) / (spread(1.0) + e), tail = e * share;
        store_some(below + i, least(n - i, LANES), select_nonnegative(at, tail, share));
        store_some(above + i, least(n - i, LANES), select_nonnegative(at, share, tail));
    }
}

}  // namespace LEVEL
