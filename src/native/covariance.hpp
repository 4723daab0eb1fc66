// Covariance models: from the weights and scatter matrices of the components to covariances, as in covariance/*.py.
#pragma once

#include <string>
#include <vector>

#include "statistics.hpp"

namespace mixtura {

// What a model's M-step is given.
struct Moment {
  const Extent& extent;
  const Values& count;     // (K,), positive
  const Values& scatter;   // in the extent's shape
  const Values& previous;  // the last covariances, where an iterative solution may start
};

// Writes covariances in the extent's shape; false where it cannot, and Python has to.
using Solve = bool (*)(const Moment& moment, Values& covariances);

struct CovarianceModel {
  const char* name;
  Shape shape;
  Solve solve;
};

// The model of mclust's name, or null.
const CovarianceModel* find_covariance(const std::string& name);

std::vector<std::string> covariance_names();

}  // namespace mixtura
