#include "covariance.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "linear.hpp"
#include "orientation.hpp"
#include "volumes.hpp"

namespace mixtura {
namespace {

double sum_of(const Values& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

// S_k: scatter divided by each component's weight, times the dimension where the scatter is a trace.
bool separate(const Moment& moment, Values& covariances) {
  const Extent& extent = moment.extent;
  const std::int64_t size = extent.block_size();
  const double traces = extent.shape == Shape::kSpherical ? static_cast<double>(extent.dimensions) : 1.0;
  covariances.resize(extent.size());
  for (std::int64_t k = 0; k < extent.components; ++k)
    for (std::int64_t i = k * size; i < (k + 1) * size; ++i)
      covariances[i] = moment.scatter[i] / (moment.count[k] * traces);
  return true;
}

// The shared scatter divided by the whole weight.
bool pooled(const Moment& moment, Values& covariances) {
  const double total = sum_of(moment.count);
  covariances = moment.scatter;
  for (double& value : covariances) value /= total;
  return true;
}

// EII.
bool equal_balls(const Moment& moment, Values& covariances) {
  const double variance =
      sum_of(moment.scatter) / (sum_of(moment.count) * static_cast<double>(moment.extent.dimensions));
  covariances.assign(moment.extent.components, variance);
  return true;
}

// mclust's E and V are for a single feature; Python reports the error.
bool one_variance(const Moment& moment, Values& covariances) {
  return moment.extent.dimensions == 1 && equal_balls(moment, covariances);
}

bool own_variances(const Moment& moment, Values& covariances) {
  return moment.extent.dimensions == 1 && separate(moment, covariances);
}

// EEI.
bool pooled_axes(const Moment& moment, Values& covariances) {
  const std::int64_t components = moment.extent.components, dimensions = moment.extent.dimensions;
  const double total = sum_of(moment.count);
  covariances.assign(components * dimensions, 0.0);
  for (std::int64_t i = 0; i < dimensions; ++i) {
    double sum = 0;
    for (std::int64_t k = 0; k < components; ++k) sum += moment.scatter[k * dimensions + i];
    for (std::int64_t k = 0; k < components; ++k) covariances[k * dimensions + i] = sum / total;
  }
  return true;
}

Values row_means(std::int64_t components, const Values& rows) {
  const std::int64_t width = static_cast<std::int64_t>(rows.size()) / components;
  Values means(components);
  for (std::int64_t k = 0; k < components; ++k)
    means[k] = std::accumulate(rows.begin() + k * width, rows.begin() + (k + 1) * width, 0.0) /
               static_cast<double>(width);
  return means;
}

// tr(S_k) / D.
Values mean_variances(const Extent& extent, const Values& matrices) {
  Values means(extent.components, 0.0);
  for (std::int64_t k = 0; k < extent.components; ++k) {
    const double* matrix = matrices.data() + k * extent.block_size();
    for (std::int64_t i = 0; i < extent.dimensions; ++i) means[k] += matrix[i * (extent.dimensions + 1)];
    means[k] /= static_cast<double>(extent.dimensions);
  }
  return means;
}

void outer_product(const Values& volumes, const Values& common, Values& covariances) {
  covariances.clear();
  for (const double volume : volumes)
    for (const double value : common) covariances.push_back(volume * value);
}

// VEI.
bool proportional_axes(const Moment& moment, Values& covariances) {
  const Extent& extent = moment.extent;
  Values variances, volumes, common;
  separate(moment, variances);
  add_ridge(extent.components, extent.dimensions, variances);
  const Values start = row_means(extent.components, moment.previous);
  const Parts parts{extent.components, extent.dimensions, false, variances};
  if (!proportional(moment.count, parts, row_means(extent.components, variances), &start, volumes, common))
    return false;
  outer_product(volumes, common, covariances);
  return true;
}

// EVI.
bool equal_volume_axes(const Moment& moment, Values& covariances) {
  const std::int64_t dimensions = moment.extent.dimensions;
  Values factors;
  separate(moment, covariances);
  const double volume = equal_volume(moment.count, covariances, factors);
  for (std::size_t i = 0; i < covariances.size(); ++i) {
    const double factor = factors[i / dimensions];
    covariances[i] = factor > 0 ? factor * covariances[i] : volume;
  }
  return true;
}

// VEE; for components that all lie in one hyperplane, or extrapolated statistics, with a ridge, or else as they are.
bool proportional_matrices(const Moment& moment, Values& covariances) {
  const Extent& extent = moment.extent;
  const std::int64_t dimensions = extent.dimensions;
  Values matrices, volumes, common;
  separate(moment, matrices);
  const Values sizes = mean_variances(extent, matrices), start = mean_variances(extent, moment.previous);
  const Parts parts{extent.components, dimensions, true, matrices};
  covariances = matrices;
  if (!proportional(moment.count, parts, sizes, &start, volumes, common)) {
    for (std::int64_t k = 0; k < extent.components; ++k)
      for (std::int64_t i = 0; i < dimensions; ++i)
        matrices[k * extent.block_size() + i * (dimensions + 1)] += kRidge * std::abs(sizes[k]);
    if (!proportional(moment.count, parts, sizes, nullptr, volumes, common)) return true;
  }
  outer_product(volumes, common, covariances);
  return true;
}

// Eigenvalues (K, D) and, where wanted, eigenvectors of the matrices of a full shape.
bool decompose(const Extent& extent, const Values& matrices, Values& values, Values* vectors) {
  const std::int64_t size = extent.block_size();
  values.resize(extent.components * extent.dimensions);
  if (vectors != nullptr) vectors->resize(extent.size());
  for (std::int64_t k = 0; k < extent.components; ++k)
    if (!eigen(matrices.data() + k * size, extent.dimensions, values.data() + k * extent.dimensions,
               vectors != nullptr ? vectors->data() + k * size : nullptr))
      return false;
  return true;
}

// Q_k diag(variances_k) Q_k^T, with one Q for all where there is only one.
void assemble_all(const Extent& extent, const Values& vectors, const Values& variances, Values& covariances) {
  const std::int64_t size = extent.block_size();
  const std::int64_t step = static_cast<std::int64_t>(vectors.size()) == size ? 0 : size;
  covariances.resize(extent.size());
  for (std::int64_t k = 0; k < extent.components; ++k)
    assemble(vectors.data() + k * step, variances.data() + k * extent.dimensions, extent.dimensions,
             covariances.data() + k * size);
}

// EVV.
bool equal_volume_matrices(const Moment& moment, Values& covariances) {
  const Extent& extent = moment.extent;
  Values values, factors;
  separate(moment, covariances);
  if (!decompose(extent, covariances, values, nullptr)) return false;
  const double volume = equal_volume(moment.count, values, factors);
  for (std::int64_t k = 0; k < extent.components; ++k) {
    double* matrix = covariances.data() + k * extent.block_size();
    for (std::int64_t i = 0; i < extent.block_size(); ++i)
      matrix[i] = factors[k] > 0 ? factors[k] * matrix[i] : i % (extent.dimensions + 1) == 0 ? volume : 0.0;
  }
  return true;
}

// EEV.
bool turned_copies(const Moment& moment, Values& covariances) {
  const Extent& extent = moment.extent;
  Values values, vectors, axes;
  if (!decompose(extent, moment.scatter, values, &vectors)) return false;
  pooled_axes({extent, moment.count, values, moment.previous}, axes);
  assemble_all(extent, vectors, axes, covariances);
  return true;
}

// VEV: volumes and shape are those of VEI with the eigenvalues as variances.
bool turned_proportional(const Moment& moment, Values& covariances) {
  const Extent& extent = moment.extent;
  Values matrices, variances, vectors, volumes, common, axes;
  separate(moment, matrices);
  if (!decompose(extent, matrices, variances, &vectors)) return false;
  add_ridge(extent.components, extent.dimensions, variances);
  const Values start = mean_variances(extent, moment.previous);
  const Parts parts{extent.components, extent.dimensions, false, variances};
  if (!proportional(moment.count, parts, row_means(extent.components, variances), &start, volumes, common))
    return false;
  outer_product(volumes, common, axes);
  assemble_all(extent, vectors, axes, covariances);
  return true;
}

// The best common orientation, and each component's variances along its axes.
bool along_common_axes(Volumes objective, const Moment& moment, Values& vectors, Values& variances) {
  const Extent& extent = moment.extent;
  const std::int64_t dimensions = extent.dimensions, size = extent.block_size();
  Values matrices, work(2 * size);
  separate(moment, matrices);
  if (!common_orientation(objective, moment.count, dimensions, matrices, &moment.previous, vectors)) return false;
  variances.clear();
  for (std::int64_t k = 0; k < extent.components; ++k) {
    double* turned = work.data() + size;
    congruence(vectors.data(), matrices.data() + k * size, dimensions, work.data(), turned);
    for (std::int64_t i = 0; i < dimensions; ++i) variances.push_back(turned[i * (dimensions + 1)]);
  }
  return true;
}

// EVE.
bool equal_volume_common_axes(const Moment& moment, Values& covariances) {
  Values vectors, variances, factors;
  if (!along_common_axes(Volumes::kEqual, moment, vectors, variances)) return false;
  const double volume = equal_volume(moment.count, variances, factors);
  for (std::size_t i = 0; i < variances.size(); ++i) {
    const double factor = factors[i / moment.extent.dimensions];
    variances[i] = factor > 0 ? factor * variances[i] : volume;
  }
  assemble_all(moment.extent, vectors, variances, covariances);
  return true;
}

// VVE.
bool free_common_axes(const Moment& moment, Values& covariances) {
  Values vectors, variances;
  if (!along_common_axes(Volumes::kFree, moment, vectors, variances)) return false;
  assemble_all(moment.extent, vectors, variances, covariances);
  return true;
}

constexpr CovarianceModel kModels[] = {
    {"EII", Shape::kSpherical, equal_balls},        {"VII", Shape::kSpherical, separate},
    {"EEI", Shape::kDiagonal, pooled_axes},         {"VEI", Shape::kDiagonal, proportional_axes},
    {"EVI", Shape::kDiagonal, equal_volume_axes},   {"VVI", Shape::kDiagonal, separate},
    {"EEE", Shape::kTied, pooled},                  {"VEE", Shape::kFull, proportional_matrices},
    {"EVE", Shape::kFull, equal_volume_common_axes}, {"VVE", Shape::kFull, free_common_axes},
    {"EEV", Shape::kFull, turned_copies},           {"VEV", Shape::kFull, turned_proportional},
    {"EVV", Shape::kFull, equal_volume_matrices},   {"VVV", Shape::kFull, separate},
    {"E", Shape::kSpherical, one_variance},         {"V", Shape::kSpherical, own_variances},
};

}  // namespace

const CovarianceModel* find_covariance(const std::string& name) {
  for (const CovarianceModel& model : kModels)
    if (name == model.name) return &model;
  return nullptr;
}

std::vector<std::string> covariance_names() {
  std::vector<std::string> names;
  for (const CovarianceModel& model : kModels) names.emplace_back(model.name);
  return names;
}

}  // namespace mixtura
