// Squared distances to the nearest of a few points. Compiled once per instruction-set level, without contraction and with
// the same eight sums side by side at each, so that all levels give the same numbers.

#include <cstdint>
#include <type_traits>

#include "kernel.hpp"
#include "simd.hpp"

namespace mixtura::MIXTURA_LEVEL {

namespace {

// With the number of features as a constant where it is small, the loop over them is unrolled.
template <typename Size>
double nearer_of(const NearerRows& rows, Size dimensions, const double* point, const double* nearest, double* trial) {
  constexpr int kVectors = 8 / kLanes;
  Vector sums[kVectors] = {};
  for (std::int64_t i = 0; i < rows.padded; i += 8) {
    Vector square[kVectors] = {};
    const double* column = rows.columns + i;
    for (std::int64_t d = 0; d < dimensions; ++d, column += rows.padded)
      MIXTURA_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Vector apart = load(column + v * kLanes) - point[d];
        square[v] += apart * apart;
      }
    MIXTURA_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Vector before = load(nearest + i + v * kLanes);
      const Vector after = square[v] < before ? square[v] : before;
      store(trial + i + v * kLanes, after);
      sums[v] += after * load(rows.weights + i + v * kLanes);
    }
  }
  double total = 0;
  for (int v = 0; v < kVectors; ++v)
    for (int lane = 0; lane < kLanes; ++lane) total += sums[v][lane];
  return total;
}

}  // namespace

double nearer(const NearerRows& rows, const double* point, const double* nearest, double* trial) {
  switch (rows.dimensions) {
    case 1: return nearer_of(rows, std::integral_constant<std::int64_t, 1>{}, point, nearest, trial);
    case 2: return nearer_of(rows, std::integral_constant<std::int64_t, 2>{}, point, nearest, trial);
    case 3: return nearer_of(rows, std::integral_constant<std::int64_t, 3>{}, point, nearest, trial);
    case 4: return nearer_of(rows, std::integral_constant<std::int64_t, 4>{}, point, nearest, trial);
    default: return nearer_of(rows, rows.dimensions, point, nearest, trial);
  }
}

}  // namespace mixtura::MIXTURA_LEVEL
