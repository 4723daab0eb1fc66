// Agglomeration by classification likelihood (Fraley 1998): the tree of merges, each the cheapest of all pairs of groups.
#pragma once

#include <cstdint>

namespace mixtura {

enum class Criterion : int { kSumOfSquares = 0, kDeterminant = 1, kTrace = 2 };

// Merges (count - 1, 2) of rows (count, dimensions) with positive weights (count): first and second index of the groups'
// lowest rows, the first the lower one, in the order of merging. Under kDeterminant every group has `prior` rows more,
// of covariance I; under kTrace `prior` is added to its sum of squares. Costs that agree but for rounding count as equal, and among equals the lowest rows come first.
void agglomerate(const double* rows, const double* weights, std::int64_t count, std::int64_t dimensions,
                 Criterion criterion, double prior, std::int64_t* merges);

}  // namespace mixtura
