// The Hessian of a tile of rows, X diag(curvature) X', for every pair of kinds: numeric, sparse, codes and marks.
//
// Numeric columns are first shifted by their centre into scratch: products of raw columns far from zero (a Unix time)
// would lose the variance in the square of the mean.
#pragma once
#include "dense.hpp"
#include "memory.hpp"
#include "products.hpp"
#include "sparse.hpp"

namespace LEVEL {

// A tile's numeric terms, the intercept's 1 first, in panels of PANEL_TERMS terms: row i's of panel q at (q * k + i) * PANEL_TERMS.
INLINE int64_t n_panels(const Rows& rows) { return (1 + rows.n_x + PANEL_TERMS - 1) / PANEL_TERMS; }
// Terms of panel q that products read: all, but in the last one.
INLINE int64_t read_terms(int64_t n_terms, int64_t q) {
    return least(PANEL_TERMS, (n_terms - q * PANEL_TERMS + HELD_ROWS - 1) / HELD_ROWS * HELD_ROWS);
}

// A register of each of the rows of a tile, the terms from `term` on. Beyond the last row, up to whole registers,
// stands what is not looked at.
template <class T>
INLINE void fill_part(const Rows& rows, const T* x, int64_t term, int64_t k, const double* centre, double* panel) {
    const int64_t n = rows.n_x + 1 - term, column = term - 1;  // terms that are left; the first one's column
    if (n <= 0) {  // no address to read at, not even nothing
        for (int64_t i = 0; i < k; i++) write(panel + i * PANEL_TERMS, Part{});
        return;
    }
    if (rows.by_row) {
        const bool first = column < 0;  // the intercept; its register begins one place further, and the next one overlaps it
        const int64_t count = least(n - first, WIDTH - first);
        double centres[WIDTH] = {};
        for (int64_t c = 0; c < count; c++) centres[c] = centre[column + first + c];
        Part shift, at;
        read(centres, shift);
        for (int64_t i = 0; i < k; i++) {
            read_some(x + i * rows.ld + column + first, count, at);
            write(panel + i * PANEL_TERMS + first, at - shift);
            if (first) panel[i * PANEL_TERMS] = 1.0;
        }
        return;
    }
    for (int64_t i = 0; i < k; i += WIDTH) {
        Part square[WIDTH];
        for (int64_t c = 0; c < WIDTH; c++) {
            square[c] = Part{} + (column + c < 0 ? 1.0 : 0.0);
            if (column + c < 0 || c >= n) continue;
            read_some(x + (column + c) * rows.ld + i, k - i, square[c]);
            square[c] = square[c] - centre[column + c];
        }
        transpose(square, 1);
        for (int64_t r = 0; r < WIDTH; r++) write(panel + (i + r) * PANEL_TERMS, square[r]);
    }
}

// Panels have room for LANES rows more than the tile's k.
INLINE void fill_panels(const Rows& rows, int64_t first, int64_t k, const double* centre, double* panels) {
    const auto fill = [&](auto x) {
        for (int64_t q = 0; q < n_panels(rows); q++)
            for (int64_t c = 0; c < read_terms(1 + rows.n_x, q); c += WIDTH) fill_part(rows, x, q * PANEL_TERMS + c, k, centre, panels + q * k * PANEL_TERMS + c);
    };
    with_numeric(rows, first, fill);
    for (int64_t at = 0; rows.n_x == 0 && at < k * PANEL_TERMS; at++) panels[at] = at % PANEL_TERMS == 0 ? 1.0 : 0.0;
}

// The same row by row, v[i * ld + j], as scattered terms read them.
INLINE int64_t terms_ld(const Rows& rows) { return (1 + rows.n_x + LANES - 1) / LANES * LANES; }
INLINE bool any_scattered(const Rows& rows) { return rows.n_lines > 0 || rows.n_codes > 0 || rows.n_marks > 0; }

INLINE void fill_terms(const Rows& rows, int64_t k, const double* panels, double* v) {
    const int64_t ld = terms_ld(rows);
    for (int64_t j = 0; j < ld; j += WIDTH) {
        const double* from = panels + j / PANEL_TERMS * k * PANEL_TERMS + j % PANEL_TERMS;
        for (int64_t i = 0; i < k; i++) {
            Part at = {};
            if (j <= rows.n_x) read(from + i * PANEL_TERMS, at);
            write(v + i * ld + j, at);
        }
    }
}

// Panels times their rows' curvature, some at a time: what the second-level cache holds of them.
constexpr int64_t PANELS_AT_ONCE = 96 / PANEL_TERMS;

// hessian[m, n] += sum_i curvature[i] v[m, i] v[n, i] of numeric terms m <= n, and of some below the diagonal.
static void hessian_numeric(int64_t n_terms, int64_t k, const double* panels, const double* curvature, double* scaled, double* hessian, int64_t n_coefs) {
    const int64_t n_panels = (n_terms + PANEL_TERMS - 1) / PANEL_TERMS, size = k * PANEL_TERMS;
    for (int64_t from = 0; from < n_panels; from += PANELS_AT_ONCE) {
        const int64_t to = least(n_panels, from + PANELS_AT_ONCE);
        for (int64_t q = from; q < to; q++)
            for (int64_t c = 0; c < read_terms(n_terms, q); c += WIDTH)
                for (int64_t i = 0; i < k; i++) {
                    Part at;
                    read(panels + q * size + i * PANEL_TERMS + c, at);
                    write(scaled + (q - from) * size + i * PANEL_TERMS + c, at * curvature[i]);
                }
        for (int64_t q = from; q < n_panels; q++) {
            const int64_t n = q * PANEL_TERMS, columns = least(n_terms - n, PANEL_TERMS);
            const int64_t below = least(n + columns, to * PANEL_TERMS);
            for (int64_t m = from * PANEL_TERMS; m < below; m += HELD_ROWS) {
                const double* left = scaled + (m / PANEL_TERMS - from) * size + m % PANEL_TERMS;
                const int64_t skipped = most<int64_t>(m - n, 0) / WIDTH * WIDTH;  // below the diagonal
                with_size<HELD_PARTS>((columns - skipped + WIDTH - 1) / WIDTH, [&](auto parts) {
                    add_panels<parts.value>(left, panels + q * size + skipped, k, least(n_terms - m, HELD_ROWS), columns - skipped,
                                            hessian + m * n_coefs + n + skipped, n_coefs);
                });
            }
        }
    }
}

// A tile's numeric terms as the Hessian reads them, in scratch of `size` float64, which has also room for some scaled.
struct Terms {
    double *panels, *scaled, *by_row;
    Terms(const Rows& rows, int64_t tile, double* scratch)
        : panels(scratch), scaled(panels + n_panels(rows) * (tile + LANES) * PANEL_TERMS), by_row(scaled + PANELS_AT_ONCE * tile * PANEL_TERMS) {}
    static int64_t size(const Rows& rows, int64_t tile) {
        return (n_panels(rows) * (tile + LANES) + PANELS_AT_ONCE * tile) * PANEL_TERMS + (any_scattered(rows) ? tile * terms_ld(rows) : 0);
    }
    void fill(const Rows& rows, int64_t first, int64_t k, const double* centre) const {
        fill_panels(rows, first, k, centre, panels);
        if (any_scattered(rows)) fill_terms(rows, k, panels, by_row);
    }
};

// Add sum_i curvature[i] v[j, i] v[l, i] of a tile's rows to `hessian` (n_coefs, n_coefs). Sparse columns must be by row.
static void add_hessian(const Rows& rows, int64_t first, int64_t k, const Terms& terms, const double* curvature, double* hessian) {
    hessian_numeric(1 + rows.n_x, k, terms.panels, curvature, terms.scaled, hessian, rows.n_coefs);
    if (!any_scattered(rows)) return;
    const int64_t ld = terms_ld(rows);
    hessian_sparse(rows, first, k, terms.by_row, ld, curvature, hessian);
    hessian_codes(rows, first, k, terms.by_row, ld, curvature, hessian);
    hessian_marks(rows, first, k, terms.by_row, ld, curvature, hessian);
}

// Move the pairs of numeric terms with others from below the diagonal, where they were added, above it.
INLINE void finish_hessian(const Rows& rows, double* hessian) {
    const int64_t n = rows.n_coefs;
    for (int64_t at = 1 + rows.n_x; at < n; at++)
        for (int64_t j = 0; j <= rows.n_x; j++) hessian[j * n + at] = hessian[at * n + j];
}

}  // namespace LEVEL
