// The E-step of rows with missing values, row by row. Compiled once per instruction-set level: the loops over features
// are what the compiler vectorises.

#include "missing.hpp"

#include <cmath>

#include "kernel.hpp"

namespace mixtura::MIXTURA_LEVEL {

namespace {

constexpr double kHalfLogTwoPi = 0.91893853320467274178;

// One row at a time against all components.
class MissingRow {
 public:
  MissingRow(const MissingForms& forms, double* scratch)
      : forms_(forms), k_(forms.components), d_(forms.dimensions), joint_(scratch), deviation_(joint_ + k_),
        factor_(deviation_ + k_ * d_), whitened_(factor_ + k_ * d_ * d_), pull_(whitened_ + d_), place_(pull_ + d_) {}

  // Which features are missing: their indices, kept as doubles beside the rest of the working memory.
  void look(const double* row) {
    row_ = row;
    missing_ = 0;
    for (std::int64_t j = 0; j < d_; ++j)
      if (std::isnan(row[j])) place_[missing_++] = static_cast<double>(j);
  }

  double* joint() {
    for (std::int64_t k = 0; k < k_; ++k) joint_[k] = expect(k);
    return joint_;
  }

  // Adds a share of the row's expected moments under component k.
  void add(std::int64_t k, double share, double* first, double* second) const {
    const double* deviation = deviation_ + k * d_;
    for (std::int64_t i = 0; i < d_; ++i) {
      const double scaled = share * deviation[i];
      first[i] += scaled;
      double* target = second + i * d_;
      for (std::int64_t j = i; j < d_; ++j) target[j] += scaled * deviation[j];
    }
    add_residual(factor_ + k * d_ * d_, share, second);
  }

 private:
  std::int64_t place(std::int64_t a) const { return static_cast<std::int64_t>(place_[a]); }

  // The deviation with missing features at their expectation, the factor L of P_mm = L L^T, and the log density.
  double expect(std::int64_t k) {
    const double* whitener = forms_.whitener + k * d_ * d_;
    double* deviation = deviation_ + k * d_;
    double* factor = factor_ + k * d_ * d_;
    for (std::int64_t j = 0; j < d_; ++j) whitened_[j] = 0.0;
    for (std::int64_t i = 0; i < d_; ++i) {
      const double value = row_[i] - forms_.center[k * d_ + i];
      deviation[i] = std::isnan(value) ? 0.0 : value;
      whiten(whitener, i, deviation[i]);
    }
    for (std::int64_t a = 0; a < missing_; ++a) {
      const std::int64_t i = place(a);
      double sum = 0.0;
      for (std::int64_t j = i; j < d_; ++j) sum += whitener[i * d_ + j] * whitened_[j];
      pull_[a] = -sum;
    }
    const double log_root = factorise(forms_.precision + k * d_ * d_, factor);
    solve(factor);
    for (std::int64_t a = 0; a < missing_; ++a) {
      deviation[place(a)] = pull_[a];
      whiten(whitener, place(a), pull_[a]);
    }
    double distance = 0.0;
    for (std::int64_t j = 0; j < d_; ++j) distance += whitened_[j] * whitened_[j];
    return forms_.constant[k] + static_cast<double>(missing_) * kHalfLogTwoPi - log_root - 0.5 * distance;
  }

  void whiten(const double* whitener, std::int64_t i, double value) {
    for (std::int64_t j = i; j < d_; ++j) whitened_[j] += value * whitener[i * d_ + j];
  }

  // Cholesky factor of the precision's missing block, lower triangular, m values to a row; returns log |L|.
  double factorise(const double* precision, double* factor) const {
    double log_root = 0.0;
    for (std::int64_t a = 0; a < missing_; ++a)
      for (std::int64_t b = 0; b <= a; ++b) {
        double sum = precision[place(a) * d_ + place(b)];
        for (std::int64_t c = 0; c < b; ++c) sum -= factor[a * missing_ + c] * factor[b * missing_ + c];
        if (a == b) {
          factor[a * missing_ + a] = std::sqrt(sum);
          log_root += 0.5 * std::log(sum);
        } else {
          factor[a * missing_ + b] = sum / factor[b * missing_ + b];
        }
      }
    return log_root;
  }

  void solve(const double* factor) {
    for (std::int64_t a = 0; a < missing_; ++a) {
      for (std::int64_t c = 0; c < a; ++c) pull_[a] -= factor[a * missing_ + c] * pull_[c];
      pull_[a] /= factor[a * missing_ + a];
    }
    for (std::int64_t a = missing_ - 1; a >= 0; --a) {
      for (std::int64_t c = a + 1; c < missing_; ++c) pull_[a] -= factor[c * missing_ + a] * pull_[c];
      pull_[a] /= factor[a * missing_ + a];
    }
  }

  // share * P_mm^-1 = share * L^-T L^-1, a column of L^-1 at a time, into the upper triangle.
  void add_residual(const double* factor, double share, double* second) const {
    double* column = pull_;
    for (std::int64_t a = missing_ - 1; a >= 0; --a) {
      // solves P_mm x = unit vector a, of which only the entries from 0 to a are needed
      for (std::int64_t c = 0; c < missing_; ++c) column[c] = c == a ? 1.0 : 0.0;
      for (std::int64_t c = a; c < missing_; ++c) {
        for (std::int64_t e = a; e < c; ++e) column[c] -= factor[c * missing_ + e] * column[e];
        column[c] /= factor[c * missing_ + c];
      }
      for (std::int64_t c = missing_ - 1; c >= 0; --c) {
        for (std::int64_t e = c + 1; e < missing_; ++e) column[c] -= factor[e * missing_ + c] * column[e];
        column[c] /= factor[c * missing_ + c];
      }
      for (std::int64_t c = 0; c <= a; ++c) second[place(c) * d_ + place(a)] += share * column[c];
    }
  }

  const MissingForms& forms_;
  const std::int64_t k_, d_;
  double *joint_, *deviation_, *factor_, *whitened_, *pull_, *place_;
  const double* row_ = nullptr;
  std::int64_t missing_ = 0;
};

// log sum exp, and exponentials shifted by the largest; a row that is far from all components is shared equally.
double normalise(double* values, std::int64_t count) {
  double largest = values[0], sum = 0.0;
  for (std::int64_t k = 1; k < count; ++k) largest = values[k] > largest ? values[k] : largest;
  if (!(largest - largest == 0.0)) {
    for (std::int64_t k = 0; k < count; ++k) values[k] = 1.0 / static_cast<double>(count);
    return -INFINITY;
  }
  for (std::int64_t k = 0; k < count; ++k) sum += values[k] = std::exp(values[k] - largest);
  for (std::int64_t k = 0; k < count; ++k) values[k] /= sum;
  return largest + std::log(sum);
}

void mirror(double* second, std::int64_t components, std::int64_t dimensions) {
  for (std::int64_t k = 0; k < components; ++k, second += dimensions * dimensions)
    for (std::int64_t i = 0; i < dimensions; ++i)
      for (std::int64_t j = 0; j < i; ++j) second[i * dimensions + j] = second[j * dimensions + i];
}

}  // namespace

void missing(const MissingForms& forms, const double* rows, const double* weights, std::int64_t count,
             const MissingTargets& targets, double* scratch) {
  const std::int64_t k = forms.components, d = forms.dimensions;
  MissingRow one(forms, scratch);
  if (targets.packed == nullptr) {
    for (std::int64_t r = 0; r < count; ++r) {
      one.look(rows + r * d);
      const double* joint = one.joint();
      for (std::int64_t c = 0; c < k; ++c) targets.joint[r * k + c] = joint[c];
    }
    return;
  }
  double* first = targets.packed + k;
  double* second = first + k * d;
  double* log_likelihood = second + k * d * d;
  for (double* value = targets.packed; value <= log_likelihood; ++value) *value = 0.0;
  for (std::int64_t r = 0; r < count; ++r) {
    one.look(rows + r * d);
    double* shares = one.joint();
    const double weight = weights == nullptr ? 1.0 : weights[r];
    *log_likelihood += weight * normalise(shares, k);
    for (std::int64_t c = 0; c < k; ++c) {
      const double share = weight * shares[c];
      if (share == 0.0) continue;
      targets.packed[c] += share;
      one.add(c, share, first + c * d, second + c * d * d);
    }
  }
  mirror(second, k, d);
}

}  // namespace mixtura::MIXTURA_LEVEL
