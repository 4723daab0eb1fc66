#include "seeding.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "dispatch.hpp"

namespace mixtura {

namespace {

using Values = std::vector<double>;

std::int64_t whole_eights(std::int64_t count) { return (count + 7) / 8 * 8; }

class Seeding {
 public:
  Seeding(const double* rows, const double* weights, const SeedingSize& size, const Level& level)
      : level_(level),
        rows_(rows),
        size_(size),
        padded_(whole_eights(size.rows)),
        columns_(static_cast<std::size_t>(padded_ * size.dimensions)),
        weights_(weights, weights + size.rows),
        cumulative_(weights_.size()),
        trial_(static_cast<std::size_t>(padded_)),
        best_(trial_.size()),
        nearest_(trial_.size()),
        total_(std::accumulate(weights_.begin(), weights_.end(), 0.0)) {
    weights_.resize(trial_.size());
    for (std::int64_t i = 0; i < size.rows; ++i)
      for (std::int64_t d = 0; d < size.dimensions; ++d) columns_[d * padded_ + i] = rows[i * size.dimensions + d];
  }

  // One set; returns the mean of the squared distances to it.
  double run(std::int64_t start, const double* first, const double* rest, std::int64_t* chosen) {
    std::fill(nearest_.begin(), nearest_.end(), std::numeric_limits<double>::infinity());
    std::copy_n(weights_.begin(), size_.rows, cumulative_.begin());
    double spread = 0;
    chosen[0] = best_of(first + start, 1, spread);
    for (std::int64_t k = 1; k < size_.components; ++k) {
      for (std::size_t i = 0; i < cumulative_.size(); ++i) cumulative_[i] = nearest_[i] * weights_[i];
      chosen[k] = best_of(rest + ((k - 1) * size_.starts + start) * size_.candidates, size_.candidates, spread);
    }
    return spread / total_;
  }

 private:
  // Of rows drawn with the mass that stands in cumulative_, the one that leaves the least distance; it becomes a seed.
  std::int64_t best_of(const double* uniforms, std::int64_t number, double& least) {
    std::partial_sum(cumulative_.begin(), cumulative_.end(), cumulative_.begin());
    if (!(cumulative_.back() > 0)) std::iota(cumulative_.begin(), cumulative_.end(), 1.0);  // fewer rows than components
    std::int64_t best = 0;
    const NearerRows all{columns_.data(), weights_.data(), padded_, size_.dimensions};
    for (std::int64_t c = 0; c < number; ++c) {
      const double target = uniforms[c] * cumulative_.back();
      const auto place = std::upper_bound(cumulative_.begin(), cumulative_.end(), target) - cumulative_.begin();
      const std::int64_t row = std::min<std::int64_t>(place, size_.rows - 1);
      const double left = level_.nearer(all, rows_ + row * size_.dimensions, nearest_.data(), trial_.data());
      if (c > 0 && !(left < least)) continue;
      best = row;
      least = left;
      std::swap(best_, trial_);
    }
    std::swap(nearest_, best_);
    return best;
  }

  const Level& level_;
  const double* rows_;
  const SeedingSize& size_;
  std::int64_t padded_;
  Values columns_, weights_, cumulative_, trial_, best_, nearest_;
  double total_;
};

}  // namespace

void seed(const double* rows, const double* weights, const SeedingSize& size, const double* first, const double* rest,
          std::int64_t* chosen, double* spread) {
  Seeding seeding(rows, weights, size, preferred_level());
  for (std::int64_t start = 0; start < size.starts; ++start)
    spread[start] = seeding.run(start, first, rest, chosen + start * size.components);
}

}  // namespace mixtura
