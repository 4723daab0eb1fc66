// Squared distances to the nearest of a few points. Compiled once per instruction-set level, without contraction and with
// the same eight sums side by side at each, so that all levels give the same numbers.

#include "kernel.hpp"
#include "simd.hpp"

namespace mixtura::MIXTURA_LEVEL {

double nearer(const NearerRows& rows, const double* point, const double* nearest, double* trial) {
  constexpr int kVectors = 8 / kLanes;
  Vector sums[kVectors] = {};
  for (std::int64_t i = 0; i < rows.padded; i += 8) {
    Vector square[kVectors] = {};
    const double* column = rows.columns + i;
    for (std::int64_t d = 0; d < rows.dimensions; ++d, column += rows.padded)
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

}  // namespace mixtura::MIXTURA_LEVEL
