// Vectors in float64: sums of products in lanes, multiples added.
#pragma once
#include "lanes.hpp"

namespace LEVEL {

// sum_j a[j] b[j]: lane l sums j = l, l + 8, ...
INLINE double dot(const double* a, const double* b, int64_t n) {
    V sum = spread(0.0);
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) sum = fma(load(a + j), load(b + j), sum);
    if (j < n) sum = fma(load_some(a + j, n - j), load_some(b + j, n - j), sum);
    return total(sum);
}

// y[j] += c x[j]
INLINE void add_multiple(double c, const double* x, int64_t n, double* y) {
    const V factor = spread(c);
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) store(y + j, fma(factor, load(x + j), load(y + j)));
    if (j < n) store_some(y + j, n - j, fma(factor, load_some(x + j, n - j), load_some(y + j, n - j)));
}

INLINE void clear(double* x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = 0.0;
}

// y[j] = c x[j]
INLINE void multiple(double c, const double* x, int64_t n, double* y) {
    for (int64_t j = 0; j < n; j++) y[j] = c * x[j];
}

}  // namespace LEVEL
