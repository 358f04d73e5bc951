// Eight float64 side by side: the one vector type of the kernels.
//
// A `V` is a 64-byte register where the processor has them, else halves of halves down to the registers it has. Each
// function does the same IEEE operations on the same eight numbers at every level, a fused multiply-add only where
// `fma` is written, so the bits of a result belong to this source and not to a processor.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifndef LEVEL
#error "compile with -DLEVEL=v4, v3, plain or neon"
#endif
#define INLINE static inline __attribute__((always_inline))

namespace LEVEL {

constexpr int64_t LANES = 8;
constexpr double ONES[LANES] = {1, 1, 1, 1, 1, 1, 1, 1};

#if defined(__AVX512F__)
constexpr int64_t WIDTH = 8;  // lanes of one register
#elif defined(__AVX2__)
constexpr int64_t WIDTH = 4;
#else
constexpr int64_t WIDTH = 2;
#endif

typedef double Part __attribute__((vector_size(WIDTH * 8)));
typedef uint64_t Bits __attribute__((vector_size(WIDTH * 8)));
typedef float Singles __attribute__((vector_size(WIDTH * 4)));

INLINE Part fma(Part x, Part y, Part z) {
#if defined(__AVX512F__)
    return _mm512_fmadd_pd(x, y, z);
#elif defined(__AVX2__)
    return _mm256_fmadd_pd(x, y, z);
#elif defined(__ARM_NEON)
    return vfmaq_f64(z, x, y);
#else
    return Part{__builtin_fma(x[0], y[0], z[0]), __builtin_fma(x[1], y[1], z[1])};
#endif
}
INLINE double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }

INLINE void read(const double* p, Part& x) { std::memcpy(&x, p, sizeof x); }
INLINE void read(const float* p, Part& x) {
#if defined(__AVX512F__)
    x = _mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif defined(__AVX2__)
    x = _mm256_cvtps_pd(_mm_loadu_ps(p));
#else
    Singles s;
    std::memcpy(&s, p, sizeof s);
    x = __builtin_convertvector(s, Part);
#endif
}
INLINE void write(double* p, Part x) { std::memcpy(p, &x, sizeof x); }
INLINE void fill(double value, Part& x) { x = value - Part{}; }


// The first `count` values, zeros after them; nothing beyond them is read.
#if defined(__AVX512F__)
INLINE __mmask8 first_lanes(int64_t count) { return count >= 8 ? 0xFF : count <= 0 ? 0 : (1u << count) - 1; }
INLINE void read_some(const double* p, int64_t count, Part& x) { x = _mm512_maskz_loadu_pd(first_lanes(count), p); }
INLINE void read_some(const float* p, int64_t count, Part& x) {
    x = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(first_lanes(count), p));
}
#elif defined(__AVX2__)
INLINE void read_some(const double* p, int64_t count, Part& x) {
    const __m256i place = _mm256_set_epi64x(3, 2, 1, 0);
    x = _mm256_maskload_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), place));
}
INLINE void read_some(const float* p, int64_t count, Part& x) {
    const __m128i place = _mm_set_epi32(3, 2, 1, 0), n = _mm_set1_epi32(static_cast<int>(count < 0 ? 0 : count > 4 ? 4 : count));
    x = _mm256_cvtps_pd(_mm_maskload_ps(p, _mm_cmpgt_epi32(n, place)));
}
#else
template <class T>
INLINE void read_some(const T* p, int64_t count, Part& x) {
    if (count >= WIDTH) return read(p, x);
    T padded[WIDTH] = {};
    for (int64_t i = 0; i < count; i++) padded[i] = p[i];
    read(padded, x);
}
#endif

INLINE Part select_nonnegative(Part x, Part yes, Part no) { return x >= Part{} ? yes : no; }
INLINE Part larger(Part x, Part y) { return x > y ? x : y; }  // y where one is NaN
INLINE Part minus_abs(Part x) { return (Part)((Bits)x | (uint64_t)1 << 63); }
INLINE Part add_bits(Part x, uint64_t n) { return (Part)((Bits)x + n); }
INLINE Part shift_left(Part x) { return (Part)((Bits)x << 52); }
INLINE Part shift_right(Part x) { return (Part)((Bits)x >> 52); }
INLINE Part bits_from(uint64_t n, Part x) { return (Part)(n - (Bits)x); }

// Sums of the lanes: halves onto each other, until one is left.
INLINE double total(Part x) {
#if defined(__AVX512F__)
    const __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd(x, 1));
    const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
    return q[0] + q[1];
#elif defined(__AVX2__)
    const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return q[0] + q[1];
#else
    return x[0] + x[1];
#endif
}

// Turn WIDTH rows of WIDTH values, `stride` parts apart, into their columns.
INLINE void transpose(Part* x, int64_t stride) {
#if defined(__AVX512F__)
    __m512d a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_pd(x[i * stride], x[(i + 1) * stride]);
        a[i + 1] = _mm512_unpackhi_pd(x[i * stride], x[(i + 1) * stride]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            b[i + k] = _mm512_shuffle_f64x2(a[i + k], a[i + k + 2], 0x88);
            b[i + k + 2] = _mm512_shuffle_f64x2(a[i + k], a[i + k + 2], 0xDD);
        }
    for (int k = 0; k < 4; k++) {
        x[k * stride] = _mm512_shuffle_f64x2(b[k], b[k + 4], 0x88);
        x[(k + 4) * stride] = _mm512_shuffle_f64x2(b[k], b[k + 4], 0xDD);
    }
#elif defined(__AVX2__)
    const __m256d a = _mm256_unpacklo_pd(x[0], x[stride]), b = _mm256_unpackhi_pd(x[0], x[stride]);
    const __m256d c = _mm256_unpacklo_pd(x[2 * stride], x[3 * stride]);
    const __m256d d = _mm256_unpackhi_pd(x[2 * stride], x[3 * stride]);
    x[0] = _mm256_permute2f128_pd(a, c, 0x20);
    x[stride] = _mm256_permute2f128_pd(b, d, 0x20);
    x[2 * stride] = _mm256_permute2f128_pd(a, c, 0x31);
    x[3 * stride] = _mm256_permute2f128_pd(b, d, 0x31);
#else
    const Part a = x[0], b = x[stride];
    x[0] = Part{a[0], b[0]};
    x[stride] = Part{a[1], b[1]};
#endif
}

// Two halves that are worked on side by side.
template <class H>
struct Pair {
    H a, b;
};
template <int64_t width>
struct Lanes {
    typedef Pair<typename Lanes<width / 2>::type> type;
};
template <>
struct Lanes<WIDTH> {
    typedef Part type;
};
typedef Lanes<LANES>::type V;

template <class H>
constexpr int64_t HALF = sizeof(H) / 8;

template <class H>
INLINE Pair<H> fma(Pair<H> x, Pair<H> y, Pair<H> z) {
    return {fma(x.a, y.a, z.a), fma(x.b, y.b, z.b)};
}
#define EACH_HALF(name)                         \
    template <class H>                          \
    INLINE Pair<H> name(Pair<H> x) {            \
        return {name(x.a), name(x.b)};          \
    }
#define BOTH_HALVES(name)                       \
    template <class H>                          \
    INLINE Pair<H> name(Pair<H> x, Pair<H> y) { \
        return {name(x.a, y.a), name(x.b, y.b)}; \
    }
#define OPERATOR(o)                                   \
    template <class H>                                \
    INLINE Pair<H> operator o(Pair<H> x, Pair<H> y) { \
        return {x.a o y.a, x.b o y.b};                \
    }
EACH_HALF(minus_abs)
EACH_HALF(shift_left)
EACH_HALF(shift_right)
BOTH_HALVES(larger)
OPERATOR(+)
OPERATOR(-)
OPERATOR(*)
OPERATOR(/)
#undef EACH_HALF
#undef BOTH_HALVES
#undef OPERATOR
template <class H>
INLINE Pair<H> select_nonnegative(Pair<H> x, Pair<H> yes, Pair<H> no) {
    return {select_nonnegative(x.a, yes.a, no.a), select_nonnegative(x.b, yes.b, no.b)};
}
template <class H>
INLINE Pair<H> add_bits(Pair<H> x, uint64_t n) {
    return {add_bits(x.a, n), add_bits(x.b, n)};
}
template <class H>
INLINE Pair<H> bits_from(uint64_t n, Pair<H> x) {
    return {bits_from(n, x.a), bits_from(n, x.b)};
}
template <class H>
INLINE double total(Pair<H> x) {
    return total(x.a + x.b);
}
template <class T, class H>
INLINE void read(const T* p, Pair<H>& x) {
    read(p, x.a);
    read(p + HALF<H>, x.b);
}
template <class T, class H>
INLINE void read_some(const T* p, int64_t count, Pair<H>& x) {
    read_some(p, count, x.a);
    read_some(p + HALF<H>, count - HALF<H>, x.b);
}
template <class H>
INLINE void write(double* p, Pair<H> x) {
    write(p, x.a);
    write(p + HALF<H>, x.b);
}
template <class H>
INLINE void fill(double value, Pair<H>& x) {
    fill(value, x.a);
    fill(value, x.b);
}

template <class T>
INLINE T least(T a, T b) {
    return b < a ? b : a;
}
template <class T>
INLINE T most(T a, T b) {
    return a < b ? b : a;
}

// What the kernels write.
template <class T>
INLINE V load(const T* p) {
    V x;
    read(p, x);
    return x;
}
template <class T>
INLINE V load_some(const T* p, int64_t count) {
    V x;
    read_some(p, count, x);
    return x;
}
INLINE V spread(double value) {
    V x;
    fill(value, x);
    return x;
}
INLINE void store(double* p, V x) { write(p, x); }
INLINE void store_some(double* p, int64_t count, V x) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_pd(p, first_lanes(count), x);
#else
    double all[LANES];
    write(all, x);
    for (int64_t i = 0; i < least(count, LANES); i++) p[i] = all[i];
#endif
}

// Eight rows of eight values into eight columns: `x[r]` has row r, then column r.
INLINE void transpose_lanes(V* x) {
    constexpr int64_t parts = LANES / WIDTH;
    Part* p = reinterpret_cast<Part*>(x);
    for (int64_t r = 0; r < parts; r++)
        for (int64_t c = 0; c < parts; c++) transpose(p + (r * WIDTH) * parts + c, parts);
    for (int64_t r = 0; r < parts; r++)
        for (int64_t c = r + 1; c < parts; c++)
            for (int64_t i = 0; i < WIDTH; i++) {
                Part& above = p[(r * WIDTH + i) * parts + c];
                Part& below = p[(c * WIDTH + i) * parts + r];
                const Part kept = above;
                above = below;
                below = kept;
            }
}

}  // namespace LEVEL
