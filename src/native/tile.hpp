// A tile of rows, standardised and turned so that SIMD lanes run over rows; and the features made from its columns.
#pragma once

#include "kernel.hpp"
#include "products.hpp"
#include "simd.hpp"

namespace mixtura::MIXTURA_LEVEL {
namespace {

struct Standardisation {
  const double* shift;
  const double* inverse_scale;
  std::int64_t dimensions;
};

// kLanes rows: column f goes to columns[f * step].
template <typename Scalar>
void load_vector(const Scalar* rows, std::int64_t stride, const Standardisation& to, Vector* columns,
                 std::int64_t step) {
  std::int64_t f = 0;
  for (; f + kLanes <= to.dimensions; f += kLanes) {
    Vector block[kLanes];
    MIXTURA_UNROLL
    for (int lane = 0; lane < kLanes; ++lane) block[lane] = load(rows + lane * stride + f);
    transpose(block);
    MIXTURA_UNROLL
    for (int i = 0; i < kLanes; ++i) columns[(f + i) * step] = (block[i] - to.shift[f + i]) * to.inverse_scale[f + i];
  }
  for (; f < to.dimensions; ++f)
    columns[f * step] = (gather(rows + f, stride) - to.shift[f]) * to.inverse_scale[f];
}

// The last rows, fewer than kLanes: copied to a full block, so that nothing past the data is read, and zero where padded.
template <typename Scalar>
void load_edge(const Scalar* rows, std::int64_t stride, std::int64_t count, const Standardisation& to, double* edge,
               Vector* columns, std::int64_t step) {
  Mask present = {};
  for (int lane = 0; lane < kLanes; ++lane) {
    if (lane < count) present[lane] = -1;
    for (std::int64_t f = 0; f < to.dimensions; ++f)
      edge[lane * to.dimensions + f] = lane < count ? static_cast<double>(rows[lane * stride + f]) : 0.0;
  }
  load_vector(edge, to.dimensions, to, columns, step);
  for (std::int64_t f = 0; f < to.dimensions; ++f) columns[f * step] = present ? columns[f * step] : Vector{};
}

// Rows [begin, begin + count) to panels of `width` vectors; returns how many panels hold rows. Rows past the end are zero.
template <typename Scalar>
int load_tile(const Rows& source, std::int64_t begin, std::int64_t count, const Standardisation& to, int width,
              double* edge, Panels tile) {
  const Scalar* rows = static_cast<const Scalar*>(source.data) + begin * source.stride;
  const std::int64_t panel_rows = std::int64_t(width) * kLanes;
  const int panels = static_cast<int>((count + panel_rows - 1) / panel_rows);
  for (std::int64_t i = 0; i < std::int64_t(panels) * width; ++i) {
    Vector* columns = tile.data + (i / width) * tile.stride + i % width;
    const std::int64_t first = i * kLanes;
    const Scalar* block = rows + first * source.stride;
    if (first + kLanes <= count) {
      load_vector(block, source.stride, to, columns, width);
    } else if (first < count) {
      load_edge(block, source.stride, count - first, to, edge, columns, width);
    } else {
      for (std::int64_t f = 0; f < to.dimensions; ++f) columns[f * width] = Vector{};
    }
  }
  return panels;
}

// The same of rows that are turned already.
int load_turned(const Rows& source, std::int64_t begin, std::int64_t count, std::int64_t dimensions, int width,
                Panels tile) {
  const double* next = static_cast<const double*>(source.data) + begin * dimensions;
  const std::int64_t panel_rows = std::int64_t(width) * kLanes, full = (count + kLanes - 1) / kLanes;
  const int panels = static_cast<int>((count + panel_rows - 1) / panel_rows);
  for (int panel = 0; panel < panels; ++panel) {
    Vector* columns = tile.data + panel * tile.stride;
    for (std::int64_t v = 0; v < width; ++v) {
      const bool present = panel * width + v < full;
      for (std::int64_t f = 0; f < dimensions; ++f)
        columns[f * width + v] = present ? load(next + f * kLanes) : Vector{};
      if (present) next += dimensions * kLanes;
    }
  }
  return panels;
}

int load_tile(const Rows& source, std::int64_t begin, std::int64_t count, const Standardisation& to, int width,
              double* edge, Panels tile) {
  if (source.turned) return load_turned(source, begin, count, to.dimensions, width, tile);
  return source.is_float32 ? load_tile<float>(source, begin, count, to, width, edge, tile)
                           : load_tile<double>(source, begin, count, to, width, edge, tile);
}

// The rows of the next tile, to be asked for while the moments of the one at hand are summed: the processor's own
// prefetching stops where a tile ends. Rows that lie apart are left to it, as are those of few blocks: a processor has
// about a dozen requests under way at a time.
Prefetch next_rows(const Plan& plan, const Rows& source, std::int64_t begin, std::int64_t most) {
  const std::int64_t count = source.count - begin < most ? source.count - begin : most;
  if (count <= 0 || source.stride != plan.dimensions) return {};
  std::int64_t blocks = 0;
  for (std::int64_t c = 0; c < plan.moment_chunks.count; ++c)
    blocks += plan.moment_chunks.data[c].blocks.count + plan.moment_chunks.data[c].turned.count;
  if (plan.formed) blocks *= plan.panels;
  const std::int64_t row = source.stride * (source.is_float32 ? 4 : 8);
  if (count * row > kLine * 12 * blocks) return {};
  return {static_cast<const char*>(source.data) + begin * row, count * row, blocks};
}

// One weight per row, in the order of the tile: zero for padding.
void load_weights(const double* weights, std::int64_t begin, std::int64_t count, std::int64_t vectors, Vector* out) {
  for (std::int64_t i = 0; i < vectors; ++i) {
    const std::int64_t first = i * kLanes;
    if (first + kLanes <= count) {
      out[i] = weights ? load(weights + begin + first) : broadcast(1.0);
      continue;
    }
    out[i] = Vector{};
    for (int lane = 0; lane < kLanes && first + lane < count; ++lane)
      out[i][lane] = weights ? weights[begin + first + lane] : 1.0;
  }
}

// The pairs are a table rather than two nested loops: short inner loops of varying length cost more in mispredicted
// branches than the multiplications.
template <int Width, typename Block>
void build_features(const Chunk<Block>& chunk, const Vector* columns, std::int64_t dimensions, Vector* out) {
  if (chunk.norm) {
    Vector norm[Width] = {};
    for (std::int64_t i = 0; i < dimensions; ++i)
      MIXTURA_UNROLL
      for (int v = 0; v < Width; ++v) norm[v] += columns[i * Width + v] * columns[i * Width + v];
    for (int v = 0; v < Width; ++v) *out++ = norm[v];
  }
  for (std::int64_t i = 0; i < chunk.pairs.count; ++i, out += Width) {
    const Vector* first = columns + std::int64_t(chunk.pairs.data[i].first) * Width;
    const Vector* second = columns + std::int64_t(chunk.pairs.data[i].second) * Width;
    MIXTURA_UNROLL
    for (int v = 0; v < Width; ++v) out[v] = first[v] * second[v];
  }
  const Vector* linear = columns + std::int64_t(chunk.linear_begin) * Width;
  for (std::int64_t i = 0; i < std::int64_t(chunk.linear_count) * Width; ++i) out[i] = linear[i];
}

// The working arrays of one call, in its scratch memory. Panel strides are odd multiples of the width: with a power of two
// all panels of an item would compete for the same few cache sets.
struct Workspace {
  Workspace(const Plan& plan, double* scratch)
      : to{plan.shift.data, plan.inverse_scale.data, plan.dimensions},
        rows{at(scratch, plan.scratch.rows), std::int64_t((plan.dimensions + plan.formed) | 1) * plan.width},
        features{at(scratch, plan.scratch.features), std::int64_t(plan.panel_items) * plan.width},
        logs{at(scratch, plan.scratch.logs), std::int64_t(plan.components | 1) * plan.width},
        shifted{at(scratch, plan.scratch.shifted), rows.stride},
        weighted{at(scratch, plan.scratch.weighted), rows.stride},
        weights(at(scratch, plan.scratch.weights)),
        densities(at(scratch, plan.scratch.densities)),
        counts(at(scratch, plan.scratch.counts)),
        shares(scratch + plan.scratch.shares),
        edge(scratch + plan.scratch.edge) {}

  static Vector* at(double* scratch, std::int64_t offset) { return reinterpret_cast<Vector*>(scratch + offset); }

  Standardisation to;
  Panels rows, features, logs;
  Panels shifted, weighted;  // rows less a center, and the same times responsibilities
  Vector* weights;
  Vector* densities;  // of one panel, group after group
  Vector* counts;     // lane by lane: components, then the groups' log likelihoods
  double* shares;     // responsibilities of the components that lie along lanes, row after row
  double* edge;
};

}  // namespace
}  // namespace mixtura::MIXTURA_LEVEL
