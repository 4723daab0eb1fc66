#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "linear.hpp"

namespace mixtura {
namespace {

// Adds factor * left right^T to one matrix of the extent's shape.
template <typename Size>
void add_outer(const Extent& extent, Size dimensions, double factor, const double* left, const double* right,
               double* matrix) {
  if (extent.matrix()) {
    for (std::int64_t i = 0; i < dimensions; ++i)
      for (std::int64_t j = 0; j < dimensions; ++j) matrix[i * dimensions + j] += factor * (left[i] * right[j]);
  } else if (extent.shape == Shape::kDiagonal) {
    for (std::int64_t i = 0; i < dimensions; ++i) matrix[i] += factor * (left[i] * right[i]);
  } else {
    matrix[0] += factor * std::inner_product(left, left + dimensions, right, 0.0);
  }
}

double* block_of(const Extent& extent, Values& values, std::int64_t component) {
  return values.data() + (extent.shared() ? 0 : component * extent.block_size());
}

// The nearest matrix whose eigenvalues are at least `minimum`, which maximises the expected log likelihood under that
// constraint (Ingrassia and Rocci 2007, section 3).
bool floor_matrix(std::int64_t size, double minimum, double* matrix, bool& changed) {
  Values values(size), vectors(size * size);
  if (!eigen(matrix, size, values.data(), vectors.data())) return false;
  changed = values[0] < minimum;
  if (!changed) return true;
  for (double& value : values) value = std::max(value, minimum);
  assemble(vectors.data(), values.data(), size, matrix);
  return true;
}

}  // namespace

void Statistics::recenter(const Extent& extent, const Values& to) {
  if (reference == to) return;
  Values move(extent.dimensions), weighted(extent.dimensions);
  with_size(extent.dimensions, [&](auto dimensions) {
    for (std::int64_t k = 0; k < extent.components; ++k) {
      double* sums = first.data() + k * dimensions;
      double* matrix = block_of(extent, second, k);
      for (std::int64_t i = 0; i < dimensions; ++i) {
        move[i] = to[k * dimensions + i] - reference[k * dimensions + i];
        weighted[i] = count[k] * move[i];
      }
      add_outer(extent, dimensions, -1.0, sums, move.data(), matrix);
      add_outer(extent, dimensions, -1.0, move.data(), sums, matrix);
      add_outer(extent, dimensions, 1.0, weighted.data(), move.data(), matrix);
      for (std::int64_t i = 0; i < dimensions; ++i) sums[i] -= weighted[i];
    }
  });
  reference = to;
}

void Statistics::mean_and_scatter(const Extent& extent, Values& mean, Values& scatter) const {
  const std::int64_t dimensions = extent.dimensions;
  mean.resize(extent.components * dimensions);
  scatter = second;
  with_size(dimensions, [&](auto known) {
    for (std::int64_t k = 0; k < extent.components; ++k) {
      const double* sums = first.data() + k * known;
      double* deviation = mean.data() + k * known;
      const double whole = count[k] > 0 ? count[k] : 1.0;
      for (std::int64_t i = 0; i < known; ++i) deviation[i] = sums[i] / whole;
      add_outer(extent, known, -1.0, sums, deviation, block_of(extent, scatter, k));
      for (std::int64_t i = 0; i < known; ++i) deviation[i] += reference[k * known + i];
    }
  });
}

void dense_matrices(const Extent& extent, const Values& matrices, Values& dense) {
  const std::int64_t d = extent.dimensions, size = d * d;
  dense.assign(extent.components * size, 0.0);
  for (std::int64_t k = 0; k < extent.components; ++k) {
    const double* matrix = matrices.data() + (extent.shared() ? 0 : k * extent.block_size());
    if (extent.matrix())
      std::copy_n(matrix, size, dense.data() + k * size);
    else
      for (std::int64_t i = 0; i < d; ++i)
        dense[k * size + i * (d + 1)] = matrix[extent.shape == Shape::kDiagonal ? i : 0];
  }
}

bool whiten(const Extent& extent, const Values& covariances, Values& whitener) {
  whitener.resize(covariances.size());
  if (!extent.matrix()) {
    for (std::size_t i = 0; i < covariances.size(); ++i) {
      if (!(covariances[i] > 0)) return false;
      whitener[i] = 1.0 / std::sqrt(covariances[i]);
    }
    return true;
  }
  return whiten_all(covariances.data(), extent.blocks(), extent.dimensions, whitener.data());
}

void log_determinants(const Extent& extent, const Values& whitener, Values& logs) {
  const std::int64_t dimensions = extent.dimensions, size = extent.block_size();
  const std::int64_t step = extent.matrix() ? dimensions + 1 : 1;
  logs.assign(extent.components, 0.0);
  for (std::int64_t b = 0; b < extent.blocks(); ++b) {
    double product = 1.0;  // one logarithm for many factors, each the inverse root of a number and so far from overflow
    for (std::int64_t i = 0; i < size; i += step) {
      product *= whitener[b * size + i];
      if (product > 1e-100 && product < 1e100) continue;
      logs[b] += std::log(product);
      product = 1.0;
    }
    logs[b] += std::log(product);
    if (extent.shape == Shape::kSpherical) logs[b] *= static_cast<double>(dimensions);
  }
  if (extent.shared()) std::fill(logs.begin(), logs.end(), double(logs[0]));
}

void squared_norms(const Extent& extent, const Values& whitener, Values& norms) {
  const std::int64_t size = extent.block_size();
  norms.assign(extent.blocks(), 0.0);
  for (std::int64_t b = 0; b < extent.blocks(); ++b)
    for (std::int64_t i = 0; i < size; ++i) {
      const double square = whitener[b * size + i] * whitener[b * size + i];
      norms[b] = extent.matrix() ? norms[b] + square : std::max(norms[b], square);
    }
}

double precision_product(const Extent& extent, const Values& whitener, const Values& matrices) {
  double sum = 0;
  if (!extent.matrix()) {
    for (std::size_t i = 0; i < whitener.size(); ++i) sum += whitener[i] * whitener[i] * matrices[i];
    return sum;
  }
  const std::int64_t dimensions = extent.dimensions, size = extent.block_size();
  for (std::int64_t b = 0; b < extent.blocks(); ++b)
    for (std::int64_t i = 0; i < dimensions; ++i)
      for (std::int64_t j = 0; j < dimensions; ++j) {
        const double* rows = whitener.data() + b * size;
        sum += matrices[b * size + i * dimensions + j] *
               std::inner_product(rows + i * dimensions, rows + (i + 1) * dimensions, rows + j * dimensions, 0.0);
      }
  return sum;
}

bool hold_at_floor(const Extent& extent, double minimum, Values& covariances, std::vector<char>& changed) {
  if (!std::all_of(covariances.begin(), covariances.end(), [](double value) { return std::isfinite(value); }))
    return false;
  const std::int64_t size = extent.block_size();
  changed.assign(extent.components, false);
  for (std::int64_t b = 0; b < extent.blocks(); ++b) {
    double* block = covariances.data() + b * size;
    bool low = false;
    if (extent.matrix()) {
      if (!floor_matrix(extent.dimensions, minimum, block, low)) return false;
    } else {
      low = std::any_of(block, block + size, [&](double value) { return value < minimum; });
      std::transform(block, block + size, block, [&](double value) { return std::max(value, minimum); });
    }
    changed[b] = low;
  }
  if (extent.shared()) std::fill(changed.begin(), changed.end(), char(changed[0]));
  return true;
}

}  // namespace mixtura
