// The door to the statistics of a block, and of raw columns and rows.
#include "door.hpp"

namespace {

constexpr auto Float32 = nb::dtype<float>(), Float64 = nb::dtype<double>();

bool is_float(const Read& array, const char* name) {
    if (array.dtype() == Float32) return true;
    if (array.dtype() != Float64) refuse(std::string(name) + " must be float32 or float64.");
    return false;
}

void take_numeric(Rows& rows, const Read& x) {
    if (x.ndim() != 2) refuse("numeric has shape " + shape_of(x) + "; it must be (columns, rows).");
    rows.n_x = (int64_t)x.shape(0);
    rows.n_rows = (int64_t)x.shape(1);
    rows.single = is_float(x, "numeric");
    rows.x = x.data();
    if (x.stride(1) == 1 || rows.n_rows <= 1) rows.ld = x.stride(0);
    else if (x.stride(0) == 1 || rows.n_x <= 1) rows.by_row = true, rows.ld = x.stride(1);
    else refuse("numeric is contiguous along neither rows nor columns.");
    if (rows.n_rows == 0) rows.n_x = 0 < rows.n_x ? rows.n_x : 0;
}

template <class I>
bool all_below(const I* values, int64_t n, int64_t origin, uint64_t bound) {
    bool below = true;
    for (int64_t i = 0; i < n; i++) below &= (uint64_t)((int64_t)values[i] - origin) < bound;
    return below;
}

void take_sparse(Rows& rows, const Read& values, const Read& indices, const In<int64_t>& start, const In<int64_t>& stop, bool by_row,
                 int64_t origin, int64_t n_columns) {
    if (values.ndim() != 1 || indices.ndim() != 1 || values.shape(0) != indices.shape(0))
        refuse("values and indices of sparse columns differ in shape: " + shape_of(values) + " and " + shape_of(indices) + ".");
    if (!(values.shape(0) < 2 || values.stride(0) == 1) || !(indices.shape(0) < 2 || indices.stride(0) == 1))
        refuse("values and indices of sparse columns must be contiguous.");
    rows.single_values = is_float(values, "values");
    rows.long_indices = indices.dtype() == nb::dtype<int64_t>();
    if (!rows.long_indices && indices.dtype() != nb::dtype<int32_t>()) refuse("indices must be int32 or int64.");
    rows.values = values.data();
    rows.indices = indices.data();
    rows.n_lines = by_row ? rows.n_rows : n_columns;
    expect(start, "start", {rows.n_lines});
    expect(stop, "stop", {rows.n_lines});
    rows.start = start.data();
    rows.stop = stop.data();
    rows.n_sparse = n_columns;
    rows.lines_are_rows = by_row;
    rows.origin = origin;
    const int64_t size = (int64_t)values.shape(0);
    const uint64_t bound = (uint64_t)(by_row ? n_columns : rows.n_rows);
    for (int64_t line = 0; line < rows.n_lines; line++) {
        const int64_t from = rows.start[line], to = rows.stop[line];
        if (from < 0 || to < from || to > size) refuse("start and stop of sparse columns lead out of their values.");
        const bool inside = rows.long_indices ? all_below((const int64_t*)rows.indices + from, to - from, origin, bound)
                                              : all_below((const int32_t*)rows.indices + from, to - from, origin, bound);
        if (!inside) refuse("indices of sparse columns lead out of the block.");
        rows.n_stored += to - from;
    }
}

void take_codes(Rows& rows, const In<int32_t>& codes, const In<int32_t>& marks) {
    if (codes.ndim() != 2 || (int64_t)codes.shape(1) != rows.n_rows)
        refuse("codes has shape " + shape_of(codes) + "; it must be (columns, " + std::to_string(rows.n_rows) + ").");
    rows.n_codes = (int64_t)codes.shape(0);
    rows.codes = codes.data();
    const int64_t own = 1 + rows.n_x + rows.n_sparse;  // the first coefficient that codes and marks may name
    if (!all_below(rows.codes, (int64_t)codes.size(), own, (uint64_t)(rows.n_coefs + 1 - own)))
        refuse("codes name coefficients that are other columns', or that there are not.");
    if (marks.ndim() != 2 || marks.shape(0) != 2) refuse("marks has shape " + shape_of(marks) + "; it must be (2, marks).");
    rows.n_marks = (int64_t)marks.shape(1);
    rows.mark_rows = marks.data();
    rows.mark_terms = rows.mark_rows + rows.n_marks;
    bool inside = all_below(rows.mark_rows, rows.n_marks, 0, (uint64_t)rows.n_rows) && all_below(rows.mark_terms, rows.n_marks, own, (uint64_t)(rows.n_coefs - own));
    for (int64_t p = 1; p < rows.n_marks; p++) inside = inside && rows.mark_rows[p - 1] <= rows.mark_rows[p];
    if (!inside) refuse("marks must be pairs of a row and a coefficient of the block, sorted by row.");
}

void take_labels(Held& held) {
    Rows& rows = held.rows;
    if (held.y) {
        expect(*held.y, "y", {rows.n_rows});
        rows.y = held.y->data();
        int32_t largest = 0;
        bool whole = true;
        for (int64_t i = 0; i < rows.n_rows; i++) {
            const float within = rows.y[i] >= 0.0f && rows.y[i] < 16777216.0f ? rows.y[i] : 0.5f;
            const int32_t label = static_cast<int32_t>(within);  // floor is a call for each value
            whole &= within == static_cast<float>(label);
            largest = largest < label ? label : largest;
        }
        held.most_label = whole ? largest : -1;
    }
    if (held.weight) {
        expect(*held.weight, "weight", {rows.n_rows});
        rows.weight = held.weight->data();
    }
}

// Last the instance is made: what was refused before leaves nothing behind.
void hold(Held* self, Read numeric, In<int32_t> codes, In<int32_t> marks, int64_t n_coefs, std::optional<In<float>> y,
          std::optional<In<double>> weight, nb::object sparse) {
    Held held;
    held.numeric = numeric;
    held.codes = codes;
    held.marks = marks;
    held.y = y;
    held.weight = weight;
    Rows& rows = held.rows;
    rows.n_coefs = n_coefs;
    take_numeric(rows, numeric);
    if (!sparse.is_none()) {
        held.values = nb::cast<Read>(sparse.attr("values"));
        held.indices = nb::cast<Read>(sparse.attr("indices"));
        held.start = nb::cast<In<int64_t>>(sparse.attr("start"));
        held.stop = nb::cast<In<int64_t>>(sparse.attr("stop"));
        take_sparse(rows, held.values, held.indices, held.start, held.stop, nb::cast<bool>(sparse.attr("by_row")),
                    nb::cast<int64_t>(sparse.attr("origin")), nb::cast<int64_t>(sparse.attr("n_columns")));
    }
    if (n_coefs < 1 + rows.n_x + rows.n_sparse) refuse("n_coefs is " + std::to_string(n_coefs) + ", fewer than the intercept and the columns.");
    take_codes(rows, codes, marks);
    take_labels(held);
    new (self) Held(std::move(held));
}

Coefs coefs_of(const Held& held, const In<double>& coef, const In<double>& centre) {
    expect(centre, "centre", {held.rows.n_x});
    if (coef.ndim() != 2 || coef.shape(0) < 1 || (int64_t)coef.shape(1) != held.rows.n_coefs)
        refuse("coef has shape " + shape_of(coef) + "; it must be (outputs, " + std::to_string(held.rows.n_coefs) + ").");
    return {coef.data(), centre.data(), (int64_t)coef.shape(0)};
}

void expect_labels(const Held& held, int64_t n_outputs) {
    if (held.rows.y == nullptr) refuse("the block has no labels.");
    if (n_outputs > 1 && (held.most_label < 0 || held.most_label >= n_outputs))
        refuse("labels must be whole numbers from 0 to " + std::to_string(n_outputs - 1) + ".");
}

double sums(const Held& held, const In<double>& coef, const In<double>& centre, int order, const Out<double>& gradient, const Out<double>& hessian) {
    const Coefs at = coefs_of(held, coef, centre);
    const int64_t n = at.n_outputs * held.rows.n_coefs;
    expect_labels(held, at.n_outputs);
    if (order < 0 || order > 2) refuse("order is " + std::to_string(order) + "; it must be 0, 1 or 2.");
    if (order >= 1) expect(gradient, "gradient", {at.n_outputs, held.rows.n_coefs});
    if (order == 2) expect(hessian, "hessian", {n, n});
    if (order == 2 && held.rows.n_lines > 0 && !held.rows.lines_are_rows) refuse("a Hessian takes sparse columns by row.");
    nb::gil_scoped_release released;
    return kernels().sums(held.rows, at, order, gradient.data(), hessian.data());
}

void sums_together(const Held& held, const In<double>& coef, const In<double>& centre, const In<float>& y, std::optional<In<double>> weight,
                   const Out<double>& losses, const Out<double>& gradients) {
    const Coefs at = coefs_of(held, coef, centre);
    expect(y, "y", {at.n_outputs, held.rows.n_rows});
    if (weight) expect(*weight, "weight", {at.n_outputs, held.rows.n_rows});
    expect(losses, "losses", {at.n_outputs});
    expect(gradients, "gradients", {at.n_outputs, held.rows.n_coefs});
    nb::gil_scoped_release released;
    kernels().sums_together(held.rows, at, y.data(), weight ? weight->data() : nullptr, losses.data(), gradients.data());
}

void diagonal(const Held& held, const In<double>& coef, const In<double>& centre, const Out<double>& found, const Out<double>& squares) {
    const Coefs at = coefs_of(held, coef, centre);
    expect(found, "diagonal", {at.n_outputs, held.rows.n_coefs});
    expect(squares, "squares", {at.n_outputs, held.rows.n_coefs});
    nb::gil_scoped_release released;
    kernels().diagonal(held.rows, at, found.data(), squares.data());
}

void multiply(const Held& held, const In<double>& coef, const In<double>& direction, const In<double>& centre, const Out<double>& product) {
    const Coefs at = coefs_of(held, coef, centre);
    expect(direction, "direction", {at.n_outputs, held.rows.n_coefs});
    expect(product, "product", {at.n_outputs, held.rows.n_coefs});
    nb::gil_scoped_release released;
    kernels().multiply(held.rows, at, direction.data(), product.data());
}

void shared_hessian(const Held& held, const In<double>& coef, const In<double>& centre, const Out<double>& pairs, const Out<double>& hessian) {
    const Coefs at = coefs_of(held, coef, centre);
    expect(pairs, "pairs", {at.n_outputs, at.n_outputs});
    expect(hessian, "hessian", {held.rows.n_coefs, held.rows.n_coefs});
    if (held.rows.n_lines > 0 && !held.rows.lines_are_rows) refuse("a Hessian takes sparse columns by row.");
    nb::gil_scoped_release released;
    kernels().shared_hessian(held.rows, at, pairs.data(), hessian.data());
}

void predictor(const Held& held, const In<double>& coef, const In<double>& centre, const Out<double>& z) {
    const Coefs at = coefs_of(held, coef, centre);
    expect(z, "z", {at.n_outputs, held.rows.n_rows});
    nb::gil_scoped_release released;
    kernels().predictor(held.rows, at, z.data());
}

void probabilities(const In<double>& z, const Out<double>& p) {
    if (z.ndim() != 2 || z.shape(0) < 1) refuse("z has shape " + shape_of(z) + "; it must be (outputs, rows).");
    const int64_t n_outputs = (int64_t)z.shape(0), n_rows = (int64_t)z.shape(1);
    expect(p, "p", {n_outputs == 1 ? 2 : n_outputs, n_rows});
    nb::gil_scoped_release released;
    kernels().probabilities(z.data(), n_outputs, n_rows, p.data());
}

void moments(const Held& held, const Out<double>& weight, const Out<double>& mean, const Out<double>& squares) {
    if (held.rows.n_rows == 0) refuse("a block without rows has no moments.");
    for (const auto& [array, name] : {std::pair{&weight, "weight"}, {&mean, "mean"}, {&squares, "squares"}}) expect(*array, name, {held.rows.n_x});
    nb::gil_scoped_release released;
    kernels().moments(held.rows, weight.data(), mean.data(), squares.data());
}

void largest(const Held& held, const Out<double>& found) {
    expect(found, "found", {held.rows.n_sparse});
    nb::gil_scoped_release released;
    kernels().largest(held.rows, found.data());
}

void describe(const Read& columns, std::optional<In<double>> weight, const Out<double>& found) {
    if (columns.ndim() != 2 || (columns.size() > 0 && columns.shape(1) > 1 && columns.stride(1) != 1)) refuse("columns must be (columns, rows), each column contiguous.");
    const int64_t n = (int64_t)columns.shape(0), n_rows = (int64_t)columns.shape(1), step = columns.stride(0);
    const bool single = is_float(columns, "columns");
    if (weight) expect(*weight, "weight", {n_rows});
    expect(found, "found", {n, 6});
    const double* w = weight ? weight->data() : nullptr;
    double* into = found.data();
    const char* values = static_cast<const char*>(columns.data());
    nb::gil_scoped_release released;
    for (int64_t j = 0; j < n; j++) kernels().describe(values + j * step * (single ? 4 : 8), single, n_rows, w, into + 6 * j);
}

double read_values(const Read& values) {
    if (values.ndim() != 1 || (values.size() > 1 && values.stride(0) != 1)) refuse("values must be contiguous, (n,).");
    const bool single = is_float(values, "values");
    nb::gil_scoped_release released;
    return kernels().read_all(values.data(), single, (int64_t)values.size());
}

void hash_rows(uint64_t state, uint64_t first_row, const Out<uint64_t>& found) {
    nb::gil_scoped_release released;
    kernels().hashes(state, first_row, (int64_t)found.size(), found.data());
}

int64_t draw(const Held& held, uint64_t state, uint64_t first_row, const In<uint64_t>& below, const Out<int64_t>& drawn) {
    if (held.most_label < 0 || below.ndim() != 1 || held.most_label >= (int64_t)below.shape(0)) refuse("there must be a fraction for each label.");
    expect(drawn, "drawn", {held.rows.n_rows});
    nb::gil_scoped_release released;
    return kernels().draw(state, first_row, held.rows.y, held.rows.n_rows, below.data(), drawn.data());
}

template <void (*const Kernels::*function)(const double*, int64_t, double*)>
void each(const In<double>& x, const Out<double>& found) {
    if (x.size() != found.size()) refuse("x and found differ in size.");
    (kernels().*function)(x.data(), (int64_t)x.size(), found.data());
}

}  // namespace

void bind_rows(nb::module_& m) {
    const auto in = [](const char* name) { return nb::arg(name).noconvert(); };
    const auto maybe = [](const char* name) { return nb::arg(name).noconvert().none(); };
    nb::class_<Held>(m, "Rows", "Some rows, encoded, as the kernels read them; the arrays are held, not copied.")
        .def("__init__", hold, in("numeric"), in("codes"), in("marks"), nb::arg("n_coefs"), maybe("y"), maybe("weight"), nb::arg("sparse").none())
        .def("sums", sums, in("coef"), in("centre"), nb::arg("order"), in("gradient"), in("hessian"))
        .def("sums_together", sums_together, in("coef"), in("centre"), in("y"), maybe("weight"), in("losses"), in("gradients"))
        .def("diagonal", diagonal, in("coef"), in("centre"), in("diagonal"), in("squares"))
        .def("multiply", multiply, in("coef"), in("direction"), in("centre"), in("product"))
        .def("shared_hessian", shared_hessian, in("coef"), in("centre"), in("pairs"), in("hessian"))
        .def("predictor", predictor, in("coef"), in("centre"), in("z"))
        .def("moments", moments, in("weight"), in("mean"), in("squares"))
        .def("largest", largest, in("found"))
        .def("draw", draw, nb::arg("state"), nb::arg("first_row"), in("below"), in("drawn"));
    m.def("probabilities", probabilities, in("z"), in("p"));
    m.def("describe", describe, in("columns"), maybe("weight"), in("found"));
    m.def("read", read_values, in("values"));
    m.def("hash_rows", hash_rows, nb::arg("state"), nb::arg("first_row"), in("found"));
    m.def("exp_nonpositive", each<&Kernels::exp_nonpositive>, in("x"), in("found"));
    m.def("log1p_nonnegative", each<&Kernels::log1p_nonnegative>, in("x"), in("found"));
}
