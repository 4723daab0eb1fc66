#include "volumes.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "linear.hpp"

namespace mixtura {
namespace {

// What Newton's method needs of M = sum_k V_k: log |M|, tr(M^-1 V_k) and tr(M^-1 V_k M^-1 V_l).
struct Spread {
  double log_determinant = 0;
  Values traces, products;
};

// The components that have any spread, weighted by their shares, and the search for their log volumes.
class Levels {
 public:
  Levels(Values share, Values weighted, std::int64_t dimensions, bool dense)
      : share_(std::move(share)),
        weighted_(std::move(weighted)),
        dimensions_(dimensions),
        size_(dense ? dimensions * dimensions : dimensions),
        dense_(dense) {}

  bool newton(Values& level);
  void common(const Values& level, Values& whole);

 private:
  std::int64_t components() const { return static_cast<std::int64_t>(share_.size()); }
  double target(std::int64_t k) const { return static_cast<double>(dimensions_) * share_[k]; }
  bool spread(const Values& level, Spread& out);
  bool spread_along_axes(Spread& out);
  bool spread_of_matrices(Spread& out);
  void find_products(Spread& out) const;
  bool newton_step(const Spread& here, Values& step) const;
  void alternating_step(const Spread& here, Values& step) const;
  bool evaluate(const Values& level, const Values& step, Values& there, Spread& spread, double& value);

  Values share_, weighted_;
  std::int64_t dimensions_, size_;
  bool dense_;
  Values parts_, whole_, lower_, inverse_, work_;
};

void Levels::common(const Values& level, Values& whole) {
  parts_.resize(weighted_.size());
  whole.assign(size_, 0.0);
  for (std::int64_t k = 0; k < components(); ++k) {
    const double factor = std::exp(-level[k]);
    for (std::int64_t i = 0; i < size_; ++i) whole[i] += parts_[k * size_ + i] = weighted_[k * size_ + i] * factor;
  }
}

bool Levels::spread(const Values& level, Spread& out) {
  common(level, whole_);
  out.traces.assign(components(), 0.0);
  out.log_determinant = 0;
  if (!(dense_ ? spread_of_matrices(out) : spread_along_axes(out))) return false;
  find_products(out);
  return true;
}

// Leaves the ratios M^-1 V_k in place of the parts.
bool Levels::spread_along_axes(Spread& out) {
  for (std::int64_t i = 0; i < size_; ++i) out.log_determinant += std::log(whole_[i]);
  for (std::int64_t k = 0; k < components(); ++k)
    for (std::int64_t i = 0; i < size_; ++i) out.traces[k] += parts_[k * size_ + i] /= whole_[i];
  return true;
}

// Leaves L^-1 V_k L^-T with M = L L^T in place of the parts.
bool Levels::spread_of_matrices(Spread& out) {
  lower_.resize(size_);
  inverse_.resize(size_);
  work_.resize(2 * size_);
  if (!cholesky(whole_.data(), dimensions_, lower_.data())) return false;
  whitener_of(lower_.data(), dimensions_, inverse_.data());
  for (std::int64_t i = 0; i < dimensions_; ++i) out.log_determinant += 2.0 * std::log(lower_[i * (dimensions_ + 1)]);
  for (std::int64_t k = 0; k < components(); ++k) {
    double* part = parts_.data() + k * size_;
    congruence(inverse_.data(), part, dimensions_, work_.data(), work_.data() + size_);
    std::copy_n(work_.data() + size_, size_, part);
    for (std::int64_t i = 0; i < dimensions_; ++i) out.traces[k] += part[i * (dimensions_ + 1)];
  }
  return true;
}

void Levels::find_products(Spread& out) const {
  const std::int64_t n = components();
  out.products.resize(n * n);
  for (std::int64_t k = 0; k < n; ++k)
    for (std::int64_t l = 0; l <= k; ++l) {
      const double *left = parts_.data() + k * size_, *right = parts_.data() + l * size_;
      out.products[k * n + l] = out.products[l * n + k] = std::inner_product(left, left + size_, right, 0.0);
    }
}

// The objective does not change along (1, ..., 1), so that direction gets a curvature of its own.
bool Levels::newton_step(const Spread& here, Values& step) const {
  const std::int64_t n = components();
  Values curvature(n * n);
  step.resize(n);
  for (std::int64_t k = 0; k < n; ++k) {
    for (std::int64_t l = 0; l < n; ++l) curvature[k * n + l] = share_[k] * share_[l] - here.products[k * n + l];
    curvature[k * (n + 1)] += here.traces[k] * (1.0 + kRidge);
    step[k] = here.traces[k] - target(k);
  }
  if (!solve(curvature.data(), n, step.data(), 1)) return false;
  double largest = kLargestVolumeStep;
  for (const double value : step) largest = std::max(largest, std::abs(value));
  for (double& value : step) value *= kLargestVolumeStep / largest;
  return true;
}

// Celeux and Govaert's alternation, which never makes things worse.
void Levels::alternating_step(const Spread& here, Values& step) const {
  for (std::int64_t k = 0; k < components(); ++k) step[k] = std::log(std::max(here.traces[k], kRidge) / target(k));
}

bool Levels::evaluate(const Values& level, const Values& step, Values& there, Spread& found, double& value) {
  there.resize(level.size());
  for (std::size_t k = 0; k < level.size(); ++k) there[k] = level[k] + step[k];
  if (!spread(there, found)) return false;
  value = found.log_determinant;
  for (std::int64_t k = 0; k < components(); ++k) value += target(k) * there[k];
  return true;
}

bool Levels::newton(Values& level) {
  Spread here, found;
  Values step(level.size(), 0.0), there;
  double value = 0, next = 0;
  if (!evaluate(level, step, there, here, value)) return false;
  for (std::int64_t i = 0; i < kVolumeSteps; ++i) {
    if (!newton_step(here, step) || !evaluate(level, step, there, found, next)) return false;
    if (!(next <= value + kObjectiveRounding * (1.0 + std::abs(value)))) {
      alternating_step(here, step);
      if (!evaluate(level, step, there, found, next)) return false;
    }
    std::swap(level, there);
    std::swap(here, found);
    value = next;
    if (std::all_of(step.begin(), step.end(), [](double one) { return std::abs(one) <= kVolumeTolerance; })) break;
  }
  return true;
}

}  // namespace

void add_ridge(std::int64_t components, std::int64_t dimensions, Values& variances) {
  for (std::int64_t k = 0; k < components; ++k) {
    double* row = variances.data() + k * dimensions;
    double mean = 0;
    for (std::int64_t i = 0; i < dimensions; ++i) mean += row[i] = std::max(row[i], 0.0);
    mean /= static_cast<double>(dimensions);
    for (std::int64_t i = 0; i < dimensions; ++i) row[i] = std::max(row[i], kRidge * mean);
  }
}

double equal_volume(const Values& count, const Values& variances, Values& factors) {
  const auto components = static_cast<std::int64_t>(count.size());
  const std::int64_t dimensions = static_cast<std::int64_t>(variances.size()) / components;
  const double noise = kNoSpread * *std::max_element(variances.begin(), variances.end());
  double weight = 0, volume = 0;
  factors.assign(components, 0.0);  // the roots of the determinants first; -1 for one that has none
  for (std::int64_t k = 0; k < components; ++k) {
    const double* row = variances.data() + k * dimensions;
    const auto [least, most] = std::minmax_element(row, row + dimensions);
    const bool empty = *most <= noise;
    if (!empty && *least <= std::max(noise, kNoDeterminant * *most)) {
      factors[k] = -1.0;
      continue;
    }
    weight += count[k];
    if (empty) continue;
    double logs = 0;
    for (std::int64_t i = 0; i < dimensions; ++i) logs += std::log(row[i]);
    factors[k] = std::exp(logs / static_cast<double>(dimensions));
    volume += count[k] * factors[k];
  }
  if (weight > 0) volume /= weight;
  for (double& factor : factors) factor = factor > 0 ? volume / factor : factor < 0 ? 1.0 : 0.0;
  return volume;
}

bool proportional(const Values& count, const Parts& parts, const Values& sizes, const Values* start, Values& volumes,
                  Values& common) {
  const double noise = std::max(kNoSpread * *std::max_element(sizes.begin(), sizes.end()), kSmallestSpread);
  const std::int64_t size = parts.size();
  std::vector<std::int64_t> active;
  double total = 0;
  for (std::int64_t k = 0; k < parts.components; ++k)
    if (sizes[k] > noise) {
      active.push_back(k);
      total += count[k];
    }
  volumes.assign(parts.components, 0.0);
  if (active.empty()) {
    common.assign(parts.covariances.begin(), parts.covariances.begin() + size);
    return true;
  }
  Values share, weighted, level;
  for (const std::int64_t k : active) {
    share.push_back(count[k] / total);
    level.push_back(std::log(start != nullptr && (*start)[k] > 0 ? (*start)[k] : sizes[k]));
    for (std::int64_t i = 0; i < size; ++i) weighted.push_back(parts.covariances[k * size + i] * share.back());
  }
  Levels levels(std::move(share), std::move(weighted), parts.dimensions, parts.dense);
  if (!levels.newton(level)) return false;
  for (std::size_t i = 0; i < active.size(); ++i) volumes[active[i]] = std::exp(level[i]);
  levels.common(level, common);
  return true;
}

}  // namespace mixtura
