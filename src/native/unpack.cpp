// From a kernel's packed sums to moments in their models' shapes.

#include <algorithm>
#include <numeric>

#include "plan.hpp"

namespace mixtura {
namespace {

// Packed blocks to rows of `columns`.
void scatter(const Array<MomentBlock>& blocks, const double* packed, std::int64_t columns, double* dense) {
  for (std::int64_t b = 0; b < blocks.count; ++b) {
    const MomentBlock& block = blocks.data[b];
    const double* source = packed + block.offset;
    for (std::int64_t l = 0; l < block.left_size; ++l)
      for (std::int64_t r = 0; r < block.right_size; ++r)
        dense[(block.left + l) * columns + block.right + r] = source[l * block.right_size + r];
  }
}

}  // namespace

// Where the packed sums hold each component's moment with each feature.
void Planner::find_moments() {
  moment_places_.assign(model_.components * plan_.features, 0);
  const auto note = [&](const MomentBlock& block, std::int64_t begin, bool turned) {
    const std::int64_t left_step = turned ? 1 : block.right_size, right_step = turned ? block.left_size : 1;
    for (std::int64_t l = 0; l < block.left_size; ++l)
      for (std::int64_t r = 0; r < block.right_size; ++r)
        moment_places_[(block.left + l) * plan_.features + begin + block.right + r] =
            static_cast<std::int32_t>(block.offset + l * left_step + r * right_step);
  };
  for (const auto& chunk : moment_parts_) {
    for (const MomentBlock& block : chunk.blocks) note(block, chunk.begin, false);
    for (const MomentBlock& block : chunk.turned) note(block, chunk.begin, true);
  }
}

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
  scatter(plan_.triangle, packed, dimensions, square);
  for (std::int64_t i = 0; i < dimensions; ++i)
    for (std::int64_t j = 0; j < i; ++j) square[i * dimensions + j] = square[j * dimensions + i];
}

void Planner::unpack_quadratic(const double* packed, Moments& moments) const {
  const std::int64_t dimensions = model_.dimensions, features = plan_.features, squares = features - dimensions;
  for (std::int64_t k = 0; k < model_.components; ++k) {
    const std::int32_t* place = moment_places_.data() + k * features;
    double* first = moments.first.data() + k * dimensions;
    for (std::int64_t i = 0; i < dimensions; ++i) first[i] = packed[place[squares + i]];
    if (model_.shape != Shape::kFull) {
      for (std::int64_t i = 0; i < squares; ++i) moments.second[k * squares + i] = packed[place[i]];
      continue;
    }
    double* square = moments.second.data() + k * dimensions * dimensions;
    for (std::int64_t i = 0; i < dimensions; ++i)
      for (std::int64_t j = i; j < dimensions; ++j)
        square[i * dimensions + j] = square[j * dimensions + i] = packed[*place++];
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
    scatter(plan_.linear, packed + plan_.linear_offset + k * plan_.linear_size, columns, rows.data());
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
