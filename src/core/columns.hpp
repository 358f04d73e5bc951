// Coordinate descent over some columns of all rows: for penalties with many coefficients, of which few are off zero.
//
// Proximal Newton steps, output after output; each step's quadratic model by coordinate descent over the columns.
// Source: Yuan, Ho and Lin, "An improved GLMNET for L1-regularized logistic regression", JMLR, 2012.
#pragma once
#include "dense.hpp"
#include "logistic.hpp"
#include "memory.hpp"
#include "sparse.hpp"

namespace LEVEL {

constexpr double LOOSE = 0.3;      // of the violation that a quadratic model starts from: what its solution may leave
constexpr double TIGHT = 0.5;      // of tol, below which no model need be solved
constexpr int64_t MOST_SWEEPS = 30;  // of one model

// Call f(at, l, row, value) for each value that a sparse column, a code or a mark has in a wanted coefficient;
// position[l] is that of coefficient l among the wanted ones, -1 where it is not wanted.
template <class F>
INLINE void each_wanted(const Rows& rows, const int64_t* position, F f) {
    const int64_t own = 1 + rows.n_x;
    if (rows.n_lines > 0) with_stored(rows, [&](auto values, auto indices) {
        for (int64_t line = 0; line < rows.n_lines; line++) {
            if (!rows.lines_are_rows && position[own + line] < 0) continue;
            for (int64_t p = rows.start[line]; p < rows.stop[line]; p++) {
                const int64_t other = (int64_t)indices[p] - rows.origin;
                const int64_t l = own + (rows.lines_are_rows ? other : line);
                if (position[l] >= 0) f(position[l], l, rows.lines_are_rows ? line : other, (double)values[p]);
            }
        }
    });
    for (int64_t c = 0; c < rows.n_codes; c++)
        for (int64_t i = 0; i < rows.n_rows; i++) {
            const int64_t l = rows.codes[c * rows.n_rows + i];
            if (position[l] >= 0) f(position[l], l, i, 1.0);
        }
    for (int64_t p = 0; p < rows.n_marks; p++) {
        const int64_t l = rows.mark_terms[p];
        if (position[l] >= 0) f(position[l], l, (int64_t)rows.mark_rows[p], 1.0);
    }
}

// counts[a] += how many values the block has in the a-th wanted coefficient: all rows' in the intercept and in numeric
// columns. position (n_coefs + 1,): -1 for the last, no coefficient.
static void count_wanted(const Rows& rows, const int64_t* position, int64_t* counts) {
    for (int64_t j = 0; j < 1 + rows.n_x; j++)
        if (position[j] >= 0) counts[position[j]] += rows.n_rows;
    each_wanted(rows, position, [&](int64_t at, int64_t, int64_t, double) { counts[at]++; });
}

// Put each value that `count_wanted` counts, times the coefficient's unit, at the next free place of its column.
static void deal_wanted(const Rows& rows, const int64_t* position, const double* centre, const double* unit, int64_t* next, int32_t* found_rows,
                        double* found) {
    if (position[0] >= 0) {
        int64_t& at = next[position[0]];
        for (int64_t i = 0; i < rows.n_rows; i++, at++) {
            found_rows[at] = (int32_t)i;
            found[at] = unit[0];
        }
    }
    with_numeric(rows, 0, [&](auto x) {
        for (int64_t j = 0; j < rows.n_x; j++) {
            if (position[1 + j] < 0) continue;
            int64_t& at = next[position[1 + j]];
            for (int64_t i = 0; i < rows.n_rows; i++, at++) {
                found_rows[at] = (int32_t)i;
                found[at] = ((double)x[rows.by_row ? i * rows.ld + j : j * rows.ld + i] - centre[j]) * unit[1 + j];
            }
        }
    });
    each_wanted(rows, position, [&](int64_t at, int64_t l, int64_t row, double value) {
        found_rows[next[at]] = (int32_t)row;
        found[next[at]++] = value * unit[l];
    });
}

// The predictors of a descent, (n_outputs, ld), and the labels as float64, -1 beyond the last row; ld a multiple of 8.
struct Predictors {
    double *z, *y;
    int64_t n_outputs, ld;
};

// At least 0 where the label is k, below elsewhere.
INLINE V is_label(const Predictors& at, int64_t i, int64_t k) { return spread(0.5) + minus_abs(load(at.y + i) - spread((double)k)); }

INLINE V largest_of(const Predictors& at, int64_t i) {
    V found = load(at.z + i);
    for (int64_t m = 1; m < at.n_outputs; m++) found = larger(found, load(at.z + m * at.ld + i));
    return found;
}

// Each row's first and second derivative of the mean loss in output k's predictor; 0 beyond the last row.
INLINE void fill_slopes(const Columns& columns, const Predictors& at, int64_t k, double* slope, double* curvature) {
    const V zero = spread(0.0), one = spread(1.0);
    for (int64_t i = 0; i < columns.n_rows; i += LANES) {
        const int64_t count = columns.n_rows - i;
        const V weight = load_some(columns.weight + i, count), z = load(at.z + k * at.ld + i);
        V p, h;
        if (at.n_outputs == 1) {
            const V e = exp_nonpositive(minus_abs(z)), share = one / (one + e);
            p = select_nonnegative(z, share, e * share);
            h = e * (share * share);
        } else {
            const V top = largest_of(at, i);
            V sum = zero;
            for (int64_t m = 0; m < at.n_outputs; m++) sum = sum + exp_nonpositive(load(at.z + m * at.ld + i) - top);
            p = exp_nonpositive(z - top) / sum;
            h = p * (one - p);
        }
        const V right = is_label(at, i, at.n_outputs == 1 ? 1 : k);
        store(slope + i, weight * select_nonnegative(right, p - one, p));
        store(curvature + i, weight * h);
    }
}

// The mean loss where output k's predictor is z[k] + t step.
INLINE double mean_loss(const Columns& columns, const Predictors& at, int64_t k, const double* step, double t) {
    const V zero = spread(0.0), one = spread(1.0), length = spread(t);
    V loss = zero;
    for (int64_t i = 0; i < columns.n_rows; i += LANES) {
        const int64_t count = columns.n_rows - i;
        const V z = fma(length, load(step + i), load(at.z + k * at.ld + i));
        V part;
        if (at.n_outputs == 1) {
            const V right = is_label(at, i, 1);
            part = larger(z, zero) - select_nonnegative(right, z, zero) + log1p_nonnegative(exp_nonpositive(minus_abs(z)));
        } else {
            V top = z;
            for (int64_t m = 0; m < at.n_outputs; m++)
                if (m != k) top = larger(top, load(at.z + m * at.ld + i));
            V sum = zero - one, right = zero;  // the largest one's exp is 1: log(1 + sum) is a log1p of the others
            for (int64_t m = 0; m < at.n_outputs; m++) {
                const V below = (m == k ? z : load(at.z + m * at.ld + i)) - top;
                sum = sum + exp_nonpositive(below);
                right = select_nonnegative(is_label(at, i, m), below, right);
            }
            part = log1p_nonnegative(larger(sum, zero)) - right;
        }
        loss = fma(load_some(columns.weight + i, count), part, loss);
    }
    return total(loss);
}

// One output's part of the penalty, each (columns,).
INLINE Penalty of_output(const Penalty& all, int64_t k, int64_t n) {
    return {all.l2 + k * n, all.l1 + k * n, all.lower + k * n, all.upper + k * n};
}

// The penalty at theta + t (x - theta).
INLINE double penalty_at(const Penalty& penalty, const double* theta, const double* x, double t, int64_t n) {
    double sum = 0.0;
    for (int64_t j = 0; j < n; j++) {
        const double at = theta[j] + t * (x[j] - theta[j]);
        sum += 0.5 * penalty.l2[j] * at * at + penalty.l1[j] * __builtin_fabs(at);
    }
    return sum;
}

// The size of the smallest subgradient of coefficient j at x.
INLINE double violation(const Penalty& penalty, int64_t j, double slope, double x) {
    const double l1 = penalty.l1[j];
    if (x > 0.0) slope += l1;
    else if (x < 0.0 || slope > l1) slope -= l1;
    else if (slope < -l1) slope += l1;
    else return 0.0;
    if ((x <= penalty.lower[j] && slope > 0.0) || (x >= penalty.upper[j] && slope < 0.0)) return 0.0;
    return __builtin_fabs(slope);
}

// What the quadratic model of one output is made of: slope per row, and of each stored value its curvature times the
// value; bend[j] is the model's second derivative in x[j], cross[j] that in x[j] and in a predictor added to all rows.
struct Model {
    double *slope, *bent, *bend, *cross, *x;
};

// Fill bent[p] = curvature[rows[p]] values[p] of a column; return its sum and those of bent[p] values[p] and
// slope[rows[p]] values[p].
struct Bend {
    double bend, slope, cross;
};
INLINE Bend bend_column(const int32_t* rows, const double* values, int64_t n, const double* curvature, const double* slope, double* bent) {
    V bend = spread(0.0), sum = bend, cross = bend;
    for (int64_t p = 0; p < n; p += LANES) {
        const V value = load_some(values + p, n - p), here = gather(curvature, rows + p, n - p) * value;
        store_some(bent + p, n - p, here);
        bend = fma(here, value, bend);
        cross = cross + here;
        sum = fma(gather(slope, rows + p, n - p), value, sum);
    }
    return {total(bend), total(sum), total(cross)};
}

// Fill the model at theta; return the largest violation there.
INLINE double fill_model(const Columns& columns, const Penalty& penalty, const double* theta, const double* curvature, const Model& model) {
    double worst = 0.0;
    for (int64_t j = 0; j < columns.n_columns; j++) {
        const int64_t from = columns.start[j];
        const Bend found = bend_column(columns.rows + from, columns.values + from, columns.start[j + 1] - from, curvature, model.slope, model.bent + from);
        model.bend[j] = found.bend + penalty.l2[j];
        model.cross[j] = found.cross;
        model.x[j] = theta[j];
        worst = most(worst, violation(penalty, j, found.slope + penalty.l2[j] * theta[j], theta[j]));
    }
    return worst;
}

// The minimiser along coordinate j of a model whose derivative there is `slope`.
INLINE double minimiser(const Penalty& penalty, int64_t j, double x, double slope, double bend) {
    const double free = x - slope / bend, threshold = penalty.l1[j] / bend;
    if (free > threshold) return least(free - threshold, penalty.upper[j]);
    if (free < -threshold) return most(free + threshold, penalty.lower[j]);
    return 0.0;
}

// The column that is one value in every row, without a penalty and bounds: the intercept's; -1 where there is none.
INLINE int64_t intercept_of(const Columns& columns, const Penalty& penalty, int64_t n_outputs) {
    const int64_t n = columns.n_columns;
    for (int64_t j = 0; j < n; j++) {
        const double* values = columns.values + columns.start[j];
        bool found = columns.n_rows > 0 && columns.start[j + 1] - columns.start[j] == columns.n_rows && values[0] != 0.0;
        for (int64_t i = j; i < n_outputs * n; i += n)
            found = found && penalty.l1[i] == 0.0 && penalty.l2[i] == 0.0 && penalty.lower[i] < -__DBL_MAX__ && penalty.upper[i] > __DBL_MAX__;
        for (int64_t i = 1; found && i < columns.n_rows; i++) found = values[i] == values[0];
        if (found) return j;
    }
    return -1;
}

constexpr double OWN = 1e-10;  // of its curvature, that the intercept must leave a column

// Move x to the optimum of the model, whose slope is kept row by row. After a sweep over all columns come sweeps over
// those that are off zero, until they change no more; then all again.
//
// The intercept follows each step to its optimum: columns that are not about zero pull against it, and one after the
// other they would creep. It is a number, `shift`, that is added to all rows' predictors: row i's slope is
// slope[i] + shift curvature[i], and a column's curvature is what the intercept leaves of it.
INLINE void descend_model(const Columns& columns, const Penalty& penalty, const Model& model, const double* curvature, int64_t intercept, double tol) {
    double shift = 0.0, all = 0.0;
    if (intercept >= 0) {
        V slopes = spread(0.0), curvatures = slopes;
        for (int64_t i = 0; i < columns.n_rows; i += LANES) {
            slopes = slopes + load(model.slope + i);
            curvatures = curvatures + load(curvature + i);
        }
        all = total(curvatures);
        if (!(all > 0.0)) intercept = -1;
        else shift = -total(slopes) / all;
    }
    bool whole = true;
    for (int64_t sweep = 0; sweep < MOST_SWEEPS; sweep++) {
        double change = 0.0;
        for (int64_t j = 0; j < columns.n_columns; j++) {
            double bend = model.bend[j], cross = model.cross[j];
            const double x = model.x[j];
            if (bend <= 0.0 || (!whole && x == 0.0) || j == intercept) continue;
            if (intercept < 0) cross = 0.0;
            else if (bend - cross * cross / all > OWN * bend) bend -= cross * cross / all;
            const int64_t from = columns.start[j], n = columns.start[j + 1] - from;
            const int32_t* rows = columns.rows + from;
            const double slope = gathered(columns.values + from, rows, n, model.slope) + shift * cross + penalty.l2[j] * x;
            const double step = minimiser(penalty, j, x, slope, bend) - x;
            if (step == 0.0) continue;
            scatter(step, model.bent + from, rows, n, model.slope);
            model.x[j] = x + step;
            if (intercept >= 0) shift -= step * cross / all;
            change = most(change, __builtin_fabs(step) * bend);
        }
        if (change <= tol && whole) break;
        whole = change <= tol;
    }
    if (intercept >= 0) model.x[intercept] += shift / columns.values[columns.start[intercept]];
}

// Move theta and output k's predictor towards x as far as the objective falls; return whether it does. `loss` is the mean
// loss before, then after.
INLINE bool move(const Columns& columns, const Penalty& penalty, const Predictors& at, int64_t k, const double* x, double* theta, double* moved,
                 double& loss) {
    const int64_t n = columns.n_columns;
    for (int64_t i = 0; i < at.ld; i++) moved[i] = 0.0;
    for (int64_t j = 0; j < n; j++) {
        const int64_t from = columns.start[j];
        if (x[j] != theta[j]) scatter(x[j] - theta[j], columns.values + from, columns.rows + from, columns.start[j + 1] - from, moved);
    }
    const double before = loss + penalty_at(penalty, theta, x, 0.0, n);
    for (double t = 1.0; t > 1e-10; t /= 2) {
        const double found = mean_loss(columns, at, k, moved, t), after = found + penalty_at(penalty, theta, x, t, n);
        if (!(after <= before + 1e-14 * __builtin_fabs(before))) continue;
        loss = found;
        double* z = at.z + k * at.ld;
        for (int64_t i = 0; i < at.ld; i += LANES) store(z + i, fma(spread(t), load(moved + i), load(z + i)));
        for (int64_t j = 0; j < n; j++) theta[j] = t == 1.0 ? x[j] : theta[j] + t * (x[j] - theta[j]);
        return true;
    }
    return false;
}

// Minimise the mean loss and the penalty over theta (n_outputs, columns), until the smallest subgradient is at most
// tol, or no step lowers the objective.
static void descend(const Columns& columns, double* theta, int64_t n_outputs, const Penalty& penalty, double tol, int64_t most_steps) {
    const int64_t n = columns.n_columns, ld = (columns.n_rows + LANES - 1) / LANES * LANES;
    Scratch z(n_outputs * ld), y(ld), slope(ld), curvature(ld), moved(ld), bent(columns.start[n]), bend(n), cross(n), x(n);
    const Predictors at = {z, y, n_outputs, ld};
    for (int64_t i = 0; i < ld; i++) y[i] = i < columns.n_rows ? columns.y[i] : -1.0;
    const Model model = {slope, bent, bend, cross, x};
    const int64_t intercept = intercept_of(columns, penalty, n_outputs);
    z.clear(n_outputs * ld);
    for (int64_t k = 0; k < n_outputs; k++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t from = columns.start[j];
            if (theta[k * n + j] != 0.0) scatter(theta[k * n + j], columns.values + from, columns.rows + from, columns.start[j + 1] - from, z + k * ld);
        }
    moved.clear(ld);
    double loss = mean_loss(columns, at, 0, moved, 0.0);
    for (int64_t step = 0; step < most_steps; step++) {
        double worst = 0.0;
        for (int64_t k = 0; k < n_outputs; k++) {
            const Penalty own = of_output(penalty, k, n);
            fill_slopes(columns, at, k, slope, curvature);
            const double found = fill_model(columns, own, theta + k * n, curvature, model);
            worst = most(worst, found);
            if (found <= tol) continue;
            descend_model(columns, own, model, curvature, intercept, most(LOOSE * found, TIGHT * tol));
            if (!move(columns, own, at, k, x, theta + k * n, moved, loss)) return;
        }
        if (worst <= tol) return;
    }
}

}  // namespace LEVEL
