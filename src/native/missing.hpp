// Rows of which some values are missing (NaN), each with a pattern of its own: see observation.py for the formulas.
// Plain data only, as in kernel.hpp.
#pragma once

#include <cstdint>

namespace mixtura {

// Dense forms: log w_k N(z; k) = constant_k - 1/2 ||(z - center_k) @ whitener_k||^2, and P_k = U_k U_k^T.
struct MissingForms {
  std::int64_t components, dimensions;
  const double* constant;
  const double* center;     // (K, D)
  const double* whitener;   // (K, D, D), upper triangular
  const double* precision;  // (K, D, D)
};

// One of the two is written: sums over the rows (`packed` has components * (1 + D + D * D) + 1 values: counts, first and
// second moments of the expected complete rows about the centers, the log likelihood), or joint log densities row by row.
struct MissingTargets {
  double* packed = nullptr;
  double* joint = nullptr;  // (rows, components)
};

// Doubles of working memory that a call needs.
constexpr std::int64_t missing_scratch(std::int64_t components, std::int64_t dimensions) {
  return components * (1 + dimensions + dimensions * dimensions) + 3 * dimensions;
}

}  // namespace mixtura
