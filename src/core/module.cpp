// The extension module `zeroloop.core`: it chooses the kernels for this processor, and opens the doors to them.
#include <cstdlib>
#include <vector>

#include "door.hpp"

namespace {

bool runs(const std::string& level) {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_cpu_init();
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (level == "v3") return v3;
    if (level == "v4")
        return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
#endif
    return true;
}

// The levels that this processor can run, the best first.
std::vector<const Kernels*> able() {
    std::vector<const Kernels*> found;
#if defined(__x86_64__) || defined(_M_X64)
    const Kernels* all[] = {&zeroloop_v4, &zeroloop_v3, &zeroloop_plain};
#elif defined(__aarch64__)
    const Kernels* all[] = {&zeroloop_neon};
#else
    const Kernels* all[] = {&zeroloop_plain};
#endif
    for (const Kernels* level : all)
        if (runs(level->name)) found.push_back(level);
    return found;
}

const Kernels* chosen = nullptr;

// The best level, or the one that the environment variable ZEROLOOP_CPU names.
void choose() {
    const std::vector<const Kernels*> levels = able();
    const char* wanted = std::getenv("ZEROLOOP_CPU");
    std::string names;
    for (const Kernels* level : levels) {
        if (wanted == nullptr || *wanted == 0 || std::string(wanted) == level->name) {
            chosen = level;
            return;
        }
        names += (names.empty() ? "" : ", ") + std::string(level->name);
    }
    throw nb::import_error(("ZEROLOOP_CPU is \"" + std::string(wanted) + "\"; this processor runs: " + names + ".").c_str());
}

}  // namespace

const Kernels& kernels() { return *chosen; }

void refuse(const std::string& what) { throw nb::value_error(what.c_str()); }

NB_MODULE(core, m) {
    m.doc() = "The compiled kernels: sums over rows, one block at a time.";
    choose();
    nb::list levels;
    for (const Kernels* level : able()) levels.append(level->name);
    m.attr("level") = chosen->name;
    m.attr("levels") = nb::tuple(levels);
    bind_rows(m);
    bind_columns(m);
    bind_systems(m);
    bind_tables(m);
    bind_sources(m);
}
