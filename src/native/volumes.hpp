// The volumes of components: proportional covariances, and covariances of equal determinant. As in covariance/volumes.py,
// where the methods and their sources are described.
#pragma once

#include <cstdint>

#include "statistics.hpp"

namespace mixtura {

// volumes.py's constants of the same names; tests/laws/test_climb.py compares them.
constexpr double kNoSpread = 1e-14;
constexpr double kSmallestSpread = 1e-250;
constexpr double kNoDeterminant = 1e-12;
constexpr double kRidge = 1e-13;
constexpr double kVolumeTolerance = 1e-9;
constexpr std::int64_t kVolumeSteps = 50;
constexpr double kLargestVolumeStep = 3.0;
constexpr double kObjectiveRounding = 1e-14;

// A ridge under (K, D) variances that are zero or negative, where their component has any spread.
void add_ridge(std::int64_t components, std::int64_t dimensions, Values& variances);

// Volume of components with one determinant, from (K, D) eigenvalues; and what each covariance has to be multiplied by, 0
// for one that should become a ball.
double equal_volume(const Values& count, const Values& variances, Values& factors);

// Covariances S_k: dense (K, D, D) or diagonal (K, D).
struct Parts {
  std::int64_t components, dimensions;
  bool dense;
  const Values& covariances;
  std::int64_t size() const { return dense ? dimensions * dimensions : dimensions; }
};

// Volumes (K,) and the common matrix of proportional covariances that maximise the expected log likelihood. `sizes` are the
// mean variances of each, `start` those of the last solution or null. False where a matrix is singular.
bool proportional(const Values& count, const Parts& parts, const Values& sizes, const Values* start, Values& volumes,
                  Values& common);

}  // namespace mixtura
