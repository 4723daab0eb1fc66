// From a kernel's packed sums to moments in their models' shapes.

#include <algorithm>
#include <numeric>

#include "plan.hpp"

namespace mixtura {
namespace {

// Packed blocks to rows of `columns`; `turned` ones are packed right after right.
void scatter(const Array<MomentBlock>& blocks, bool turned, const double* packed, std::int64_t right_offset,
             std::int64_t columns, double* dense) {
  for (std::int64_t b = 0; b < blocks.count; ++b) {
    const MomentBlock& block = blocks.data[b];
    const double* source = packed + block.offset;
    const std::int64_t left_step = turned ? 1 : block.right_size, right_step = turned ? block.left_size : 1;
    for (std::int64_t l = 0; l < block.left_size; ++l)
      for (std::int64_t r = 0; r < block.right_size; ++r)
        dense[(block.left + l) * columns + right_offset + block.right + r] = source[l * left_step + r * right_step];
  }
}

}  // namespace

void Planner::unpack(const double* packed, Moments& moments) const {
  const std::int64_t components = model_.components, dimensions = model_.dimensions, groups = model_.group_count();
  std::int64_t second = components;
  if (model_.shape == Shape::kFull) second = components * dimensions * dimensions;
  if (model_.shape == Shape::kTied) second = groups * dimensions * dimensions;
  if (model_.shape == Shape::kDiagonal) second = components * dimensions;
  moments.count.assign(packed, packed + components);
  moments.log_likelihood.assign(packed + components, packed + components + groups);
  moments.first.assign(components * dimensions, 0.0);
  moments.second.assign(second, 0.0);
  if (quadratic())
    unpack_quadratic(packed, moments);
  else
    unpack_centred(packed, moments);
}

void Planner::unpack_triangle(const double* packed, double* square) const {
  const std::int64_t dimensions = model_.dimensions;
  scatter(plan_.triangle, false, packed, 0, dimensions, square);
  for (std::int64_t i = 0; i < dimensions; ++i)
    for (std::int64_t j = 0; j < i; ++j) square[i * dimensions + j] = square[j * dimensions + i];
}

void Planner::unpack_quadratic(const double* packed, Moments& moments) const {
  const std::int64_t dimensions = model_.dimensions, features = plan_.features, squares = features - dimensions;
  thread_local std::vector<double> dense;
  dense.assign(model_.components * features, 0.0);
  for (const Chunk<MomentBlock>& chunk : moment_chunks_) {
    scatter(chunk.blocks, false, packed, chunk.begin, features, dense.data());
    scatter(chunk.turned, true, packed, chunk.begin, features, dense.data());
  }
  for (std::int64_t k = 0; k < model_.components; ++k) {
    const double* row = dense.data() + k * features;
    std::copy(row + squares, row + features, moments.first.begin() + k * dimensions);
    if (model_.shape != Shape::kFull) {
      std::copy(row, row + squares, moments.second.begin() + k * squares);
      continue;
    }
    double* square = moments.second.data() + k * dimensions * dimensions;
    for (std::int64_t i = 0; i < dimensions; ++i)
      for (std::int64_t j = i; j < dimensions; ++j)
        square[i * dimensions + j] = square[j * dimensions + i] = *row++;
  }
  if (model_.shape != Shape::kTied) return;
  for (std::int64_t g = 0; g < model_.group_count(); ++g) {
    const auto first = fallback_.begin() + model_.groups[g], last = fallback_.begin() + model_.groups[g + 1];
    const bool dead = std::all_of(first, last, [](double share) { return share == 0.0; });
    if (!dead)
      unpack_triangle(packed + plan_.triangle_offset, moments.second.data() + g * dimensions * dimensions);
  }
}

void Planner::unpack_centred(const double* packed, Moments& moments) const {
  const std::int64_t dimensions = model_.dimensions, columns = (dimensions + 7) / 8 * 8;
  std::vector<double> rows(2 * columns);
  for (std::int64_t k = 0; k < model_.components; ++k) {
    scatter(plan_.linear, false, packed + plan_.linear_offset + k * plan_.linear_size, 0, columns, rows.data());
    const double* second = rows.data() + columns;
    std::copy_n(rows.begin(), dimensions, moments.first.begin() + k * dimensions);
    if (model_.shape == Shape::kDiagonal) std::copy_n(second, dimensions, moments.second.begin() + k * dimensions);
    if (model_.shape == Shape::kSpherical) moments.second[k] = std::accumulate(second, second + dimensions, 0.0);
    if (model_.shape == Shape::kFull)
      unpack_triangle(packed + plan_.triangle_offset + k * plan_.triangle_size,
                      moments.second.data() + k * dimensions * dimensions);
  }
  if (model_.shape != Shape::kTied) return;
  for (std::int64_t g = 0; g < model_.group_count(); ++g)
    unpack_triangle(packed + plan_.triangle_offset + g * plan_.triangle_size,
                    moments.second.data() + g * dimensions * dimensions);
}

}  // namespace mixtura
