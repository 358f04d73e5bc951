// What the door and the kernels share: plain records, and the table of functions that one level is.
//
// A block's terms, in the order of coefficients: the intercept, `n_x` numeric columns, `n_sparse` sparse columns, and
// what codes and marks name by their coefficient. The code `n_coefs` stands for no coefficient.
#pragma once
#include <cstdint>

struct Rows {
    int64_t n_rows, n_coefs;

    // Numeric columns: row i of column j at x[i * ld + j] where by_row, else at x[j * ld + i].
    const void* x;
    int64_t n_x, ld;
    bool single, by_row;  // float32; row-major

    // Sparse columns: line l has values[start[l] .. stop[l]] at indices[...] - origin of the other axis.
    const void *values, *indices;
    const int64_t *start, *stop;
    int64_t n_lines, n_sparse, n_stored, origin;
    bool single_values, long_indices, lines_are_rows;

    const int32_t* codes;  // (n_codes, n_rows)
    int64_t n_codes;
    const int32_t *mark_rows, *mark_terms;  // (n_marks,), sorted by row
    int64_t n_marks;

    const float* y;        // null where there is none
    const double* weight;  // null for ones
};

// Coefficients `(n_outputs, n_coefs)` about the centre `(n_x,)` of the numeric columns.
struct Coefs {
    const double *coef, *centre;
    int64_t n_outputs;
};

// Columns of all rows for coordinate descent: column l has values[start[l] .. start[l + 1]] in rows[...].
struct Columns {
    const int64_t* start;
    const int32_t* rows;
    const double* values;
    const int32_t* y;
    const double* weight;  // sums to 1
    int64_t n_columns, n_rows;
};

// A penalty, each `(n_outputs, columns)`.
struct Penalty {
    const double *l2, *l1, *lower, *upper;
};

// Element (i, j) of a matrix stands at p[i * row + j * column].
struct View {
    const double* p;
    int64_t row, column;
};

// Dense algebra above the rows: arrays are row-major, without gaps, where they are no `View`.
struct Systems {
    double (*dot)(const double* a, const double* b, int64_t n);
    // C (m, n) = A B; of A' A only once each pair of cells, where `symmetric`.
    void (*product)(View a, View b, int64_t m, int64_t n, int64_t n_terms, bool symmetric, double* c);
    // Factors U (n, n) with A = U' U, of A's upper triangle. False: A is not positive definite.
    bool (*cholesky)(const double* a, int64_t n, double* u);
    bool (*solve_positive)(const double* a, int64_t n, double* b, int64_t m);  // in the place of B (n, m)
    bool (*solve_scaled)(const double* a, int64_t n, double flat, double distinct, double* b);
    bool (*invert_positive)(const double* a, int64_t n, double* found);
    void (*solve_triangular)(const double* u, int64_t n, bool transposed, double* b, int64_t m);
    void (*invert_triangular)(const double* u, int64_t n, double* found);
    // Eigenvalues, ascending, and eigenvectors, which are rows. False: A is not finite.
    bool (*eigen)(const double* a, int64_t n, double* values, double* vectors);
    void (*exp)(const double* x, int64_t n, double* found);
    void (*log)(const double* x, int64_t n, double* found);
    void (*log1p)(const double* x, int64_t n, double* found);
};

struct Kernels {
    const char* name;

    // The statistics of a block. Outputs are zeroed by the caller and added to.
    // One output is logistic, several are softmax; gradient (n_outputs, n_coefs), hessian (n_outputs n_coefs)^2, upper triangle.
    double (*sums)(const Rows&, const Coefs&, int order, double* gradient, double* hessian);
    // Several fits over the same rows: y, weight (fits, n_rows), weight null for ones; losses (fits,), gradients (fits, n_coefs).
    void (*sums_together)(const Rows&, const Coefs&, const float* y, const double* weight, double* losses, double* gradients);
    void (*diagonal)(const Rows&, const Coefs&, double* diagonal, double* squares);  // each (n_outputs, n_coefs)
    void (*multiply)(const Rows&, const Coefs&, const double* direction, double* product);  // each (n_outputs, n_coefs)
    void (*shared_hessian)(const Rows&, const Coefs&, double* pairs, double* hessian);
    void (*predictor)(const Rows&, const Coefs&, double* z);  // (n_outputs, n_rows)
    void (*probabilities)(const double* z, int64_t n_outputs, int64_t n_rows, double* p);  // (2 or n_outputs, n_rows)
    void (*moments)(const Rows&, double* weight, double* mean, double* squares);
    void (*largest)(const Rows&, double* found);

    // Raw columns and rows' indices.
    void (*describe)(const void* values, bool single, int64_t n_rows, const double* weight, double* found);  // 6 figures
    double (*read_all)(const void* values, bool single, int64_t n);  // their sum: what benchmarks hold a pass against
    void (*hashes)(uint64_t state, uint64_t first_row, int64_t n_rows, uint64_t* found);
    int64_t (*draw)(uint64_t state, uint64_t first_row, const float* y, int64_t n_rows, const uint64_t* below, int64_t* drawn);

    // Coordinate descent over some columns of all rows.
    void (*count_wanted)(const Rows&, const int64_t* position, int64_t* counts);
    void (*deal_wanted)(const Rows&, const int64_t* position, const double* centre, const double* unit, int64_t* next, int32_t* rows, double* values);
    void (*descend)(const Columns&, double* theta, int64_t n_outputs, const Penalty&, double tol, int64_t most_steps);
    void (*split_columns)(const void* indices, bool long_indices, const int64_t* indptr, int64_t n_columns, const int64_t* bounds, int64_t n_bounds, int64_t* places);

    // For tests: exp of values at most 0, log1p of values at least 0, and the sum of log1p of values in [0, 1].
    void (*exp_nonpositive)(const double* x, int64_t n, double* found);
    void (*log1p_nonnegative)(const double* x, int64_t n, double* found);

    Systems systems;
};

extern "C" {
extern const Kernels zeroloop_v4, zeroloop_v3, zeroloop_plain, zeroloop_neon;
}
