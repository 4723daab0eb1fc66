// The two matrix products, blocked for registers. Both work on panels: a panel holds `width` vectors of rows for each of
// its items (features, log densities, ...), item after item, so that a register block reads memory in sequence.
#pragma once

#include "kernel.hpp"
#include "simd.hpp"

namespace mixtura::MIXTURA_LEVEL {
namespace {

struct Panels {
  Vector* data;
  std::int64_t stride;  // vectors from one panel to the next
};

// Calls `function` with the number as a constant, one of 1 to Most.
template <int Most, typename Function>
void with_constant(std::int64_t number, const Function& function) {
  [&]<int... Before>(std::integer_sequence<int, Before...>) {
    ((number == Before + 1 ? function(std::integral_constant<int, Before + 1>{}) : void()), ...);
  }(std::make_integer_sequence<int, Most>{});
}

// Sums of a register block: from one constant per output where they are given, else from what `outputs` holds.
template <int Outputs, int Vectors>
MIXTURA_INLINE void begin_sums(Vector (&sums)[Outputs][Vectors], const double* start, const Vector* outputs, int width) {
  MIXTURA_UNROLL
  for (int o = 0; o < Outputs; ++o)
    MIXTURA_UNROLL
    for (int v = 0; v < Vectors; ++v) sums[o][v] = start ? broadcast(start[o]) : outputs[o * width + v];
}

template <int Outputs, int Vectors>
MIXTURA_INLINE void keep_sums(const Vector (&sums)[Outputs][Vectors], Vector* outputs, int width) {
  MIXTURA_UNROLL
  for (int o = 0; o < Outputs; ++o)
    MIXTURA_UNROLL
    for (int v = 0; v < Vectors; ++v) outputs[o * width + v] = sums[o][v];
}

// sums[o] += coefficients[o] * input, for each vector of rows.
template <int Outputs, int Vectors>
MIXTURA_INLINE void add_products(Vector (&sums)[Outputs][Vectors], const double* coefficients,
                                 const Vector (&input)[Vectors]) {
  MIXTURA_UNROLL
  for (int o = 0; o < Outputs; ++o) {
    const Vector coefficient = broadcast(coefficients[o]);
    MIXTURA_UNROLL
    for (int v = 0; v < Vectors; ++v) sums[o][v] += coefficient * input[v];
  }
}

// outputs[o] (+)= sum_f coefficients[f][o] * inputs[f].
template <int Outputs, int Width>
void multiply(const double* coefficients, const Vector* inputs, std::int64_t input_count, const double* start,
              Vector* outputs) {
  Vector sums[Outputs][Width], row[Width];
  begin_sums(sums, start, outputs, Width);
  for (std::int64_t f = 0; f < input_count; ++f, coefficients += Outputs, inputs += Width) {
    MIXTURA_UNROLL
    for (int v = 0; v < Width; ++v) row[v] = inputs[v];
    add_products(sums, coefficients, row);
  }
  keep_sums(sums, outputs, Width);
}

template <int Width>
void multiply_block(const OutputBlock& block, const double* coefficients, const Vector* inputs, const double* start,
                    Vector* outputs) {
  constexpr int kLargest = MIXTURA_VECTOR_REGISTERS == 32 ? 24 / Width : 12 / Width;
  const double* packed = coefficients + block.offset;
  const double* first = start ? start + block.begin : nullptr;
  Vector* target = outputs + std::int64_t(block.begin) * Width;
  const auto run = [&]<int Outputs>(std::integral_constant<int, Outputs>) {
    if constexpr (Outputs <= kLargest) multiply<Outputs, Width>(packed, inputs, block.inputs, first, target);
  };
  switch (block.size) {  // with_constant here and below would cost two hundredths of a pass at 10 features, 10 components
    case 1: return run(std::integral_constant<int, 1>{});
    case 2: return run(std::integral_constant<int, 2>{});
    case 3: return run(std::integral_constant<int, 3>{});
    case 4: return run(std::integral_constant<int, 4>{});
    case 5: return run(std::integral_constant<int, 5>{});
    case 6: return run(std::integral_constant<int, 6>{});
    case 7: return run(std::integral_constant<int, 7>{});
    case 8: return run(std::integral_constant<int, 8>{});
  }
}

constexpr std::int64_t kLine = 64;  // bytes of a line of cache

// Memory that is wanted soon, asked for in equal parts, before each block or panel of it: all at once would hold up the loads at hand.
class Prefetch {
 public:
  Prefetch() = default;
  Prefetch(const char* begin, std::int64_t bytes, std::int64_t parts)
      : next_(begin), end_(begin + bytes), part_((bytes / (kLine * parts) + 1) * kLine) {}

  void ask() {
    for (const char* stop = part_ < end_ - next_ ? next_ + part_ : end_; next_ < stop; next_ += kLine)
      __builtin_prefetch(next_, 0, 2);
  }

 private:
  const char *next_ = nullptr, *end_ = nullptr;
  std::int64_t part_ = 0;
};

// Adds the lanes of each total to its sum.
template <int Left, int Right>
MIXTURA_INLINE void add_lanes(const Vector (&total)[Left][Right], double* sums) {
  constexpr int kCount = Left * Right;
  MIXTURA_UNROLL
  for (int base = 0; base < kCount; base += kLanes) {
    Vector block[kLanes];
    MIXTURA_UNROLL
    for (int i = 0; i < kLanes; ++i)
      block[i] = base + i < kCount ? total[(base + i) / Right % Left][(base + i) % Right] : Vector{};
    store(sums + base, load(sums + base) + sum_lanes(block));
  }
}

// sums[l * Right + r] += sum over rows of left[l] * right[r]. Lanes run over rows; the lanes are added up once per call.
template <int Left, int Right>
void accumulate(const Vector* left, std::int64_t left_stride, const Vector* right, std::int64_t right_stride, int panels,
                std::int64_t width, double* sums) {
  Vector total[Left][Right] = {};
  for (int panel = 0; panel < panels; ++panel) {
    for (std::int64_t v = 0; v < width; ++v) {
      Vector factor[Right];
      MIXTURA_UNROLL
      for (int r = 0; r < Right; ++r) factor[r] = right[r * width + v];
      MIXTURA_UNROLL
      for (int l = 0; l < Left; ++l) {
        const Vector value = left[l * width + v];
        MIXTURA_UNROLL
        for (int r = 0; r < Right; ++r) total[l][r] += value * factor[r];
      }
    }
    left += left_stride;
    right += right_stride;
  }
  add_lanes(total, sums);
}

using Accumulate = void (*)(const Vector*, std::int64_t, const Vector*, std::int64_t, int, std::int64_t, double*);

template <int Left>
Accumulate accumulate_for(int right) {
  constexpr int kLargest = MIXTURA_VECTOR_REGISTERS == 32 ? (Left <= 3 ? 8 : 26 / Left) : (Left == 1 ? 8 : 12 / Left);
  const auto pick = []<int Right>(std::integral_constant<int, Right>) -> Accumulate {
    if constexpr (Right <= kLargest) return accumulate<Left, Right>;
    return nullptr;
  };
  switch (right) {
    case 1: return pick(std::integral_constant<int, 1>{});
    case 2: return pick(std::integral_constant<int, 2>{});
    case 3: return pick(std::integral_constant<int, 3>{});
    case 4: return pick(std::integral_constant<int, 4>{});
    case 5: return pick(std::integral_constant<int, 5>{});
    case 6: return pick(std::integral_constant<int, 6>{});
    case 7: return pick(std::integral_constant<int, 7>{});
    case 8: return pick(std::integral_constant<int, 8>{});
  }
  return nullptr;
}

void accumulate_block(const MomentBlock& block, Panels left, Panels right, int panels, int width, double* packed) {
  Accumulate function = nullptr;
  switch (block.left_size) {
    case 1: function = accumulate_for<1>(block.right_size); break;
    case 2: function = accumulate_for<2>(block.right_size); break;
    case 3: function = accumulate_for<3>(block.right_size); break;
    case 4: function = accumulate_for<4>(block.right_size); break;
    case 5: function = accumulate_for<5>(block.right_size); break;
  }
  function(left.data + std::int64_t(block.left) * width, left.stride, right.data + std::int64_t(block.right) * width,
           right.stride, panels, width, packed + block.offset);
}

void accumulate_blocks(const Array<MomentBlock>& blocks, Panels left, Panels right, int panels, int width,
                       double* packed, Prefetch* wanted = nullptr) {
  for (std::int64_t i = 0; i < blocks.count; ++i) {
    if (wanted) wanted->ask();
    accumulate_block(blocks.data[i], left, right, panels, width, packed);
  }
}

}  // namespace
}  // namespace mixtura::MIXTURA_LEVEL
