// Greedy k-means++ seeds (Arthur and Vassilvitskii 2007, section 4.2), several sets of them from the same rows.
#pragma once

#include <cstdint>

namespace mixtura {

struct SeedingSize {
  std::int64_t rows, dimensions, components, starts, candidates;
};

// Numbers (starts, components) of the rows that are seeds, and the weighted mean (starts) of the squared distances from the
// rows to the nearest of them. `first` (starts) and `rest` (components - 1, starts, candidates) are uniform draws.
// The sets are shared among the threads.
void seed(const double* rows, const double* weights, const SeedingSize& size, const double* first, const double* rest,
          std::int64_t* chosen, double* spread, int threads);

}  // namespace mixtura
