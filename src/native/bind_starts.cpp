// The Python surface of what starts are made with: agglomerate.hpp and seeding.hpp.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "agglomerate.hpp"
#include "arrays.hpp"
#include "seeding.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using namespace mixtura::arrays;

void require_sound(const DoubleMatrix& rows, const DoubleVector& weights) {
  require(weights.shape(0) == rows.shape(0), "one weight per row is needed");
  for (std::size_t i = 0; i < rows.size(); ++i) require(rows.data()[i] - rows.data()[i] == 0, "rows must be finite");
  for (std::size_t i = 0; i < weights.size(); ++i)
    require(weights.data()[i] > 0 && weights.data()[i] - weights.data()[i] == 0, "weights must be positive and finite");
}

void agglomerate(DoubleMatrix rows, DoubleVector weights, int criterion, double prior, OutLabels merges) {
  const auto count = static_cast<std::int64_t>(rows.shape(0)), dimensions = static_cast<std::int64_t>(rows.shape(1));
  require(criterion >= 0 && criterion <= 2, "criterion must be 0 (sum of squares), 1 (determinant) or 2 (trace)");
  require(count >= 1 && dimensions >= 1 && count < 1 << 20, "rows are none, empty or too many");
  require(static_cast<std::int64_t>(merges.shape(0)) == count - 1 && merges.shape(1) == 2, "merges must be (n - 1, 2)");
  require(criterion == 0 || prior > 0, "prior must be positive");
  require_sound(rows, weights);
  nb::gil_scoped_release release;
  mixtura::agglomerate(rows.data(), weights.data(), count, dimensions, static_cast<mixtura::Criterion>(criterion),
                       prior, merges.data());
}

nb::object seed(DoubleMatrix rows, DoubleVector weights, DoubleVector first, DoubleCube rest, OutLabels chosen,
                int threads) {
  const mixtura::SeedingSize size{
      static_cast<std::int64_t>(rows.shape(0)), static_cast<std::int64_t>(rows.shape(1)),
      static_cast<std::int64_t>(rest.shape(0)) + 1, static_cast<std::int64_t>(first.shape(0)),
      static_cast<std::int64_t>(rest.shape(2))};
  require(size.rows >= 1 && size.dimensions >= 1 && size.starts >= 1 && size.candidates >= 1, "something is empty");
  require(static_cast<std::int64_t>(rest.shape(1)) == size.starts, "first and rest must be of as many starts");
  require(static_cast<std::int64_t>(chosen.shape(0)) == size.starts &&
              static_cast<std::int64_t>(chosen.shape(1)) == size.components,
          "chosen must have shape (starts, components)");
  require_sound(rows, weights);
  std::vector<double> spread(first.size());
  {
    const nb::gil_scoped_release release;
    mixtura::seed(rows.data(), weights.data(), size, first.data(), rest.data(), chosen.data(), spread.data(),
                  threads);
  }
  return to_array(std::move(spread), {first.size()});
}

}  // namespace

void bind_starts(nb::module_& module) {
  module.def("seed", &seed, "rows"_a.noconvert(), "weights"_a.noconvert(), "first"_a.noconvert(), "rest"_a.noconvert(),
             "chosen"_a.noconvert(), "threads"_a = 1,
             "Writes the numbers of the rows that are seeds, returns their spread: see seeding.hpp.");
  module.def("agglomerate", &agglomerate, "rows"_a.noconvert(), "weights"_a.noconvert(), "criterion"_a, "prior"_a,
             "merges"_a.noconvert(), "Writes the tree of merges of the rows: see agglomerate.hpp.");
}
