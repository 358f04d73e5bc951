// Raw columns described, rows hashed and drawn, numeric columns' moments.
#pragma once
#include "dense.hpp"
#include "memory.hpp"

namespace LEVEL {

INLINE Part select_present(Part x, Part yes, Part no) { return x == x ? yes : no; }
INLINE Part smaller(Part x, Part y) { return x < y ? x : y; }
template <class H>
INLINE Pair<H> select_present(Pair<H> x, Pair<H> yes, Pair<H> no) {
    return {select_present(x.a, yes.a, no.a), select_present(x.b, yes.b, no.b)};
}
template <class H>
INLINE Pair<H> smaller(Pair<H> x, Pair<H> y) {
    return {smaller(x.a, y.a), smaller(x.b, y.b)};
}

// Eight values, NaN beyond the last.
template <class T>
INLINE V load_or_nan(const T* p, int64_t count) {
    if (count >= LANES) return load(p);
    double padded[LANES];
    for (int64_t i = 0; i < LANES; i++) padded[i] = i < count ? p[i] : __builtin_nan("");
    return load(padded);
}

struct Spread {
    double n, weight, total, squares, low, high;  // of the values less `origin`
};

template <class T>
static Spread spread_about(const T* x, int64_t n_rows, const double* weight, double origin) {
    const V zero = spread(0.0), one = spread(1.0), o = spread(origin);
    V n = zero, w = zero, total_ = zero, squares = zero, low = zero, high = zero;
    for (int64_t i = 0; i < n_rows; i += LANES) {
        const V values = load_or_nan(x + i, n_rows - i), here = select_present(values, one, zero);
        const V d = select_present(values, values - o, zero);
        const V share = weight ? here * load_some(weight + i, n_rows - i) : here;
        const V weighted = share * d;
        n = n + here;
        w = w + share;
        total_ = total_ + weighted;
        squares = fma(weighted, d, squares);
        low = smaller(d, low);
        high = larger(d, high);
    }
    double lows[LANES], highs[LANES];
    store(lows, low);
    store(highs, high);
    Spread found = {total(n), total(w), total(total_), total(squares), lows[0], highs[0]};
    for (int64_t l = 1; l < LANES; l++) {
        found.low = least(found.low, lows[l]);
        found.high = most(found.high, highs[l]);
    }
    return found;
}

constexpr double CANCELLED = 1e-3;  // of the squares about the first value: then three digits are lost

// Number, weight, mean, squared deviations, least and greatest of the values that are not NaN; about the first of them,
// so that the mean of a constant column is that constant to the last bit.
template <class T>
static void describe_column(const T* x, int64_t n_rows, const double* weight, double* found) {
    int64_t first = 0;
    while (first < n_rows && x[first] != x[first]) first++;
    found[0] = found[1] = found[2] = found[3] = 0.0;
    found[4] = __builtin_inf();
    found[5] = -__builtin_inf();
    if (first == n_rows) return;
    const double origin = x[first];
    const Spread about = spread_about(x, n_rows, weight, origin);
    const double mean = about.weight > 0 ? about.total / about.weight : 0.0;
    double squares = about.squares - mean * about.total;
    double centre = origin + mean;
    if (squares < CANCELLED * about.squares) {  // the first value is far from the others: once more, about the mean
        const Spread again = spread_about(x, n_rows, weight, centre);
        squares = again.squares;
    }
    found[0] = about.n;
    found[1] = about.weight;
    found[2] = centre;
    found[3] = squares;
    found[4] = origin + about.low;
    found[5] = origin + about.high;
}

static void describe(const void* values, bool single, int64_t n_rows, const double* weight, double* found) {
    if (single) describe_column(static_cast<const float*>(values), n_rows, weight, found);
    else describe_column(static_cast<const double*>(values), n_rows, weight, found);
}

// The sum of values, in as many lanes as keep memory busy: the fastest that a thread can read them.
template <class T>
static double sum_of(const T* x, int64_t n) {
    V sum[4] = {spread(0.0), spread(0.0), spread(0.0), spread(0.0)};
    int64_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma GCC unroll 4
        for (int64_t l = 0; l < 4; l++) sum[l] = sum[l] + load(x + i + l * LANES);
    for (; i < n; i += LANES) sum[0] = sum[0] + load_some(x + i, n - i);
    return total((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

static double read_all(const void* values, bool single, int64_t n) {
    return single ? sum_of(static_cast<const float*>(values), n) : sum_of(static_cast<const double*>(values), n);
}

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): row i's hash is that of state + i * STRIDE.
constexpr uint64_t STRIDE = 0x9E3779B97F4A7C15;
INLINE uint64_t splitmix(uint64_t state) {
    uint64_t z = state + STRIDE;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static void hashes(uint64_t state, uint64_t first_row, int64_t n_rows, uint64_t* found) {
    for (int64_t i = 0; i < n_rows; i++) found[i] = splitmix(state + (first_row + (uint64_t)i) * STRIDE);
}

// Positions of the rows whose hash, in 53 bits, is below `below[y]`; returns how many. Without a branch.
static int64_t draw(uint64_t state, uint64_t first_row, const float* y, int64_t n_rows, const uint64_t* below, int64_t* drawn) {
    int64_t n = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        drawn[n] = i;
        n += (splitmix(state + (first_row + (uint64_t)i) * STRIDE) >> 11) < below[(int64_t)y[i]];
    }
    return n;
}

// Sums of u = x - origin and of u^2, weighted, in the lanes of `gradient_numeric`.
template <class T>
INLINE void moments_stacked(const T* x, int64_t ld, int64_t n, int64_t k, const double* weight, double* origin, double* first, double* second) {
    for (int64_t j = 0; j < n; j++) {
        const V o = spread(origin[j] = x[j * ld]);
        V sum = spread(0.0), squares = sum;
        for (int64_t i = 0; i < k; i += LANES) {
            V u = load_some(x + j * ld + i, k - i) - o;
            if (i + LANES > k) u = u * load_some(ONES, k - i);
            const V weighted = weight ? load_some(weight + i, k - i) * u : u;
            sum = sum + weighted;
            squares = fma(weighted, u, squares);
        }
        first[j] = total(sum);
        second[j] = total(squares);
    }
}

// The same of one register's width of columns of row-major rows: `kept` holds their sums, then their squares, by lane.
template <bool weighted, class T>
INLINE void moments_part(const T* x, int64_t ld, int64_t count, int64_t k, const double* weight, Part origin, double* kept) {
    Part sum[LANES], squares[LANES];
#pragma GCC unroll 8
    for (int64_t r = 0; r < LANES; r++) read(kept + r * WIDTH, sum[r]), read(kept + (LANES + r) * WIDTH, squares[r]);
    const auto add = [&](int64_t i, int64_t r) {
        Part u;
        if (count >= WIDTH) read(x + (i + r) * ld, u);
        else read_some(x + (i + r) * ld, count, u);
        u = u - origin;
        const Part share = weighted ? (Part{} + weight[i + r]) * u : u;
        sum[r] = sum[r] + share;
        squares[r] = fma(share, u, squares[r]);
    };
    int64_t i = 0;
    for (; i + LANES <= k; i += LANES)
#pragma GCC unroll 8
        for (int64_t r = 0; r < LANES; r++) add(i, r);
#pragma GCC unroll 8
    for (int64_t r = 0; r < LANES; r++)
        if (i + r < k) add(i, r);
#pragma GCC unroll 8
    for (int64_t r = 0; r < LANES; r++) write(kept + r * WIDTH, sum[r]), write(kept + (LANES + r) * WIDTH, squares[r]);
}

// MOMENT_ROWS at a time: they stay in the first-level cache while each part of the columns takes its turn.
constexpr int64_t MOMENT_ROWS = 64;

template <class T>
INLINE void moments_row_major(const T* x, int64_t ld, int64_t n, int64_t k, const double* weight, double* origin, double* first, double* second) {
    constexpr int64_t size = 2 * LANES * WIDTH;
    const int64_t parts = (n + WIDTH - 1) / WIDTH;
    Scratch lanes(parts * size);
    lanes.clear(parts * size);
    for (int64_t j = 0; j < n; j++) origin[j] = x[j];
    for (int64_t top = 0; top < k; top += MOMENT_ROWS) {
        const T* rows = x + top * ld;
        const int64_t here = least(MOMENT_ROWS, k - top);
        for (int64_t line = 0; line < ld * here * (int64_t)sizeof(T); line += 64)  // the next rows
            __builtin_prefetch(reinterpret_cast<const char*>(rows + here * ld) + line);
        for (int64_t p = 0; p < parts; p++) {
            const int64_t j = p * WIDTH, count = least(n - j, WIDTH);
            Part o;
            read_some(x + j, count, o);
            if (weight) moments_part<true>(rows + j, ld, count, here, weight + top, o, lanes + p * size);
            else moments_part<false>(rows + j, ld, count, here, weight, o, lanes + p * size);
        }
    }
    for (int64_t j = 0; j < n; j++)
        for (int64_t which = 0; which < 2; which++) {
            double of_column[LANES];
            const double* kept = lanes + (j / WIDTH * 2 + which) * LANES * WIDTH + j % WIDTH;
            for (int64_t r = 0; r < LANES; r++) of_column[r] = kept[r * WIDTH];
            (which ? second : first)[j] = total(load(of_column));
        }
}

// Weight, mean and squared deviations of the numeric columns, each about its value in the first row: the mean of a
// constant column is exact.
static void moments(const Rows& rows, double* weight, double* mean, double* squares) {
    V sum = spread(0.0);
    for (int64_t i = 0; i < rows.n_rows; i += LANES)
        sum = sum + load_some(rows.weight ? rows.weight + i : ONES, rows.n_rows - i);
    const double w = total(sum);
    Scratch first(rows.n_x);
    with_numeric(rows, 0, [&](auto x) {
        if (rows.by_row) moments_row_major(x, rows.ld, rows.n_x, rows.n_rows, rows.weight, mean, first, squares);
        else moments_stacked(x, rows.ld, rows.n_x, rows.n_rows, rows.weight, mean, first, squares);
    });
    for (int64_t j = 0; j < rows.n_x; j++) {
        const double shifted = w > 0 ? first[j] / w : first[j];
        weight[j] = w;
        mean[j] += shifted;
        squares[j] = most(squares[j] - shifted * first[j], 0.0);
    }
}

}  // namespace LEVEL
