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

class Seeding {
 public:
  Seeding(const double* rows, const double* weights, const SeedingSize& size, const Level& level)
      : level_(level),
        rows_(rows),
        size_(size),
        padded_(whole_eights(size.rows)),
        columns_(static_cast<std::size_t>(padded_ * size.dimensions)),
        weights_(weights, weights + size.rows),
        mass_(static_cast<std::size_t>(padded_)),
        before_(mass_.size() / kBlock),
        trial_(mass_.size()),
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
    std::copy_n(weights_.begin(), padded_, mass_.begin());
    double spread = 0;
    chosen[0] = best_of(first + start, 1, spread);
    for (std::int64_t k = 1; k < size_.components; ++k) {
      for (std::size_t i = 0; i < mass_.size(); ++i) mass_[i] = nearest_[i] * weights_[i];
      chosen[k] = best_of(rest + ((k - 1) * size_.starts + start) * size_.candidates, size_.candidates, spread);
    }
    return spread / total_;
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
    const NearerRows all{columns_.data(), weights_.data(), padded_, size_.dimensions};
    for (std::int64_t c = 0; c < number; ++c) {
      const std::int64_t row = row_at(uniforms[c] * whole);
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
  Values columns_, weights_, mass_, before_, trial_, best_, nearest_;
  double total_;
};

}  // namespace

void seed(const double* rows, const double* weights, const SeedingSize& size, const double* first, const double* rest,
          std::int64_t* chosen, double* spread, int threads) {
  const std::int64_t products = size.rows * size.dimensions * size.starts * size.components * size.candidates;
  const std::int64_t worth = std::min(size.starts, 1 + products / kLeastShared);
  std::atomic<std::int64_t> next = 0;
  together(static_cast<int>(std::min<std::int64_t>(threads, worth)), [&] {
    Seeding seeding(rows, weights, size, preferred_level());
    for (std::int64_t start = next++; start < size.starts; start = next++)
      spread[start] = seeding.run(start, first, rest, chosen + start * size.components);
  });
}

}  // namespace mixtura
