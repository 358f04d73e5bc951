// What the parts of the door share: arrays as Python hands them over, checked, and the kernels that were chosen.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <string>

#include "kernels.hpp"

namespace nb = nanobind;

using Read = nb::ndarray<nb::ro, nb::device::cpu>;  // any dtype and shape: checked by hand
template <class T>
using In = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<T, nb::c_contig, nb::device::cpu>;

// Arrays of a block, held as long as kernels may read them.
struct Held {
    Rows rows = {};
    int64_t most_label = -1;  // the largest of y; -1 where one of them is no class
    Read numeric, values, indices;
    In<int32_t> codes, marks;
    In<int64_t> start, stop;
    std::optional<In<float>> y;
    std::optional<In<double>> weight;
};

// The kernels that this process runs.
const Kernels& kernels();

[[noreturn]] void refuse(const std::string& what);

template <class A>
std::string shape_of(const A& array) {
    std::string text = "(";
    for (size_t d = 0; d < array.ndim(); d++) text += (d ? ", " : "") + std::to_string(array.shape(d));
    return text + ")";
}

// Refuse an array of another shape.
template <class A>
void expect(const A& array, const char* name, std::initializer_list<int64_t> shape) {
    bool same = array.ndim() == shape.size();
    size_t d = 0;
    for (int64_t length : shape) same = same && (int64_t)array.shape(d++) == length;
    if (same) return;
    std::string wanted;
    for (int64_t length : shape) wanted += (wanted.empty() ? "" : ", ") + std::to_string(length);
    refuse(std::string(name) + " has shape " + shape_of(array) + "; it must be (" + wanted + ").");
}

void bind_rows(nb::module_& m);
void bind_columns(nb::module_& m);
void bind_systems(nb::module_& m);
void bind_tables(nb::module_& m);
void bind_sources(nb::module_& m);
