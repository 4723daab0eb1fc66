// The centred form: every component whitens its own differences from the center, and its moments are about the center.
// Exact where the quadratic form would cancel, at more arithmetic per row.
#pragma once

#include "kernel.hpp"
#include "products.hpp"
#include "quadratic.hpp"
#include "tile.hpp"

namespace mixtura::MIXTURA_LEVEL {
namespace {

template <int Width>
MIXTURA_INLINE void subtract_center(const Plan& plan, std::int64_t component, const Vector* columns, Vector* shifted) {
  const double* center = plan.center.data + component * plan.dimensions;
  for (std::int64_t i = 0; i < plan.dimensions; ++i)
    MIXTURA_UNROLL
    for (int v = 0; v < Width; ++v) shifted[i * Width + v] = columns[i * Width + v] - center[i];
}

template <int Width>
MIXTURA_INLINE void squared_norm(const Vector* columns, std::int64_t dimensions, Vector (&norm)[Width]) {
  MIXTURA_UNROLL
  for (int v = 0; v < Width; ++v) norm[v] = Vector{};
  for (std::int64_t i = 0; i < dimensions; ++i)
    MIXTURA_UNROLL
    for (int v = 0; v < Width; ++v) norm[v] += columns[i * Width + v] * columns[i * Width + v];
}

// Diagonal and spherical whiteners: a scale per column, or one for all.
template <int Width>
MIXTURA_INLINE void separable_norm(const Plan& plan, std::int64_t component, const Vector* columns,
                                   Vector (&norm)[Width]) {
  const std::int64_t dimensions = plan.dimensions, step = plan.shape == Shape::kDiagonal;
  const double* center = plan.center.data + component * dimensions;
  const double* scale = plan.scale.data + component * (step ? dimensions : 1);
  MIXTURA_UNROLL
  for (int v = 0; v < Width; ++v) norm[v] = Vector{};
  for (std::int64_t i = 0; i < dimensions; ++i)
    MIXTURA_UNROLL
    for (int v = 0; v < Width; ++v) {
      const Vector whitened = (columns[i * Width + v] - center[i]) * scale[i * step];
      norm[v] += whitened * whitened;
    }
}

template <int Width>
void centred_logs(const Plan& plan, const Workspace& work, int panel) {
  const bool matrix = plan.shape == Shape::kFull || plan.shape == Shape::kTied;
  const Vector* columns = work.rows.data + panel * work.rows.stride;
  Vector* logs = work.logs.data + panel * work.logs.stride;
  for (std::int64_t k = 0; k < plan.components; ++k) {
    Vector norm[Width];
    if (matrix) {
      subtract_center<Width>(plan, k, columns, work.shifted.data);
      whiten<Width>(plan, plan.whiteners.data + k * plan.whitener_stride, work.shifted.data, work.weighted.data);
      squared_norm<Width>(work.weighted.data, plan.dimensions, norm);
    } else {
      separable_norm<Width>(plan, k, columns, norm);
    }
    MIXTURA_UNROLL
    for (int v = 0; v < Width; ++v) logs[k * Width + v] = plan.constant.data[k] - 0.5 * norm[v];
  }
}

// First moments as products of the differences with the responsibilities, second moments as the product of the
// differences with themselves times the responsibilities.
template <int Width>
void matrix_moments(const Plan& plan, const Workspace& work, std::int64_t component, std::int64_t triangle, int panels,
                    double* packed) {
  for (int panel = 0; panel < panels; ++panel) {
    Vector* shifted = work.shifted.data + panel * work.shifted.stride;
    subtract_center<Width>(plan, component, work.rows.data + panel * work.rows.stride, shifted);
    const Vector* responsibility = work.logs.data + panel * work.logs.stride + component * Width;
    Vector* weighted = work.weighted.data + panel * work.weighted.stride;
    for (std::int64_t i = 0; i < plan.dimensions; ++i)
      MIXTURA_UNROLL
      for (int v = 0; v < Width; ++v) weighted[i * Width + v] = shifted[i * Width + v] * responsibility[v];
  }
  const Panels responsibilities{work.logs.data + component * Width, work.logs.stride};
  accumulate_blocks(plan.linear, responsibilities, work.shifted, panels, Width,
                    packed + plan.linear_offset + component * plan.linear_size);
  accumulate_blocks(plan.triangle, work.weighted, work.shifted, panels, Width,
                    packed + plan.triangle_offset + triangle * plan.triangle_size);
}

// First and second moments of single columns, four at a time: sums[0..3] and sums[4..7]. The last columns may repeat.
template <int Width>
void separable_moments(const Plan& plan, const Workspace& work, std::int64_t component, int panels, double* sums) {
  for (std::int64_t begin = 0; begin < plan.dimensions; begin += 4, sums += 8) {
    std::int64_t column[4];
    double center[4];
    for (int c = 0; c < 4; ++c) {
      column[c] = begin + c < plan.dimensions ? begin + c : plan.dimensions - 1;
      center[c] = plan.center.data[component * plan.dimensions + column[c]];
    }
    Vector total[8] = {};
    for (int panel = 0; panel < panels; ++panel) {
      const Vector* columns = work.rows.data + panel * work.rows.stride;
      const Vector* responsibility = work.logs.data + panel * work.logs.stride + component * Width;
      for (int v = 0; v < Width; ++v)
        MIXTURA_UNROLL
        for (int c = 0; c < 4; ++c) {
          const Vector difference = columns[column[c] * Width + v] - center[c];
          const Vector weighted = difference * responsibility[v];
          total[c] += weighted;
          total[4 + c] += weighted * difference;
        }
    }
    MIXTURA_UNROLL
    for (int base = 0; base < 8; base += kLanes) {
      Vector block[kLanes];
      MIXTURA_UNROLL
      for (int i = 0; i < kLanes; ++i) block[i] = total[base + i];
      store(sums + base, load(sums + base) + sum_lanes(block));
    }
  }
}

template <int Width>
void centred_moments(const Plan& plan, const Workspace& work, int panels, double* packed) {
  const bool matrix = plan.shape == Shape::kFull || plan.shape == Shape::kTied;
  for (std::int64_t g = 0; g < plan.groups; ++g)
    for (std::int64_t k = plan.group_offsets.data[g]; k < plan.group_offsets.data[g + 1]; ++k)
      if (matrix)
        matrix_moments<Width>(plan, work, k, plan.shape == Shape::kTied ? g : k, panels, packed);
      else
        separable_moments<Width>(plan, work, k, panels, packed + plan.linear_offset + k * plan.linear_size);
}

}  // namespace
}  // namespace mixtura::MIXTURA_LEVEL
