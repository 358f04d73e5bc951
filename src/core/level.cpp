// The kernels of one level: this file is compiled once for each, with the processor's flags and -DLEVEL=its name.
#include "columns.hpp"
#include "outputs.hpp"
#include "sweep.hpp"
#include "systems.hpp"
#include "together.hpp"
#include "values.hpp"

namespace LEVEL {

static double sums(const Rows& rows, const Coefs& at, int order, double* gradient, double* hessian) {
    return at.n_outputs == 1 ? sums_of_one(rows, at, order, gradient, hessian) : sums_of_several(rows, at, order, gradient, hessian);
}

static void diagonal(const Rows& rows, const Coefs& at, double* found, double* squares) {
    if (at.n_outputs == 1) diagonal_of_one(rows, at, found, squares);
    else diagonal_of_several(rows, at, found, squares);
}

static void multiply(const Rows& rows, const Coefs& at, const double* direction, double* product) {
    if (at.n_outputs == 1) multiply_one(rows, at, direction, product);
    else multiply_several(rows, at, direction, product);
}

static void predictor(const Rows& rows, const Coefs& at, double* z) {
    if (at.n_outputs == 1) predictor_of_one(rows, at, z);
    else predictor_of_several(rows, at, z);
}

static void probabilities(const double* z, int64_t n_outputs, int64_t n_rows, double* p) {
    if (n_outputs == 1) sigmoids(z, n_rows, p, p + n_rows);
    else softmax(z, n_outputs, n_rows, p);
}

static void all_exp(const double* x, int64_t n, double* found) {
    for (int64_t i = 0; i < n; i += LANES) store_some(found + i, least(n - i, LANES), exp_nonpositive(load_some(x + i, n - i)));
}

static void all_log1p(const double* x, int64_t n, double* found) {
    for (int64_t i = 0; i < n; i += LANES) store_some(found + i, least(n - i, LANES), log1p_nonnegative(load_some(x + i, n - i)));
}

}  // namespace LEVEL

#define NAMED_(level) zeroloop_##level
#define NAMED(level) NAMED_(level)
#define TEXT_(level) #level
#define TEXT(level) TEXT_(level)

extern const Kernels NAMED(LEVEL) = {
    .name = TEXT(LEVEL),
    .sums = LEVEL::sums,
    .sums_together = LEVEL::sums_together,
    .diagonal = LEVEL::diagonal,
    .multiply = LEVEL::multiply,
    .shared_hessian = LEVEL::shared_hessian,
    .predictor = LEVEL::predictor,
    .probabilities = LEVEL::probabilities,
    .moments = LEVEL::moments,
    .largest = LEVEL::largest,
    .describe = LEVEL::describe,
    .read_all = LEVEL::read_all,
    .hashes = LEVEL::hashes,
    .draw = LEVEL::draw,
    .count_wanted = LEVEL::count_wanted,
    .deal_wanted = LEVEL::deal_wanted,
    .descend = LEVEL::descend,
    .split_columns = LEVEL::split_columns,
    .exp_nonpositive = LEVEL::all_exp,
    .log1p_nonnegative = LEVEL::all_log1p,
    .systems = LEVEL::SYSTEMS,
};
