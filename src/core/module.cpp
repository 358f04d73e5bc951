// The extension module `zeroloop.core`: it chooses the kernels for this processor, and opens the doors to them.
#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#endif

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "door.hpp"

namespace {

#if defined(__x86_64__) || defined(_M_X64)
// Which registers the operating system saves of a process, as XGETBV says: XCR0.
uint64_t saved_registers() {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return static_cast<uint64_t>(high) << 32 | low;
}

// Asked of the processor itself: Zig's `__builtin_cpu_supports` says no to everything.
bool runs(const std::string& level) {
    const uint64_t ymm = 0x6, zmm = 0xe6;                          // bits of XCR0
    const uint32_t fma = 1u << 12, osxsave = 1u << 27;             // leaf 1, ECX
    const uint32_t avx2 = 1u << 5, bmi1 = 1u << 3, bmi2 = 1u << 8;  // leaf 7, EBX
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;  // F, DQ, CD, BW, VL
    if (level == "plain") return true;
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (fma | osxsave)) != (fma | osxsave)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    const uint64_t saved = saved_registers();
    const bool v3 = (saved & ymm) == ymm && (b & (avx2 | bmi1 | bmi2)) == (avx2 | bmi1 | bmi2);
    return level == "v3" ? v3 : v3 && (saved & zmm) == zmm && (b & avx512) == avx512;
}
#else
bool runs(const std::string&) { return true; }
#endif

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
