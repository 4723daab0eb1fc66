#include "squarem.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mixtura {
namespace {

// Four sums side by side: one alone would wait for each addition.
double norm(const Values& vector) {
  double sums[4] = {};
  const std::size_t whole = vector.size() / 4 * 4;
  for (std::size_t i = 0; i < whole; i += 4)
    for (std::size_t j = 0; j < 4; ++j) sums[j] += vector[i + j] * vector[i + j];
  for (std::size_t i = whole; i < vector.size(); ++i) sums[0] += vector[i] * vector[i];
  return std::sqrt((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

}  // namespace

void Squarem::begin(const Extent& extent, double total_weight, double step_factor, std::int64_t halvings) {
  extent_ = extent;
  total_weight_ = total_weight;
  step_factor_ = bound_ = step_factor;
  halvings_ = halvings;
  step_ = -1.0;
  reference_.clear();
  length_ = 0;
}

bool Squarem::propose(const Statistics& output, Statistics& proposal) {
  if (reference_.empty()) {
    const bool about_means = std::all_of(output.first.begin(), output.first.end(), [](double v) { return v == 0.0; });
    reference_ = output.reference;
    if (about_means) {
      Values scatter;
      output.mean_and_scatter(extent_, reference_, scatter);
    }
  }
  proposal = output;
  proposal.recenter(extent_, reference_);
  if (step_ >= bound_) bound_ *= step_factor_;
  step_ = -1.0;
  pack(proposal, path_[length_++]);
  if (length_ < 3) return false;
  const bool extrapolated = extrapolate(proposal);
  std::swap(path_[0], extrapolated ? target_ : path_[2]);
  length_ = 1;
  return extrapolated;
}

void Squarem::take_plain() {
  length_ = 0;
  step_ = -1.0;
}

void Squarem::retreat(const Statistics& output) {
  bound_ = std::max(1.0, bound_ / step_factor_);
  step_ = -1.0;
  Statistics moved = output;
  moved.recenter(extent_, reference_);
  pack(moved, path_[0]);
  length_ = 1;
}

void Squarem::pack(const Statistics& statistics, Values& vector) const {
  const double share = 1.0 / total_weight_;
  vector.resize(statistics.count.size() + statistics.first.size() + statistics.second.size());
  auto place = vector.begin();
  for (const Values* part : {&statistics.count, &statistics.first, &statistics.second})
    place = std::transform(part->begin(), part->end(), place, [share](double value) { return value * share; });
}

// Statistics from a packed vector; false if a count is not positive.
bool Squarem::unpack(const Values& vector, Statistics& statistics) const {
  const double* value = vector.data();
  double nothing = 0.0;  // or NaN, where a value is not finite
  for (Values* part : {&statistics.count, &statistics.first, &statistics.second})
    for (double& entry : *part) {
      entry = *value++ * total_weight_;
      nothing += entry * 0.0;
    }
  if (nothing != 0.0) return false;
  return std::all_of(statistics.count.begin(), statistics.count.end(), [](double count) { return count > 0; });
}

// The geometric-mean step, S3 (Varadhan and Roland 2008, eq. 8 and 11).
bool Squarem::extrapolate(Statistics& proposal) {
  const std::size_t size = path_[0].size();
  start_.resize(size);
  curvature_.resize(size);
  target_.resize(size);
  for (std::size_t i = 0; i < size; ++i) {
    start_[i] = path_[1][i] - path_[0][i];
    curvature_[i] = (path_[2][i] - path_[1][i]) - start_[i];
  }
  const double bend = norm(curvature_);
  if (bend == 0) return false;
  double step = std::min(std::max(norm(start_) / bend, 1.0), bound_);
  for (std::int64_t trial = 0; trial < halvings_; ++trial, step = 0.5 * (step + 1.0)) {
    for (std::size_t i = 0; i < size; ++i)
      target_[i] = path_[0][i] + 2 * step * start_[i] + step * step * curvature_[i];
    if (!unpack(target_, proposal)) continue;
    step_ = step;
    return true;
  }
  return false;
}

}  // namespace mixtura
