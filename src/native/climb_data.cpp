#include <algorithm>

#include "climb.hpp"

namespace mixtura {

static constexpr std::int64_t kMostTurned = 1 << 16;  // numbers, which the second-level cache holds

void ClimbData::turn(const Level& level) {
  const auto dimensions = static_cast<std::int64_t>(shift.size());
  const bool whole = std::all_of(bounds.begin(), bounds.end() - 1, [&](std::int64_t at) { return at % level.lanes == 0; });
  if (rows.count * dimensions > kMostTurned || !whole) return;
  turned.assign((rows.count + level.lanes - 1) / level.lanes * level.lanes * dimensions, 0.0);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    double* group = turned.data() + i / level.lanes * level.lanes * dimensions + i % level.lanes;
    for (std::int64_t f = 0; f < dimensions; ++f) {
      const std::int64_t at = i * rows.stride + f;
      const double value = rows.is_float32 ? static_cast<const float*>(rows.data)[at]
                                           : static_cast<const double*>(rows.data)[at];
      group[f * level.lanes] = (value - shift[f]) * inverse_scale[f];
    }
  }
  rows = {turned.data(), false, rows.count, dimensions, true};
}

}  // namespace mixtura
