// Weighted sums and sums of squares of the standardised rows, in one pass.
#pragma once

#include "kernel.hpp"
#include "products.hpp"
#include "simd.hpp"
#include "tile.hpp"

namespace mixtura::MIXTURA_LEVEL {
namespace {

constexpr int kMomentsWidth = 8;

template <typename Scalar>
std::int64_t first_nonfinite(const Rows& rows, std::int64_t begin, std::int64_t count, std::int64_t dimensions) {
  for (std::int64_t r = begin; r < begin + count; ++r)
    for (std::int64_t f = 0; f < dimensions; ++f)
      if (!__builtin_isfinite(static_cast<const Scalar*>(rows.data)[r * rows.stride + f])) return r;
  return -1;
}

// `scratch` holds what moments_scratch in dispatch.cpp says: two sums, a panel and an edge block per dimension.
Summary moments(const Rows& rows, const double* weights, const double* shift, const double* inverse_scale,
                std::int32_t dimensions, double* sums, double* squares, double* scratch) {
  constexpr int kWidth = kMomentsWidth;
  const Standardisation to{shift, inverse_scale, dimensions};
  Vector* sum = reinterpret_cast<Vector*>(scratch);
  Vector* square = sum + dimensions;
  const Panels tile{square + dimensions, std::int64_t(dimensions) * kWidth};
  double* edge = reinterpret_cast<double*>(tile.data + tile.stride);
  for (std::int32_t f = 0; f < 2 * dimensions; ++f) sum[f] = Vector{};
  Vector weight_sum = {}, largest = {};
  std::int64_t nonfinite = -1;
  for (std::int64_t begin = 0; begin < rows.count; begin += kWidth * kLanes) {
    const std::int64_t left = rows.count - begin;
    const std::int64_t count = left < kWidth * kLanes ? left : kWidth * kLanes;
    load_tile(rows, begin, count, to, kWidth, edge, tile);
    Vector weight[kWidth], norm[kWidth] = {};
    load_weights(weights, begin, count, kWidth, weight);
    for (std::int32_t f = 0; f < dimensions; ++f) {
      Vector first = sum[f], second = square[f];
      MIXTURA_UNROLL
      for (int v = 0; v < kWidth; ++v) {
        const Vector value = tile.data[f * kWidth + v], weighted = value * weight[v];
        first += weighted;
        second += weighted * value;
        norm[v] += value * value;
      }
      sum[f] = first;
      square[f] = second;
    }
    Mask suspect = {};
    for (int v = 0; v < kWidth; ++v) {
      weight_sum += weight[v];
      largest = maximum(norm[v], largest);
      suspect |= ~(norm[v] < kInfinity);
    }
    if (nonfinite < 0 && any(suspect))
      nonfinite = rows.is_float32 ? first_nonfinite<float>(rows, begin, count, dimensions)
                                  : first_nonfinite<double>(rows, begin, count, dimensions);
  }
  double max_squared_norm = 0;
  for (int lane = 0; lane < kLanes; ++lane)
    if (largest[lane] > max_squared_norm) max_squared_norm = largest[lane];
  for (std::int32_t f = 0; f < dimensions; ++f) {
    sums[f] = sum_of_lanes(sum[f]);
    squares[f] = sum_of_lanes(square[f]);
  }
  return {sum_of_lanes(weight_sum), max_squared_norm, nonfinite};
}

}  // namespace
}  // namespace mixtura::MIXTURA_LEVEL
