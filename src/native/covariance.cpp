#include "covariance.hpp"

#include <numeric>

namespace mixtura {
namespace {

// Scatter divided by each component's weight, times the dimension where the scatter is a trace.
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
  const double total = std::accumulate(moment.count.begin(), moment.count.end(), 0.0);
  covariances = moment.scatter;
  for (double& value : covariances) value /= total;
  return true;
}

constexpr CovarianceModel kModels[] = {
    {"VII", Shape::kSpherical, separate},
    {"VVI", Shape::kDiagonal, separate},
    {"EEE", Shape::kTied, pooled},
    {"VVV", Shape::kFull, separate},
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
