// The door to tables: Arrow's columns stacked as numbers, values numbered, numbers looked up.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "door.hpp"

// Arrow's C data interface, as its specification has it.
struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    ArrowSchema **children, *dictionary;
    void (*release)(ArrowSchema*);
    void* private_data;
};
struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void** buffers;
    ArrowArray **children, *dictionary;
    void (*release)(ArrowArray*);
    void* private_data;
};

namespace {

using Stacked = nb::ndarray<nb::c_contig, nb::device::cpu>;

constexpr int64_t PIECE = 1024;  // rows converted, marked and looked at while they are in cache

bool bit(const uint8_t* bits, int64_t i) { return bits[i >> 3] >> (i & 7) & 1; }

// A column: where its values and the bits of those present begin, counted from `offset`.
struct Column {
    const void* values;
    const uint8_t* present;  // null: all are
    int64_t offset;
    char format;
};

template <class From, class To>
void convert(const Column& column, int64_t from, int64_t n, To* found) {
    const From* x = static_cast<const From*>(column.values) + column.offset + from;
    for (int64_t i = 0; i < n; i++) found[i] = static_cast<To>(x[i]);
}

template <class To>
void convert_any(const Column& c, int64_t from, int64_t n, To* found) {
    switch (c.format) {
        case 'f': return convert<float>(c, from, n, found);
        case 'g': return convert<double>(c, from, n, found);
        case 'c': return convert<int8_t>(c, from, n, found);
        case 'C': return convert<uint8_t>(c, from, n, found);
        case 's': return convert<int16_t>(c, from, n, found);
        case 'S': return convert<uint16_t>(c, from, n, found);
        case 'i': return convert<int32_t>(c, from, n, found);
        case 'I': return convert<uint32_t>(c, from, n, found);
        case 'l': return convert<int64_t>(c, from, n, found);
        case 'L': return convert<uint64_t>(c, from, n, found);
        case 'b':
            for (int64_t i = 0; i < n; i++) found[i] = bit(static_cast<const uint8_t*>(c.values), c.offset + from + i);
            return;
        default:  // 'n', of a type that has no values
            for (int64_t i = 0; i < n; i++) found[i] = std::numeric_limits<To>::quiet_NaN();
    }
}

// An exponent of ones alone carries into the sign, which is faster to look at than a comparison of each value.
template <class To, class Bits = std::conditional_t<sizeof(To) == 4, uint32_t, uint64_t>>
bool all_finite(const To* x, int64_t n) {
    constexpr Bits exponent = std::bit_cast<Bits>(std::numeric_limits<To>::infinity()), last = exponent & -exponent;
    Bits carried = 0;
    for (int64_t i = 0; i < n; i++) carried |= (std::bit_cast<Bits>(x[i]) & exponent) + last;
    return carried >> (8 * sizeof(To) - 1) == 0;
}

// Write a column as numbers, NaN where there is none; how many are NaN, and the first row that is infinite, or -1.
template <class To>
void fill(const Column& column, int64_t n_rows, To* found, int64_t& n_missing, int64_t& infinite) {
    n_missing = 0;
    infinite = -1;
    const bool may_lack = column.present || column.format == 'f' || column.format == 'g' || column.format == 'n';
    for (int64_t from = 0; from < n_rows; from += PIECE) {
        const int64_t n = n_rows - from < PIECE ? n_rows - from : PIECE;
        To* piece = found + from;
        convert_any(column, from, n, piece);
        if (!may_lack) continue;
        for (int64_t i = 0; column.present && i < n; i++)
            if (!bit(column.present, column.offset + from + i)) piece[i] = std::numeric_limits<To>::quiet_NaN();
        for (int64_t i = 0, odd = !all_finite(piece, n); odd && i < n; i++) {
            n_missing += piece[i] != piece[i];
            if (infinite < 0 && std::isinf(piece[i])) infinite = from + i;
        }
    }
}

Column column_of(const ArrowSchema& type, const ArrowArray& array, int64_t first, int64_t n_rows) {
    const std::string format = type.format;
    if (format.size() != 1 || std::string("fgcCsSiIlLbn").find(format) == std::string::npos || type.dictionary)
        refuse("a column of Arrow's format \"" + format + "\" cannot be stacked.");
    if (array.length < first + n_rows || array.offset < 0) refuse("a column has other rows than its batch.");
    if (format == "n") return {nullptr, nullptr, 0, 'n'};
    if (array.n_buffers != 2 || (n_rows > 0 && array.buffers[1] == nullptr)) refuse("a column has no values.");
    const auto present = array.null_count == 0 ? nullptr : static_cast<const uint8_t*>(array.buffers[0]);
    return {array.buffers[1], present, array.offset + first, format[0]};
}

template <class T>
const T& held_by(nb::handle capsule, const char* name) {
    const void* held = PyCapsule_GetPointer(capsule.ptr(), name);
    if (held == nullptr) throw nb::python_error();
    return *static_cast<const T*>(held);
}

// Arrow's batch of columns of numbers -> its rows stacked, (columns, rows), NaN where missing; of each column how many
// are missing, and the first row that is infinite, or -1.
void stack(nb::tuple batch, const Stacked& found, const Out<int64_t>& n_missing, const Out<int64_t>& infinite) {
    if (nb::len(batch) != 2) refuse("a batch must be Arrow's pair of capsules.");
    const ArrowSchema& types = held_by<ArrowSchema>(batch[0], "arrow_schema");
    const ArrowArray& arrays = held_by<ArrowArray>(batch[1], "arrow_array");
    if (types.release == nullptr || arrays.release == nullptr) refuse("the batch was given up before.");
    if (std::strcmp(types.format, "+s") != 0 || types.n_children != arrays.n_children || arrays.null_count > 0 || arrays.offset < 0)
        refuse("a batch must be columns of rows none of which is null.");
    const int64_t n = arrays.n_children, n_rows = arrays.length;
    const bool single = found.dtype() == nb::dtype<float>();
    if (!single && found.dtype() != nb::dtype<double>()) refuse("found must be float32 or float64.");
    expect(found, "found", {n, n_rows});
    expect(n_missing, "n_missing", {n});
    expect(infinite, "infinite", {n});
    std::vector<Column> columns;
    for (int64_t j = 0; j < n; j++) columns.push_back(column_of(*types.children[j], *arrays.children[j], arrays.offset, n_rows));
    void* into = found.data();
    nb::gil_scoped_release released;
    for (int64_t j = 0; j < n; j++) {
        int64_t &missing = n_missing.data()[j], &at = infinite.data()[j];
        if (single) fill(columns[(size_t)j], n_rows, static_cast<float*>(into) + j * n_rows, missing, at);
        else fill(columns[(size_t)j], n_rows, static_cast<double*>(into) + j * n_rows, missing, at);
    }
}

// What follows takes some ten microseconds a batch, less than giving Python's lock away and having it back.

// Number the values (n,) by size, the least from 0, where they are fewer than `most` apart; which there are, from `low` on.
// Of values further apart nothing.
template <class T>
bool number(const T* values, int64_t n, int64_t most, int32_t* codes, T& low, std::vector<uint8_t>& met) {
    T high = low = values[0];
    for (int64_t i = 1; i < n; i++) {
        low = values[i] < low ? values[i] : low;
        high = high < values[i] ? values[i] : high;
    }
    const uint64_t apart = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    if (apart >= static_cast<uint64_t>(most)) return false;
    met.assign(apart + 1, 0);
    const auto place = [&](T value) { return static_cast<uint64_t>(value) - static_cast<uint64_t>(low); };
    for (int64_t i = 0; i < n; i++) met[place(values[i])] = 1;
    std::vector<int32_t> numbers(apart + 1);
    int32_t next = 0;
    for (size_t k = 0; k <= apart; k++) numbers[k] = met[k] ? next++ : -1;
    for (int64_t i = 0; i < n; i++) codes[i] = numbers[place(values[i])];
    return true;
}

template <class T>
nb::object numbered(const Read& values, int64_t most, const Out<int32_t>& codes) {
    T low;
    std::vector<uint8_t> here;
    if (!number(static_cast<const T*>(values.data()), (int64_t)values.size(), most, codes.data(), low, here)) return nb::none();
    nb::list met;
    for (size_t k = 0; k < here.size(); k++)
        if (here[k]) met.append(nb::int_(static_cast<T>(static_cast<uint64_t>(low) + k)));
    return nb::tuple(met);
}

nb::object number_whole(const Read& values, int64_t most, const Out<int32_t>& codes) {
    if (values.ndim() != 1 || values.size() == 0 || (values.size() > 1 && values.stride(0) != 1)) refuse("values must be some, side by side, (n,).");
    if (most < 1 || most > 1 << 24) refuse("most must be from 1 to 16777216.");
    expect(codes, "codes", {(int64_t)values.shape(0)});
    const nb::dlpack::dtype type = values.dtype();
    if (type == nb::dtype<int8_t>()) return numbered<int8_t>(values, most, codes);
    if (type == nb::dtype<uint8_t>()) return numbered<uint8_t>(values, most, codes);
    if (type == nb::dtype<int16_t>()) return numbered<int16_t>(values, most, codes);
    if (type == nb::dtype<uint16_t>()) return numbered<uint16_t>(values, most, codes);
    if (type == nb::dtype<int32_t>()) return numbered<int32_t>(values, most, codes);
    if (type == nb::dtype<uint32_t>()) return numbered<uint32_t>(values, most, codes);
    if (type == nb::dtype<int64_t>()) return numbered<int64_t>(values, most, codes);
    if (type == nb::dtype<uint64_t>()) return numbered<uint64_t>(values, most, codes);
    refuse("values must be whole numbers.");
}

// Refuse numbers that are not from `least` to below `most`.
void expect_inside(const int32_t* numbers, int64_t n, int64_t least, int64_t most) {
    bool inside = true;
    for (int64_t i = 0; i < n; i++) inside &= numbers[i] >= least && numbers[i] < most;
    if (!inside) refuse("numbers lead out of the table.");
}

// Each number's entry of a table, whose last is that of -1.
template <class T>
void look_up(const In<T>& table, const In<int32_t>& numbers, const Out<T>& found) {
    if (table.ndim() != 1 || table.size() == 0) refuse("table has shape " + shape_of(table) + "; it must be (n,), of at least one entry.");
    if (numbers.ndim() != 1) refuse("numbers has shape " + shape_of(numbers) + "; it must be (rows,).");
    const int64_t n = (int64_t)numbers.size(), size = (int64_t)table.size();
    expect(found, "found", {n});
    expect_inside(numbers.data(), n, -1, size);
    for (int64_t i = 0; i < n; i++) found.data()[i] = table.data()[numbers.data()[i] < 0 ? size - 1 : numbers.data()[i]];
}

// How many numbers there are of each, from 0 on, and last of -1.
void count(const In<int32_t>& numbers, const Out<int64_t>& counts) {
    if (numbers.ndim() != 1) refuse("numbers has shape " + shape_of(numbers) + "; it must be (rows,).");
    if (counts.ndim() != 1 || counts.size() == 0) refuse("counts has shape " + shape_of(counts) + "; it must be (n,), of at least one entry.");
    const int64_t n = (int64_t)numbers.size(), size = (int64_t)counts.size();
    expect_inside(numbers.data(), n, -1, size);
    std::memset(counts.data(), 0, (size_t)size * 8);
    for (int64_t i = 0; i < n; i++) counts.data()[numbers.data()[i] < 0 ? size - 1 : numbers.data()[i]]++;
}

// Write the positions of the rows whose hash, in 53 bits, is below the limit of their label; how many they are.
int64_t pick(const In<uint64_t>& hashes, const In<int32_t>& labels, const In<uint64_t>& below, const Out<int64_t>& picked) {
    if (hashes.ndim() != 1) refuse("hashes has shape " + shape_of(hashes) + "; it must be (rows,).");
    const int64_t n = (int64_t)hashes.size();
    expect(labels, "labels", {n});
    expect(picked, "picked", {n});
    expect_inside(labels.data(), n, 0, (int64_t)below.size());
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        picked.data()[at] = i;
        at += hashes.data()[i] >> 11 < below.data()[labels.data()[i]];
    }
    return at;
}

}  // namespace

void bind_tables(nb::module_& m) {
    const auto in = [](const char* name) { return nb::arg(name).noconvert(); };
    m.def("stack", stack, nb::arg("batch"), in("found"), in("n_missing"), in("infinite"));
    m.def("number_whole", number_whole, in("values"), nb::arg("most"), in("codes"));
    m.def("look_up", look_up<int32_t>, in("table"), in("numbers"), in("found"));
    m.def("count", count, in("numbers"), in("counts"));
    m.def("pick", pick, in("hashes"), in("labels"), in("below"), in("picked"));
    m.def("look_up", look_up<float>, in("table"), in("numbers"), in("found"));
}
