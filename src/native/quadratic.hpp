// The quadratic form: log densities as a matrix product with features of the row, moments about the origin from the same
// features. Features are built once per tile where they fit in cache, else anew for either product, a chunk at a time.
#pragma once

#include "formed.hpp"
#include "kernel.hpp"
#include "products.hpp"
#include "tile.hpp"

namespace mixtura::MIXTURA_LEVEL {
namespace {

// outputs = inputs @ (packed upper triangle), for one panel.
template <int Width>
void whiten(const Plan& plan, const double* whitener, const Vector* inputs, Vector* outputs) {
  for (std::int64_t i = 0; i < plan.whitening.count; ++i)
    multiply_block<Width>(plan.whitening.data[i], whitener, inputs, plan.zeros.data, outputs);
}

// Log densities of a panel. With a shared whitener, what all components have in common (-1/2 ||y||^2) goes to `offset`.
template <int Width>
void quadratic_logs(const Plan& plan, const Workspace& work, int panel, Vector* offset) {
  if (plan.formed) return formed_logs(plan, work, panel);
  const bool tied = plan.shape == Shape::kTied;
  const Vector* columns = work.rows.data + panel * work.rows.stride;
  Vector* logs = work.logs.data + panel * work.logs.stride;
  Vector* features = work.features.data + (plan.keeps_features ? panel * work.features.stride : 0);
  if (tied) {
    whiten<Width>(plan, plan.whiteners.data, columns, features);
    for (std::int64_t i = 0; i < std::int64_t(plan.dimensions) * Width; ++i)
      offset[i % Width] -= 0.5 * features[i] * features[i];
  }
  for (std::int64_t c = 0; c < plan.output_chunks.count; ++c) {
    const Chunk<OutputBlock>& chunk = plan.output_chunks.data[c];
    Vector* inputs = features + (tied || plan.keeps_features ? std::int64_t(chunk.begin) * Width : 0);
    if (!tied) build_features<Width>(chunk, columns, plan.dimensions, inputs);
    for (std::int64_t i = 0; i < chunk.blocks.count; ++i)
      multiply_block<Width>(chunk.blocks.data[i], plan.coefficients.data, inputs,
                            c == 0 ? plan.constant.data : nullptr, logs);
  }
}

// The second moments of all rows about the origin: with a shared whitener only their sum over components is wanted, and
// that does not depend on the responsibilities.
template <int Width>
void pooled_moments(const Plan& plan, const Workspace& work, int panels, double* packed) {
  for (int panel = 0; panel < panels; ++panel) {
    const Vector* columns = work.rows.data + panel * work.rows.stride;
    Vector* weighted = work.weighted.data + panel * work.weighted.stride;
    for (std::int64_t i = 0; i < std::int64_t(plan.dimensions) * Width; ++i)
      weighted[i] = columns[i] * work.weights[panel * Width + i % Width];
  }
  accumulate_blocks(plan.triangle, work.weighted, work.rows, panels, Width, packed + plan.triangle_offset);
}

template <int Width>
void quadratic_moments(const Plan& plan, const Workspace& work, int panels, double* packed, Prefetch wanted) {
  if (plan.formed) return formed_moments(plan, work, panels, packed, wanted);
  const bool tied = plan.shape == Shape::kTied;
  const bool build = !tied && !plan.keeps_features;
  const Panels inputs = tied ? work.rows : work.features;
  for (std::int64_t c = 0; c < plan.moment_chunks.count; ++c) {
    const Chunk<MomentBlock>& chunk = plan.moment_chunks.data[c];
    for (int panel = 0; panel < panels && build; ++panel)
      build_features<Width>(chunk, work.rows.data + panel * work.rows.stride, plan.dimensions,
                            work.features.data + panel * work.features.stride);
    accumulate_blocks(chunk.blocks, work.logs, inputs, panels, Width, packed, &wanted);
  }
  if (tied) pooled_moments<Width>(plan, work, panels, packed);
}

}  // namespace
}  // namespace mixtura::MIXTURA_LEVEL
