// The door to columns: some of them picked out of blocks, coordinate descent over them, and CSC columns split by rows.
#include <cstring>
#include <vector>

#include "door.hpp"

namespace {

template <class T>
using New = nb::ndarray<nb::numpy, T>;

// A new array, (size,), of values that are not set.
template <class T>
New<T> new_array(size_t size) {
    T* data = new T[size];
    return New<T>(data, {size}, nb::capsule(data, [](void* p) noexcept { delete[] static_cast<T*>(p); }));
}

// Refuse what is not the start of each column among `size` values, and the end of the last.
void expect_starts(const int64_t* start, int64_t n, int64_t size, const char* name) {
    bool right = start[0] >= 0 && start[n] <= size;
    for (int64_t j = 0; j < n; j++) right = right && start[j] <= start[j + 1];
    if (!right) refuse(std::string(name) + " must rise, from at least 0 to at most the number of values, " + std::to_string(size) + ".");
}

int64_t columns_of(const In<int64_t>& start, const char* name) {
    if (start.ndim() != 1 || start.shape(0) < 1) refuse(std::string(name) + " has shape " + shape_of(start) + "; it must be (columns + 1,).");
    return (int64_t)start.shape(0) - 1;
}

// The values of a block in some coefficients, column after column: where each begins, and the rows and values.
nb::tuple pick_wanted(const Held& held, const In<int64_t>& position, const In<double>& centre, const In<double>& unit) {
    const Rows& rows = held.rows;
    expect(position, "position", {rows.n_coefs + 1});
    expect(centre, "centre", {rows.n_x});
    expect(unit, "unit", {rows.n_coefs});
    const int64_t* at = position.data();
    int64_t n = 0;
    for (int64_t l = 0; l <= rows.n_coefs; l++) {
        if (at[l] < -1 || at[l] > rows.n_coefs) refuse("position must be -1 or the place of a coefficient among those wanted.");
        if (at[l] >= n) n = at[l] + 1;
    }
    if (at[rows.n_coefs] != -1) refuse("position of no coefficient, the last, must be -1.");
    New<int64_t> start = new_array<int64_t>((size_t)n + 1);
    std::vector<int64_t> next((size_t)n);
    {
        nb::gil_scoped_release released;
        std::memset(start.data(), 0, (size_t)(n + 1) * 8);
        kernels().count_wanted(rows, at, start.data() + 1);
        for (int64_t j = 0; j < n; j++) start.data()[j + 1] += next[(size_t)j] = start.data()[j];
    }
    const size_t size = (size_t)start.data()[n];
    New<int32_t> found_rows = new_array<int32_t>(size);
    New<double> found = new_array<double>(size);
    {
        nb::gil_scoped_release released;
        kernels().deal_wanted(rows, at, centre.data(), unit.data(), next.data(), found_rows.data(), found.data());
    }
    return nb::make_tuple(start, found_rows, found);
}

// Copy a piece's columns, whose rows begin at `first`, to the free places of whole ones, and move these on.
void append_columns(const In<int64_t>& piece_start, const In<int32_t>& piece_rows, const In<double>& piece_values, int64_t first,
                    const Out<int64_t>& free, const Out<int32_t>& rows, const Out<double>& values) {
    const int64_t n = columns_of(piece_start, "piece_start"), size = (int64_t)values.size(), piece_size = (int64_t)piece_values.size();
    expect(piece_rows, "piece_rows", {piece_size});
    expect(piece_values, "piece_values", {piece_size});
    expect(free, "free", {n});
    expect(rows, "rows", {size});
    expect(values, "values", {size});
    expect_starts(piece_start.data(), n, piece_size, "piece_start");
    if (first < 0 || first > INT32_MAX) refuse("rows beyond 2147483647 are more than coordinate descent can take; fit with fewer rows.");
    const int64_t* start = piece_start.data();
    for (int64_t j = 0; j < n; j++) {
        const int64_t length = start[j + 1] - start[j];
        if (free.data()[j] < 0 || free.data()[j] > size - length) refuse("free leads out of the values.");
    }
    nb::gil_scoped_release released;
    for (int64_t j = 0; j < n; j++) {
        const int64_t length = start[j + 1] - start[j], at = free.data()[j];
        for (int64_t p = 0; p < length; p++) rows.data()[at + p] = (int32_t)(first + piece_rows.data()[start[j] + p]);
        if (length > 0) std::memcpy(values.data() + at, piece_values.data() + start[j], (size_t)length * 8);
        free.data()[j] = at + length;
    }
}

void descend(const In<int64_t>& start, const In<int32_t>& rows, const In<double>& values, const In<int32_t>& y, const In<double>& weight,
             const Out<double>& theta, const In<double>& l2, const In<double>& l1, const In<double>& lower, const In<double>& upper, double tol,
             int64_t most_steps) {
    const int64_t n = columns_of(start, "start"), size = (int64_t)values.size(), n_rows = (int64_t)y.size();
    expect(rows, "rows", {size});
    expect(values, "values", {size});
    expect(y, "y", {n_rows});
    expect(weight, "weight", {n_rows});
    expect_starts(start.data(), n, size, "start");
    bool inside = true;
    for (int64_t p = 0; p < size; p++) inside &= (uint64_t)(int64_t)rows.data()[p] < (uint64_t)n_rows;
    if (!inside) refuse("rows of columns must be from 0 to " + std::to_string(n_rows - 1) + ".");
    if (theta.ndim() != 2 || (int64_t)theta.shape(1) != n) refuse("theta has shape " + shape_of(theta) + "; it must be (outputs, " + std::to_string(n) + ").");
    const int64_t n_outputs = (int64_t)theta.shape(0);
    for (const auto& [array, name] : {std::pair{&l2, "l2"}, {&l1, "l1"}, {&lower, "lower"}, {&upper, "upper"}}) expect(*array, name, {n_outputs, n});
    const Columns columns = {start.data(), rows.data(), values.data(), y.data(), weight.data(), n, n_rows};
    nb::gil_scoped_release released;
    kernels().descend(columns, theta.data(), n_outputs, {l2.data(), l1.data(), lower.data(), upper.data()}, tol, most_steps);
}

void split_columns(const Read& indices, const In<int64_t>& indptr, const In<int64_t>& bounds, const Out<int64_t>& places) {
    const int64_t n = columns_of(indptr, "indptr"), n_bounds = (int64_t)bounds.size();
    if (indices.ndim() != 1 || (indices.shape(0) > 1 && indices.stride(0) != 1)) refuse("indices must be one row of numbers, side by side.");
    const bool is_long = indices.dtype() == nb::dtype<int64_t>();
    if (!is_long && indices.dtype() != nb::dtype<int32_t>()) refuse("indices must be int32 or int64.");
    expect(bounds, "bounds", {n_bounds});
    expect(places, "places", {n_bounds, n});
    expect_starts(indptr.data(), n, (int64_t)indices.shape(0), "indptr");
    nb::gil_scoped_release released;
    kernels().split_columns(indices.data(), is_long, indptr.data(), n, bounds.data(), n_bounds, places.data());
}

}  // namespace

void bind_columns(nb::module_& m) {
    const auto in = [](const char* name) { return nb::arg(name).noconvert(); };
    m.def("pick_wanted", pick_wanted, nb::arg("rows"), in("position"), in("centre"), in("unit"));
    m.def("append_columns", append_columns, in("piece_start"), in("piece_rows"), in("piece_values"), nb::arg("first"), in("free"), in("rows"), in("values"));
    m.def("descend", descend, in("start"), in("rows"), in("values"), in("y"), in("weight"), in("theta"), in("l2"), in("l1"), in("lower"), in("upper"),
          nb::arg("tol"), nb::arg("most_steps"));
    m.def("split_columns", split_columns, in("indices"), in("indptr"), in("bounds"), in("places"));
}
