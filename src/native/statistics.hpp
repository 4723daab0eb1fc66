// The values of an M-step in C++: mixtures and sufficient statistics in the compact shapes, and the statistics' algebra.
#pragma once

#include <cstdint>
#include <vector>

#include "kernel.hpp"

namespace mixtura {

using Values = std::vector<double>;

// Of what shape, for how many components and features.
struct Extent {
  Shape shape;
  std::int64_t components, dimensions;

  bool matrix() const { return shape == Shape::kFull || shape == Shape::kTied; }
  bool shared() const { return shape == Shape::kTied; }
  std::int64_t blocks() const { return shared() ? 1 : components; }
  // Values in one matrix of this shape.
  std::int64_t block_size() const {
    return matrix() ? dimensions * dimensions : shape == Shape::kDiagonal ? dimensions : 1;
  }
  std::int64_t size() const { return blocks() * block_size(); }
};

struct Parameters {
  Values weights, means, covariances;
};

// Counts and moments about a reference (K, D).
struct Statistics {
  Values count, first, second, reference;
  double log_likelihood = 0;

  // The same about another reference.
  void recenter(const Extent& extent, const Values& reference);

  // Means, and second moments about them: second - first first^T / count.
  void mean_and_scatter(const Extent& extent, Values& mean, Values& scatter) const;
};

// The same matrices as (K, D, D).
void dense_matrices(const Extent& extent, const Values& matrices, Values& dense);

// Whiteners U with U U^T the inverse of each covariance; false if one is not positive definite.
bool whiten(const Extent& extent, const Values& covariances, Values& whitener);

// log |U_k| (K,).
void log_determinants(const Extent& extent, const Values& whitener, Values& logs);

// An upper bound of the largest eigenvalue of each precision: one per block.
void squared_norms(const Extent& extent, const Values& whitener, Values& norms);

// sum_k tr(P_k W_k) for precisions P_k = U_k U_k^T and matrices W_k of the extent's shape.
double precision_product(const Extent& extent, const Values& whitener, const Values& matrices);

// Holds eigenvalues at a minimum and marks the components that this changes; false if a covariance is not finite.
bool hold_at_floor(const Extent& extent, double minimum, Values& covariances, std::vector<char>& changed);

}  // namespace mixtura
