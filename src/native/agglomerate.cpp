#include "agglomerate.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace mixtura {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTie = 1e-9;  // as TIE in agglomeration.py

// Factorises the lower triangle of a positive definite (d, d) matrix in place; returns the log of its determinant.
double cholesky(double* matrix, std::int64_t d) {
  double product = 1.0, sum = 0.0;
  for (std::int64_t c = 0; c < d; ++c) {
    double* column = matrix + c * d;  // column c below its diagonal: the matrix is kept by columns
    const double pivot = column[c];
    product *= pivot;
    if (product < 1e-200 || product > 1e200) {
      sum += std::log(product);
      product = 1.0;
    }
    const double inverse = 1.0 / std::sqrt(pivot);
    for (std::int64_t r = c; r < d; ++r) column[r] *= inverse;
    for (std::int64_t k = c + 1; k < d; ++k) {
      const double factor = column[k];
      double* target = matrix + k * d;
      for (std::int64_t r = k; r < d; ++r) target[r] -= factor * column[r];
    }
  }
  return sum + std::log(product);
}

// Squared length of L^-1 v, which overwrites v.
double whitened_square(const double* factor, double* v, std::int64_t d) {
  double sum = 0.0;
  for (std::int64_t c = 0; c < d; ++c) {
    const double* column = factor + c * d;
    const double value = v[c] / column[c];
    sum += value * value;
    for (std::int64_t r = c + 1; r < d; ++r) v[r] -= value * column[r];
  }
  return sum;
}

// The groups: weight, mean and what the criterion needs of each, at the index of its lowest row.
class Groups {
 public:
  Groups(const double* rows, const double* weights, std::int64_t count, std::int64_t dimensions, Criterion criterion,
         double prior)
      : d_(dimensions), criterion_(criterion), prior_(prior), weight_(weights, weights + count),
        mean_(rows, rows + count * dimensions), difference_(dimensions), matrix_(dimensions * dimensions) {
    if (criterion_ == Criterion::kSumOfSquares) return;
    if (criterion_ == Criterion::kTrace) {
      trace_.assign(count, prior_);
      return;
    }
    leaf_.assign(count, true);
    term_.resize(count);
    log_determinant_.assign(count, static_cast<double>(d_) * std::log(prior_));
    for (std::int64_t i = 0; i < count; ++i) term_[i] = term(weight_[i], log_determinant_[i]);
    scatter_.resize(count);
    factor_.resize(count);
  }

  // What merging i and l adds to the criterion.
  double cost(std::int64_t i, std::int64_t l) {
    const double lever = weight_[i] * weight_[l] / (weight_[i] + weight_[l]);
    double square = 0.0;
    for (std::int64_t r = 0; r < d_; ++r) {
      difference_[r] = mean_[i * d_ + r] - mean_[l * d_ + r];
      square += difference_[r] * difference_[r];
    }
    if (criterion_ == Criterion::kSumOfSquares) return lever * square;
    if (criterion_ == Criterion::kTrace)
      return trace_term(weight_[i] + weight_[l], trace_[i] + trace_[l] - prior_ + lever * square) -
             trace_term(weight_[i], trace_[i]) - trace_term(weight_[l], trace_[l]);
    return term(weight_[i] + weight_[l], union_log_determinant(i, l, lever, square)) - term_[i] - term_[l];
  }

  void merge(std::int64_t i, std::int64_t j) {
    const double total = weight_[i] + weight_[j], lever = weight_[i] * weight_[j] / total;
    for (std::int64_t r = 0; r < d_; ++r) difference_[r] = mean_[i * d_ + r] - mean_[j * d_ + r];
    if (criterion_ == Criterion::kTrace) {
      double square = 0.0;
      for (const double value : difference_) square += value * value;
      trace_[i] += trace_[j] - prior_ + lever * square;
    }
    if (criterion_ == Criterion::kDeterminant) {
      fill_union(i, j, lever);
      scatter_[i] = matrix_;
      log_determinant_[i] = cholesky(matrix_.data(), d_);
      factor_[i] = matrix_;
      term_[i] = term(total, log_determinant_[i]);
      leaf_[i] = false;
      scatter_[j] = {};
      factor_[j] = {};
    }
    for (std::int64_t r = 0; r < d_; ++r) mean_[i * d_ + r] -= weight_[j] / total * difference_[r];
    weight_[i] = total;
  }

 private:
  double term(double weight, double log_determinant) const {
    const double total = weight + prior_;
    return total * (log_determinant - static_cast<double>(d_) * std::log(total));
  }

  static double trace_term(double weight, double trace) { return weight * std::log(trace / weight); }

  // A row joins by a rank-one update of the determinant; two larger groups need a factorisation.
  double union_log_determinant(std::int64_t i, std::int64_t l, double lever, double square) {
    if (leaf_[i] && leaf_[l]) return log_determinant_[i] + std::log1p(lever * square / prior_);
    if (leaf_[i] || leaf_[l]) {
      const std::int64_t group = leaf_[i] ? l : i;
      const double distance = whitened_square(factor_[group].data(), difference_.data(), d_);
      return log_determinant_[group] + std::log1p(lever * distance);
    }
    fill_union(i, l, lever);
    return cholesky(matrix_.data(), d_);
  }

  // Scatter of the union with the prior's, from the difference of the means.
  void fill_union(std::int64_t i, std::int64_t l, double lever) {
    const double* one = leaf_[i] ? nullptr : scatter_[i].data();
    const double* other = leaf_[l] ? nullptr : scatter_[l].data();
    for (std::int64_t c = 0; c < d_; ++c) {
      const double factor = lever * difference_[c];
      double* column = matrix_.data() + c * d_;
      for (std::int64_t r = c; r < d_; ++r) column[r] = factor * difference_[r];
      if (one != nullptr)
        for (std::int64_t r = c; r < d_; ++r) column[r] += one[c * d_ + r];
      if (other != nullptr)
        for (std::int64_t r = c; r < d_; ++r) column[r] += other[c * d_ + r];
      column[c] += one != nullptr && other != nullptr ? -prior_ : (one == nullptr && other == nullptr ? prior_ : 0.0);
    }
  }

  std::int64_t d_;
  Criterion criterion_;
  double prior_;
  std::vector<double> weight_, mean_, term_, log_determinant_, trace_;
  std::vector<std::vector<double>> scatter_, factor_;  // of groups of two and more; scatter with the prior's
  std::vector<char> leaf_;
  std::vector<double> difference_, matrix_;
};

// The costs of all pairs, with the cheapest partner above each group.
class Pairs {
 public:
  Pairs(Groups& groups, std::int64_t count, double slack)
      : groups_(groups), count_(count), slack_(slack), cost_(count * count, kInfinity), active_(count, 1),
        best_(count, kInfinity) {
    for (std::int64_t i = 0; i < count_; ++i) {
      for (std::int64_t l = i + 1; l < count_; ++l) cost_[i * count_ + l] = groups_.cost(i, l);
      scan(i);
    }
  }

  // The first pair, in order, whose cost is the least but for rounding.
  void cheapest(std::int64_t* first, std::int64_t* second) const {
    double least = kInfinity;
    for (const double value : best_) least = value < least ? value : least;
    const double limit = least + kTie * (slack_ + std::fabs(least));
    std::int64_t i = 0;
    while (!(best_[i] <= limit)) ++i;
    std::int64_t l = i + 1;
    while (!(cost_[i * count_ + l] <= limit)) ++l;
    *first = i;
    *second = l;
  }

  void merge(std::int64_t i, std::int64_t j) {
    groups_.merge(i, j);
    active_[j] = 0;
    best_[j] = kInfinity;
    for (std::int64_t l = 0; l < i; ++l) replace(l, i, j);
    for (std::int64_t l = i + 1; l < j; ++l) {
      const double old = cost_[l * count_ + j];
      cost_[l * count_ + j] = kInfinity;
      if (active_[l] && old <= best_[l]) scan(l);
    }
    for (std::int64_t l = i + 1; l < count_; ++l)
      cost_[i * count_ + l] = active_[l] ? groups_.cost(i, l) : kInfinity;
    scan(i);
  }

 private:
  // Group l stands below both: its costs to i and j give way to that to their union.
  void replace(std::int64_t l, std::int64_t i, std::int64_t j) {
    if (!active_[l]) return;
    double* row = cost_.data() + l * count_;
    const bool lost = row[i] <= best_[l] || row[j] <= best_[l];
    row[i] = groups_.cost(l, i);
    row[j] = kInfinity;
    if (row[i] <= best_[l]) best_[l] = row[i];
    else if (lost) scan(l);
  }

  void scan(std::int64_t i) {
    double least = kInfinity;
    const double* row = cost_.data() + i * count_;
    for (std::int64_t l = i + 1; l < count_; ++l) least = row[l] < least ? row[l] : least;
    best_[i] = least;
  }

  Groups& groups_;
  std::int64_t count_;
  double slack_;              // sums of squares have only relative errors, logarithms absolute ones as well
  std::vector<double> cost_;  // above the diagonal; infinite where a group is gone
  std::vector<char> active_;
  std::vector<double> best_;
};

}  // namespace

void agglomerate(const double* rows, const double* weights, std::int64_t count, std::int64_t dimensions,
                 Criterion criterion, double prior, std::int64_t* merges) {
  if (count < 2) return;
  Groups groups(rows, weights, count, dimensions, criterion, prior);
  Pairs pairs(groups, count, criterion == Criterion::kSumOfSquares ? 0.0 : 1.0);
  for (std::int64_t step = 0; step + 1 < count; ++step) {
    std::int64_t* pair = merges + 2 * step;
    pairs.cheapest(&pair[0], &pair[1]);
    pairs.merge(pair[0], pair[1]);
  }
}

}  // namespace mixtura
