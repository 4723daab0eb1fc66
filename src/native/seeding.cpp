#include "seeding.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace mixtura {

namespace {

using Values = std::vector<double>;

// Rows that are worked on together: what is known of them stays in the fastest cache.
constexpr std::int64_t kTile = 256;

// Sums run side by side, so that one addition does not wait for the other.
constexpr std::size_t kLanes = 8;

class Seeding {
 public:
  Seeding(const double* rows, const double* weights, const SeedingSize& size)
      : rows_(rows),
        weights_(weights),
        size_(size),
        columns_(static_cast<std::size_t>(size.rows * size.dimensions)),
        cumulative_(static_cast<std::size_t>(size.rows)),
        trial_(cumulative_.size()),
        best_(cumulative_.size()),
        nearest_(cumulative_.size()),
        total_(dot(Values(cumulative_.size(), 1.0))) {
    for (std::int64_t i = 0; i < size.rows; ++i)
      for (std::int64_t d = 0; d < size.dimensions; ++d) columns_[at(d, i)] = rows[i * size.dimensions + d];
  }

  // One set; returns the mean of the squared distances to it.
  double run(std::int64_t start, const double* first, const double* rest, std::int64_t* chosen) {
    std::fill(nearest_.begin(), nearest_.end(), std::numeric_limits<double>::infinity());
    std::copy_n(weights_, size_.rows, cumulative_.begin());
    chosen[0] = best_of(first + start, 1);
    for (std::int64_t k = 1; k < size_.components; ++k) {
      for (std::size_t i = 0; i < nearest_.size(); ++i) cumulative_[i] = nearest_[i] * weights_[i];
      chosen[k] = best_of(rest + ((k - 1) * size_.starts + start) * size_.candidates, size_.candidates);
    }
    return dot(nearest_) / total_;
  }

 private:
  std::size_t at(std::int64_t d, std::int64_t i) const { return static_cast<std::size_t>(d * size_.rows + i); }

  // Of rows drawn with the mass that stands in cumulative_, the one that leaves the least distance; it becomes a seed.
  std::int64_t best_of(const double* uniforms, std::int64_t number) {
    std::partial_sum(cumulative_.begin(), cumulative_.end(), cumulative_.begin());
    if (!(cumulative_.back() > 0)) std::iota(cumulative_.begin(), cumulative_.end(), 1.0);  // fewer rows than components
    std::int64_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::int64_t c = 0; c < number; ++c) {
      const double target = uniforms[c] * cumulative_.back();
      const auto place = std::upper_bound(cumulative_.begin(), cumulative_.end(), target) - cumulative_.begin();
      const std::int64_t row = std::min<std::int64_t>(place, size_.rows - 1);
      const double left = distances(row);
      if (c > 0 && !(left < least)) continue;
      best = row;
      least = left;
      std::swap(best_, trial_);
    }
    std::swap(nearest_, best_);
    return best;
  }

  // Into trial_, squared distances to the nearest seed if that row became one; their weighted sum.
  double distances(std::int64_t row) {
    const double* point = rows_ + row * size_.dimensions;
    std::array<double, kTile> squares;
    for (std::int64_t begin = 0; begin < size_.rows; begin += kTile) {
      const std::int64_t count = std::min(kTile, size_.rows - begin);
      squares.fill(0.0);
      for (std::int64_t d = 0; d < size_.dimensions; ++d) {
        const double* column = columns_.data() + at(d, begin);
        for (std::int64_t i = 0; i < count; ++i) squares[i] += (column[i] - point[d]) * (column[i] - point[d]);
      }
      for (std::int64_t i = 0; i < count; ++i) trial_[begin + i] = std::min(nearest_[begin + i], squares[i]);
    }
    return dot(trial_);
  }

  double dot(const Values& values) const {
    std::array<double, kLanes> sums{};
    const std::size_t whole = values.size() / kLanes * kLanes;
    for (std::size_t i = 0; i < whole; i += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += values[i + lane] * weights_[i + lane];
    for (std::size_t i = whole; i < values.size(); ++i) sums[i - whole] += values[i] * weights_[i];
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }

  const double* rows_;
  const double* weights_;
  const SeedingSize& size_;
  Values columns_, cumulative_, trial_, best_, nearest_;
  double total_;
};

}  // namespace

void seed(const double* rows, const double* weights, const SeedingSize& size, const double* first, const double* rest,
          std::int64_t* chosen, double* spread) {
  Seeding seeding(rows, weights, size);
  for (std::int64_t start = 0; start < size.starts; ++start)
    spread[start] = seeding.run(start, first, rest, chosen + start * size.components);
}

}  // namespace mixtura
