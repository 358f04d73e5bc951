// The door to dense algebra: NumPy's arrays in, new arrays out.
//
// Vectors of four or thirty values come here hundreds of times in a small fit. So arrays are read by Python's buffers, a
// quarter of the time of what nanobind's arrays cost, and the lock is kept where work is shorter than giving it back.
#include <cmath>
#include <initializer_list>

#include "door.hpp"

namespace {

constexpr double LOCK_KEPT = 1e6;  // products that are done while Python's lock is held

// NumPy's functions, looked up once; they live as long as the process.
PyObject *empty = nullptr, *ascontiguousarray = nullptr, *float64 = nullptr;

bool is_float64(const Py_buffer& view) {
    if (view.format == nullptr || std::string(view.format) != "d") return false;
    for (int d = 0; d < view.ndim; d++)
        if (view.strides[d] % 8 != 0) return false;
    return true;
}

// A float64 array of any strides; copied where it is something else that NumPy makes an array of.
class Array {
    nb::object owner_;
    Py_buffer view_ = {};

    void copy(nb::handle given) {
        owner_ = nb::steal(PyObject_CallFunctionObjArgs(ascontiguousarray, given.ptr(), float64, nullptr));
        if (!owner_.is_valid() || PyObject_GetBuffer(owner_.ptr(), &view_, PyBUF_RECORDS_RO) != 0) throw nb::python_error();
    }

public:
    explicit Array(nb::handle given, bool contiguous = false) {
        if (PyObject_GetBuffer(given.ptr(), &view_, PyBUF_RECORDS_RO) != 0) {
            PyErr_Clear();
            copy(given);
        } else if (!is_float64(view_) || (contiguous && !PyBuffer_IsContiguous(&view_, 'C'))) {
            PyBuffer_Release(&view_);
            copy(given);
        }
    }
    ~Array() { PyBuffer_Release(&view_); }
    Array(const Array&) = delete;

    int ndim() const { return view_.ndim; }
    int64_t shape(int d) const { return view_.shape[d]; }
    int64_t stride(int d) const { return view_.strides[d] / 8; }
    int64_t size() const { return view_.len / 8; }
    double* data() const { return static_cast<double*>(view_.buf); }
    std::string shape_text() const {
        std::string text = "(";
        for (int d = 0; d < ndim(); d++) text += (d ? ", " : "") + std::to_string(shape(d));
        return text + (ndim() == 1 ? ",)" : ")");
    }
};

// A new array, and its values.
struct New {
    nb::object array;
    double* data;
    explicit New(std::initializer_list<int64_t> shape) {
        nb::object lengths = nb::steal(PyTuple_New((Py_ssize_t)shape.size()));
        Py_ssize_t d = 0;
        for (int64_t length : shape) PyTuple_SetItem(lengths.ptr(), d++, PyLong_FromLongLong(length));
        array = nb::steal(PyObject_CallFunctionObjArgs(empty, lengths.ptr(), nullptr));
        if (!array.is_valid()) throw nb::python_error();
        data = Array(array).data();
    }
    nb::object transposed() const { return array.attr("T"); }
};

// Work of so many products, without the lock where it takes long.
template <class F>
void work(double products, F f) {
    if (products < LOCK_KEPT) return f();
    nb::gil_scoped_release released;
    f();
}

void expect_square(const Array& a, const char* name) {
    if (a.ndim() != 2 || a.shape(0) != a.shape(1)) refuse(std::string(name) + " has shape " + a.shape_text() + "; it must be square.");
}

double cube(int64_t n) { return (double)n * (double)n * (double)n; }

double dot(nb::handle a, nb::handle b) {
    const Array x(a, true), y(b, true);
    if (x.size() != y.size()) refuse("dot has arrays of shapes " + x.shape_text() + " and " + y.shape_text() + "; they must be alike.");
    return kernels().systems.dot(x.data(), y.data(), x.size());
}

double norm(nb::handle a) {
    const Array x(a, true);
    return std::sqrt(kernels().systems.dot(x.data(), x.data(), x.size()));
}

nb::object matmul(nb::handle left, nb::handle right) {
    const Array a(left), b(right);
    const bool fits = (a.ndim() == 2 || a.ndim() == 1) && (b.ndim() == 2 || b.ndim() == 1) && a.ndim() + b.ndim() > 2;
    if (!fits || a.shape(a.ndim() - 1) != b.shape(0))
        refuse("matmul has arrays of shapes " + a.shape_text() + " and " + b.shape_text() + "; they cannot be multiplied.");
    const int64_t m = a.ndim() == 2 ? a.shape(0) : 1, k = b.shape(0), n = b.ndim() == 2 ? b.shape(1) : 1;
    const View x = {a.data(), a.ndim() == 2 ? a.stride(0) : k, a.stride(a.ndim() - 1)};
    const View y = {b.data(), b.stride(0), b.ndim() == 2 ? b.stride(1) : 1};
    const New c = a.ndim() == 1 ? New({n}) : b.ndim() == 1 ? New({m}) : New({m, n});
    work((double)m * (double)n * (double)k, [&] { kernels().systems.product(x, y, m, n, k, false, c.data); });
    return c.array;
}

nb::object gram(nb::handle given) {
    const Array a(given);
    if (a.ndim() != 2) refuse("gram has an array of shape " + a.shape_text() + "; it must have rows and columns.");
    const View x = {a.data(), a.stride(0), a.stride(1)};
    const int64_t m = a.shape(0);
    const New c({m, m});
    work((double)m * (double)a.size() / 2, [&] { kernels().systems.product(x, View{x.p, x.column, x.row}, m, m, a.shape(1), true, c.data); });
    return c.array;
}

nb::object cholesky(nb::handle given) {
    const Array a(given, true);
    expect_square(a, "cholesky's matrix");
    const int64_t n = a.shape(0);
    const New u({n, n});
    bool found = false;
    work(cube(n) / 6, [&] { found = kernels().systems.cholesky(a.data(), n, u.data); });
    return found ? u.transposed() : nb::none();
}

// A copy of an upper triangular factor, given as what `cholesky` returns or as any lower triangular matrix.
struct Upper {
    New array;
    int64_t n;
    explicit Upper(const Array& lower) : array({lower.shape(0), lower.shape(0)}), n(lower.shape(0)) {
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i; j < n; j++) array.data[i * n + j] = lower.data()[j * lower.stride(0) + i * lower.stride(1)];
    }
};

// The right side of n equations, copied, to be replaced by the solution.
struct Right {
    New array;
    int64_t m;
    static New copied(nb::handle given, int64_t n) {
        const Array b(given, true);
        if ((b.ndim() != 1 && b.ndim() != 2) || b.shape(0) != n)
            refuse("The right side has shape " + b.shape_text() + "; it must have " + std::to_string(n) + " rows, as the matrix has.");
        New found = b.ndim() == 1 ? New({n}) : New({n, b.shape(1)});
        std::memcpy(found.data, b.data(), (size_t)b.size() * 8);
        return found;
    }
    Right(nb::handle given, int64_t n) : array(copied(given, n)), m(1) {
        const Array found(array.array);
        if (found.ndim() == 2) m = found.shape(1);
    }
};

nb::object solve_positive(nb::handle matrix, nb::handle right) {
    const Array a(matrix, true);
    expect_square(a, "solve_positive's matrix");
    const int64_t n = a.shape(0);
    const Right b(right, n);
    bool found = false;
    work(cube(n) / 6 + (double)n * (double)n * (double)b.m, [&] { found = kernels().systems.solve_positive(a.data(), n, b.array.data, b.m); });
    return found ? b.array.array : nb::none();
}

nb::object solve_scaled(nb::handle matrix, nb::handle right, double flat, double distinct) {
    const Array a(matrix, true);
    expect_square(a, "solve_scaled's matrix");
    const int64_t n = a.shape(0);
    const Right b(right, n);
    if (b.m != 1) refuse("solve_scaled's right side has " + std::to_string(b.m) + " columns; it must have one.");
    bool found = false;
    work(cube(n) / 6, [&] { found = kernels().systems.solve_scaled(a.data(), n, flat, distinct, b.array.data); });
    return found ? b.array.array : nb::none();
}

// a[i, j] unit[i] unit[j] / weight of a's upper triangle, mirrored. In squares of TILE cells, so that what is written down
// a column stays in cache.
nb::object mirrored(nb::handle matrix, nb::handle factors, double weight) {
    constexpr int64_t TILE = 64;
    const Array a(matrix, true), unit(factors, true);
    expect_square(a, "mirrored's matrix");
    const int64_t n = a.shape(0);
    if (unit.size() != n) refuse("mirrored has factors of shape " + unit.shape_text() + "; it must be (" + std::to_string(n) + ",), one a row.");
    const New found({n, n});
    const double *from = a.data(), *by = unit.data();
    work(8.0 * (double)n * (double)n, [&] {
        for (int64_t top = 0; top < n; top += TILE)
            for (int64_t left = top; left < n; left += TILE)
                for (int64_t i = top; i < n && i < top + TILE; i++)
                    for (int64_t j = left > i ? left : i; j < n && j < left + TILE; j++)
                        found.data[i * n + j] = found.data[j * n + i] = from[i * n + j] * (by[i] * (by[j] / weight));
    });
    return found.array;
}

nb::object solve_lower(nb::handle factor, nb::handle right, bool transposed) {
    const Array lower(factor);
    expect_square(lower, "solve_lower's matrix");
    const Upper u(lower);
    const Right b(right, u.n);
    work((double)u.n * (double)u.n * (double)b.m, [&] { kernels().systems.solve_triangular(u.array.data, u.n, !transposed, b.array.data, b.m); });
    return b.array.array;
}

nb::object invert_positive(nb::handle matrix) {
    const Array a(matrix, true);
    expect_square(a, "invert_positive's matrix");
    const int64_t n = a.shape(0);
    const New inverse({n, n});
    bool found = false;
    work(cube(n) / 2, [&] { found = kernels().systems.invert_positive(a.data(), n, inverse.data); });
    return found ? inverse.array : nb::none();
}

nb::object invert_lower(nb::handle factor) {
    const Array lower(factor);
    expect_square(lower, "invert_lower's matrix");
    const Upper u(lower);
    const New inverse({u.n, u.n});
    work(cube(u.n) / 3, [&] { kernels().systems.invert_triangular(u.array.data, u.n, inverse.data); });
    return inverse.transposed();
}

nb::object eigh(nb::handle matrix) {
    const Array a(matrix, true);
    expect_square(a, "eigh's matrix");
    const int64_t n = a.shape(0);
    const New values({n}), vectors({n, n});
    bool found = false;
    work(4 * cube(n), [&] { found = kernels().systems.eigen(a.data(), n, values.data, vectors.data); });
    if (!found) refuse("eigh's matrix holds NaN or infinity.");
    return nb::make_tuple(values.array, vectors.transposed());
}

// A function of each value: an array of the same shape, or a float for a number.
template <class F>
nb::object of_each(nb::handle given, F f) {
    const Array x(given, true);
    double one = 0.0;
    if (x.ndim() == 0 || PyFloat_Check(given.ptr())) {
        f(x.data(), 1, &one);
        return nb::float_(one);
    }
    nb::object shape = nb::steal(PyTuple_New(x.ndim()));
    for (int d = 0; d < x.ndim(); d++) PyTuple_SetItem(shape.ptr(), d, PyLong_FromLongLong(x.shape(d)));
    nb::object found = nb::steal(PyObject_CallFunctionObjArgs(empty, shape.ptr(), nullptr));
    if (!found.is_valid()) throw nb::python_error();
    double* to = Array(found).data();
    work(20.0 * (double)x.size(), [&] { f(x.data(), x.size(), to); });
    return found;
}

}  // namespace

void bind_systems(nb::module_& m) {
    nb::module_ numpy = nb::module_::import_("numpy");
    empty = nb::object(numpy.attr("empty")).release().ptr();
    ascontiguousarray = nb::object(numpy.attr("ascontiguousarray")).release().ptr();
    float64 = nb::object(numpy.attr("float64")).release().ptr();
    m.def("dot", dot, nb::arg("a"), nb::arg("b"), "Return `sum_j a[j] b[j]`.");
    m.def("norm", norm, nb::arg("a"), "Return the square root of the sum of squares.");
    m.def("matmul", matmul, nb::arg("a"), nb::arg("b"), "Return the product of two matrices, or of a matrix and a vector.");
    m.def("gram", gram, nb::arg("a"), "Return `a a'`, symmetric.");
    m.def("cholesky", cholesky, nb::arg("a"), "Return the lower triangular L with `L L' = a`; None where a is not positive definite.");
    m.def("solve_positive", solve_positive, nb::arg("a"), nb::arg("b"), "Return `a^-1 b`; None where a is not positive definite.");
    m.def("solve_scaled", solve_scaled, nb::arg("a"), nb::arg("b"), nb::arg("flat"), nb::arg("distinct"),
          "Return `a^-1 b` by a brought to ones on its diagonal; None where it is not well positive definite.");
    m.def("mirrored", mirrored, nb::arg("a"), nb::arg("unit"), nb::arg("weight"),
          "Return a symmetric matrix of a's upper triangle, `a[i, j] unit[i] unit[j] / weight`.");
    m.def("solve_lower", solve_lower, nb::arg("lower"), nb::arg("b"), nb::arg("transposed") = false, "Return `lower^-1 b`, or `lower'^-1 b`.");
    m.def("invert_positive", invert_positive, nb::arg("a"), "Return a's inverse; None where a is not positive definite.");
    m.def("invert_lower", invert_lower, nb::arg("lower"), "Return the inverse of a lower triangular matrix.");
    m.def("eigh", eigh, nb::arg("a"), "Return a symmetric matrix's eigenvalues, ascending, and its eigenvectors, which are columns.");
    m.def("exp", [](nb::handle x) { return of_each(x, kernels().systems.exp); }, nb::arg("x"), "Return e to the power of each value.");
    m.def("log", [](nb::handle x) { return of_each(x, kernels().systems.log); }, nb::arg("x"), "Return each value's logarithm.");
    m.def("log1p", [](nb::handle x) { return of_each(x, kernels().systems.log1p); }, nb::arg("x"), "Return the logarithm of 1 + each value.");
}
