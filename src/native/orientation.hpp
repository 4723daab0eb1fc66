// The common orientation of components whose shapes differ: a minimisation over rotations. As in covariance/orientation.py,
// where the method and its sources are described.
#pragma once

#include <cstdint>

#include "statistics.hpp"

namespace mixtura {

// orientation.py's constants of the same names; tests/laws/test_climb.py compares them.
constexpr double kAngleTolerance = 1e-7;
constexpr std::int64_t kAngleSteps = 200;
constexpr double kLargestAngle = 0.5;
constexpr double kShortening = 0.25;
constexpr std::int64_t kShortenings = 15;
constexpr double kSmallestCurvature = 1e-3;

enum class Volumes { kFree, kEqual };  // VVE, EVE

// The rotation (D, D) that minimises the objective of the variances of covariances (K, D, D) along its axes, starting from
// the axes of the previous solution (or null); false where arithmetic fails.
bool common_orientation(Volumes objective, const Values& count, std::int64_t dimensions, const Values& covariances,
                        const Values* previous, Values& vectors);

}  // namespace mixtura
