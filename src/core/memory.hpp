// Scratch of a kernel's call.
#pragma once
#include <new>

#include "lanes.hpp"

namespace LEVEL {

// `size` float64, aligned to a cache line, freed when the call ends; std::bad_alloc where memory does not suffice.
struct Scratch {
    double* p;
    explicit Scratch(int64_t size)
        : p(static_cast<double*>(::operator new(static_cast<size_t>(most<int64_t>(size, 1)) * 8, std::align_val_t(64)))) {}
    ~Scratch() { ::operator delete(p, std::align_val_t(64)); }
    Scratch(const Scratch&) = delete;
    operator double*() const { return p; }
    void clear(int64_t size) { for (int64_t i = 0; i < size; i++) p[i] = 0.0; }
};

}  // namespace LEVEL
