#include "seeding.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "crew.hpp"
#include "dispatch.hpp"

namespace mixtura {

namespace {

using Values = std::vector<double>;

constexpr std::int64_t kBlock = 8;
constexpr std::int64_t kLeastShared = 100'000;  // multiplications that another thread is worth

std::int64_t whole_eights(std::int64_t count) { return (count + kBlock - 1) / kBlock * kBlock; }

// The rows, feature after feature, and padded with rows of no weight.
struct Columns {
  Columns(const double* given, const double* masses, const SeedingSize& size)
      : rows(given),
        padded(whole_eights(size.rows)),
        values(static_cast<std::size_t>(padded * size.dimensions)),
        weights(masses, masses + size.rows),
        total(std::accumulate(weights.begin(), weights.end(), 0.0)) {
    weights.resize(static_cast<std::size_t>(padded));
    for (std::int64_t i = 0; i < size.rows; ++i)
      for (std::int64_t d = 0; d < size.dimensions; ++d) values[d * padded + i] = rows[i * size.dimensions + d];
  }

  const double* rows;
  std::int64_t padded;
  Values values, weights;
  double total;
};

class Seeding {
 public:
  Seeding(const Columns& all, const SeedingSize& size, const Level& level)
      : level_(level),
        all_(all),
        size_(size),
        mass_(all.weights.size()),
        before_(mass_.size() / kBlock),
        trial_(mass_.size()),
        best_(mass_.size()),
        nearest_(mass_.size()) {}

  // One set; returns the mean of the squared distances to it.
  double run(std::int64_t start, const double* first, const double* rest, std::int64_t* chosen) {
    std::fill(nearest_.begin(), nearest_.end(), std::numeric_limits<double>::infinity());
    std::copy(all_.weights.begin(), all_.weights.end(), mass_.begin());
    double spread = 0;
    chosen[0] = best_of(first + start, 1, spread);
    for (std::int64_t k = 1; k < size_.components; ++k) {
      for (std::size_t i = 0; i < mass_.size(); ++i) mass_[i] = nearest_[i] * all_.weights[i];
      chosen[k] = best_of(rest + ((k - 1) * size_.starts + start) * size_.candidates, size_.candidates, spread);
    }
    return spread / all_.total;
  }

 private:
  // The mass before each block of rows; returns that of all. Rows one by one would wait for each addition.
  double accumulate() {
    double sum = 0;
    for (std::size_t b = 0; b < before_.size(); ++b) {
      const double* m = mass_.data() + b * kBlock;
      before_[b] = sum;
      sum += ((m[0] + m[1]) + (m[2] + m[3])) + ((m[4] + m[5]) + (m[6] + m[7]));
    }
    return sum;
  }

  // The row in whose part of the mass the target lies.
  std::int64_t row_at(double target) const {
    const auto block = std::upper_bound(before_.begin(), before_.end(), target) - before_.begin() - 1;
    double sum = before_[block];
    std::int64_t row = block * kBlock;
    for (std::int64_t i = row; i < (block + 1) * kBlock; ++i) {
      if (mass_[i] > 0) row = i;  // the last such one where rounding has moved the block's end
      sum += mass_[i];
      if (target < sum) break;
    }
    return std::min(row, size_.rows - 1);
  }

  // Of rows drawn with the mass that stands in mass_, the one that leaves the least distance; it becomes a seed.
  std::int64_t best_of(const double* uniforms, std::int64_t number, double& least) {
    double whole = accumulate();
    if (!(whole > 0)) {  // fewer rows than components
      std::fill_n(mass_.begin(), size_.rows, 1.0);
      whole = accumulate();
    }
    std::int64_t best = 0;
    const NearerRows all{all_.values.data(), all_.weights.data(), all_.padded, size_.dimensions};
    for (std::int64_t c = 0; c < number; ++c) {
      const std::int64_t row = row_at(uniforms[c] * whole);
      const double left = level_.nearer(all, all_.rows + row * size_.dimensions, nearest_.data(), trial_.data());
      if (c > 0 && !(left < least)) continue;
      best = row;
      least = left;
      std::swap(best_, trial_);
    }
    std::swap(nearest_, best_);
    return best;
  }

  const Level& level_;
  const Columns& all_;
  const SeedingSize& size_;
  Values mass_, before_, trial_, best_, nearest_;
};

}  // namespace

void seed(const double* rows, const double* weights, const SeedingSize& size, const double* first, const double* rest,
          std::int64_t* chosen, double* spread, int threads) {
  const std::int64_t products = size.rows * size.dimensions * size.starts * size.components * size.candidates;
  const std::int64_t worth = std::min(size.starts, 1 + products / kLeastShared);
  const Level& level = preferred_level();
  const Columns all(rows, weights, size);
  std::atomic<std::int64_t> next = 0;
  together(static_cast<int>(std::min<std::int64_t>(threads, worth)), [&] {
    Seeding seeding(all, size, level);
    for (std::int64_t start = next++; start < size.starts; start = next++)
      spread[start] = seeding.run(start, first, rest, chosen + start * size.components);
  });
}

}  // namespace mixtura
