// What changes in a plan from pass to pass: the coefficients of its products.

#include <algorithm>
#include <cmath>

#include "linear.hpp"
#include "plan.hpp"

namespace mixtura {

void Planner::refill(const std::vector<double>& constant, const std::vector<double>& center,
                     const std::vector<double>& whitener) {
  // of the same sizes, so that the memory that the plan points to is written over
  std::copy(constant.begin(), constant.end(), model_.constant.begin());
  std::copy(center.begin(), center.end(), model_.center.begin());
  std::copy(whitener.begin(), whitener.end(), model_.whitener.begin());
  fill();
}

void Planner::fill() {
  constant_ = model_.constant;
  if (quadratic()) fill_coefficients();
  if (!whitening_.empty()) fill_whiteners();
  find_fallback();
}

void Planner::fill_coefficients() {
  dense_.resize(model_.components * plan_.features);
  if (model_.shape == Shape::kFull)
    with_size(model_.dimensions, [&](auto dimensions) { full_coefficients(dimensions); });
  else if (model_.shape == Shape::kTied)
    tied_coefficients();
  else
    separable_coefficients();
  const double* dense = dense_.data();
  std::transform(coefficient_sources_.begin(), coefficient_sources_.end(), coefficients_.begin(),
                 [dense](std::int32_t source) { return dense[source]; });
}

// Features z_i z_j (i <= j) and z_i with coefficients from the precision P = U U^T. Of few features, known to the compiler,
// all sums stay in registers.
template <std::int64_t D>
void Planner::full_coefficients(std::integral_constant<std::int64_t, D>) {
  double* out = dense_.data();
  for (std::int64_t k = 0; k < model_.components; ++k) {
    const double* whitener = model_.whitener.data() + k * D * D;
    const double* center = model_.center.data() + k * D;
    double linear[D] = {}, square = 0;
    for (std::int64_t i = 0; i < D; ++i)
      for (std::int64_t j = i; j < D; ++j) {
        double precision = 0;
        for (std::int64_t m = j; m < D; ++m) precision += whitener[i * D + m] * whitener[j * D + m];
        *out++ = i == j ? -0.5 * precision : -precision;
        linear[i] += precision * center[j];
        if (i != j) linear[j] += precision * center[i];
      }
    for (std::int64_t i = 0; i < D; ++i) {
      *out++ = linear[i];
      square += linear[i] * center[i];
    }
    constant_[k] -= 0.5 * square;
  }
}

void Planner::full_coefficients(std::int64_t dimensions) {
  transposed_.resize(dimensions * dimensions);
  precision_.resize(dimensions);
  linear_terms_.resize(dimensions);
  double *transposed = transposed_.data(), *precision = precision_.data(), *linear = linear_terms_.data();
  for (std::int64_t k = 0; k < model_.components; ++k) {
    const double* whitener = model_.whitener.data() + k * dimensions * dimensions;
    const double* center = model_.center.data() + k * dimensions;
    double* out = dense_.data() + k * plan_.features;
    for (std::int64_t i = 0; i < dimensions; ++i)
      for (std::int64_t j = i; j < dimensions; ++j) transposed[j * dimensions + i] = whitener[i * dimensions + j];
    std::fill_n(linear, dimensions, 0.0);
    for (std::int64_t i = 0; i < dimensions; ++i) {
      std::fill(precision + i, precision + dimensions, 0.0);
      for (std::int64_t m = i; m < dimensions; ++m)
        for (std::int64_t j = i; j <= m; ++j)
          precision[j] += whitener[i * dimensions + m] * transposed[m * dimensions + j];
      *out++ = -0.5 * precision[i];
      linear[i] += precision[i] * center[i];
      for (std::int64_t j = i + 1; j < dimensions; ++j) {
        *out++ = -precision[j];
        linear[i] += precision[j] * center[j];
        linear[j] += precision[j] * center[i];
      }
    }
    double square = 0;
    for (std::int64_t i = 0; i < dimensions; ++i) {
      *out++ = linear[i];
      square += linear[i] * center[i];
    }
    constant_[k] -= 0.5 * square;
  }
}

// Features y = z @ U: what is quadratic in y is the same for all components.
void Planner::tied_coefficients() {
  const std::int64_t dimensions = model_.dimensions;
  for (std::int64_t k = 0; k < model_.components; ++k) {
    double square = 0;
    for (std::int64_t j = 0; j < dimensions; ++j) {
      double value = 0;
      for (std::int64_t i = 0; i <= j; ++i)
        value += model_.center[k * dimensions + i] * model_.whitener[i * dimensions + j];
      dense_[k * dimensions + j] = value;
      square += value * value;
    }
    constant_[k] -= 0.5 * square;
  }
}

// Features z_i^2 or their sum, and z_i.
void Planner::separable_coefficients() {
  const std::int64_t dimensions = model_.dimensions;
  const bool diagonal = model_.shape == Shape::kDiagonal;
  for (std::int64_t k = 0; k < model_.components; ++k) {
    double* out = dense_.data() + k * plan_.features;
    double* linear = out + (diagonal ? dimensions : 1);
    for (std::int64_t i = 0; i < dimensions; ++i) {
      const double whitener = model_.whitener[diagonal ? k * dimensions + i : k];
      const double precision = whitener * whitener, center = model_.center[k * dimensions + i];
      out[diagonal ? i : 0] = -0.5 * precision;
      linear[i] = precision * center;
      constant_[k] -= 0.5 * precision * center * center;
    }
  }
}

void Planner::fill_whiteners() {
  const std::int64_t dimensions = model_.dimensions;
  const std::int64_t count = model_.shape == Shape::kTied ? 1 : model_.components;
  for (std::int64_t k = 0; k < count; ++k) {
    const double* whitener = model_.whitener.data() + k * dimensions * dimensions;
    for (const OutputBlock& block : whitening_) {
      double* out = whiteners_.data() + k * plan_.whitener_stride + block.offset;
      for (std::int64_t i = 0; i < block.inputs; ++i)
        for (std::int64_t o = 0; o < block.size; ++o)
          *out++ = i <= block.begin + o ? whitener[i * dimensions + block.begin + o] : 0.0;
    }
  }
}

void Planner::find_fallback() {
  fallback_.assign(model_.components, 0.0);
  for (std::int64_t g = 0; g < model_.group_count(); ++g) {
    std::int64_t alive = 0;
    for (std::int64_t k = model_.groups[g]; k < model_.groups[g + 1]; ++k) alive += std::isfinite(model_.constant[k]);
    for (std::int64_t k = model_.groups[g]; k < model_.groups[g + 1]; ++k)
      if (std::isfinite(model_.constant[k])) fallback_[k] = 1.0 / static_cast<double>(alive);
  }
}

}  // namespace mixtura
