// exp and log of any float64, where Python needs them: NumPy's and the C library's differ from processor to processor.
#pragma once
#include "logistic.hpp"

namespace LEVEL {

// exp(x), to 3 ulp: of a positive x the inverse of exp(-x), so that neither tail loses digits.
INLINE V exp_of(V x) {
    const V e = exp_nonpositive(minus_abs(x));
    return select_nonnegative(x, spread(1.0) / e, e);
}

// log(x) for finite x > 0, to 2 ulp: x = 2^k (1 + f) as in `log1p_nonnegative`. The largest and the smallest are brought
// near 1 first, where 2^-k and the bits of k are plain.
INLINE V log_of(V x) {
    constexpr double FAR = 0x1p600, BACK = 0x1p-600;
    constexpr uint64_t BIAS = 1100;  // added to k, which may be negative
    const V one = spread(1.0), is_large = x - spread(FAR), is_small = spread(BACK) - x;
    const V moved = select_nonnegative(is_large, spread(600.0), select_nonnegative(is_small, spread(-600.0), spread(0.0)));
    x = select_nonnegative(is_large, x * spread(BACK), select_nonnegative(is_small, x * spread(FAR), x));
    const V k = shift_right(add_bits(x, (BIAS << 52) - SQRT_HALF_BITS));
    const V scale = shift_left(bits_from(1023 + BIAS, k));
    const V exponent = add_bits(k, ROUND_BITS) - spread(ROUND + BIAS) + moved;
    const V f = x * scale - one;  // the product is exact
    return log_of_parts(f, exponent);
}

static void exp_all(const double* x, int64_t n, double* found) {
    for (int64_t i = 0; i < n; i += LANES) store_some(found + i, least(n - i, LANES), exp_of(load_some(x + i, n - i)));
}

static void log_all(const double* x, int64_t n, double* found) {
    for (int64_t i = 0; i < n; i += LANES) {
        double here[LANES], logs[LANES];
        store(here, load_some(x + i, n - i));
        store(logs, log_of(load(here)));
        for (int64_t l = 0; l < least(n - i, LANES); l++) {
            const double at = here[l];
            found[i + l] = at > 0.0 && at <= __DBL_MAX__ ? logs[l] : at == 0.0 ? -__builtin_inf() : at > 0.0 ? at : __builtin_nan("");
        }
    }
}

// log(1 + t): with u = 1 + t rounded, log(u) + (t - (u - 1)) / u. `found` is not t.
static void log1p_all(const double* t, int64_t n, double* found) {
    for (int64_t i = 0; i < n; i++) found[i] = 1.0 + t[i];
    log_all(found, n, found);
    for (int64_t i = 0; i < n; i++) {
        const double u = 1.0 + t[i];
        if (u > 0.0 && u <= __DBL_MAX__) found[i] += (t[i] - (u - 1.0)) / u;
    }
}

}  // namespace LEVEL
