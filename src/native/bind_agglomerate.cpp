// The Python surface of agglomerate.hpp.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "agglomerate.hpp"
#include "arrays.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using namespace mixtura::arrays;

void agglomerate(DoubleMatrix rows, DoubleVector weights, int criterion, double prior, OutLabels merges) {
  const auto count = static_cast<std::int64_t>(rows.shape(0)), dimensions = static_cast<std::int64_t>(rows.shape(1));
  require(criterion >= 0 && criterion <= 2, "criterion must be 0 (sum of squares), 1 (determinant) or 2 (trace)");
  require(count >= 1 && dimensions >= 1 && count < 1 << 20, "rows are none, empty or too many");
  require(static_cast<std::int64_t>(weights.shape(0)) == count, "one weight per row is needed");
  require(static_cast<std::int64_t>(merges.shape(0)) == count - 1 && merges.shape(1) == 2, "merges must be (n - 1, 2)");
  require(criterion == 0 || prior > 0, "prior must be positive");
  for (std::size_t i = 0; i < rows.size(); ++i) require(rows.data()[i] - rows.data()[i] == 0, "rows must be finite");
  for (std::int64_t i = 0; i < count; ++i)
    require(weights.data()[i] > 0 && weights.data()[i] - weights.data()[i] == 0, "weights must be positive and finite");
  nb::gil_scoped_release release;
  mixtura::agglomerate(rows.data(), weights.data(), count, dimensions, static_cast<mixtura::Criterion>(criterion),
                       prior, merges.data());
}

}  // namespace

void bind_agglomerate(nb::module_& module) {
  module.def("agglomerate", &agglomerate, "rows"_a.noconvert(), "weights"_a.noconvert(), "criterion"_a, "prior"_a,
             "merges"_a.noconvert(), "Writes the tree of merges of the rows: see agglomerate.hpp.");
}
