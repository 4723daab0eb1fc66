// The Python surface of rows with missing values.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "dispatch.hpp"
#include "missing.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using namespace mixtura::arrays;

void missing(DoubleMatrix rows, std::optional<DoubleVector> weights, DoubleVector constant, DoubleMatrix center,
             Doubles whitener, Doubles precision, const std::string& level_name, std::optional<OutVector> packed,
             std::optional<OutMatrix> joint) {
  const mixtura::Level& level = mixtura::find_level(level_name);
  const auto count = static_cast<std::int64_t>(rows.shape(0)), dimensions = static_cast<std::int64_t>(rows.shape(1));
  const auto components = static_cast<std::int64_t>(constant.shape(0));
  require(components > 0 && dimensions > 0 && components < 1 << 20 && dimensions < 1 << 13, "no forms, or too many");
  require(!weights || static_cast<std::int64_t>(weights->shape(0)) == count, "one weight per row is needed");
  require(static_cast<std::int64_t>(center.size()) == components * dimensions, "center must be (K, D)");
  const auto matrices = static_cast<std::size_t>(components * dimensions * dimensions);
  require(whitener.size() == matrices && precision.size() == matrices, "whitener and precision must be (K, D, D)");
  const std::int64_t sums = components * (1 + dimensions + dimensions * dimensions) + 1;
  require(packed.has_value() != joint.has_value(), "either packed or joint is written");
  require(!packed || static_cast<std::int64_t>(packed->shape(0)) == sums, "packed has the wrong size");
  require(!joint || (static_cast<std::int64_t>(joint->shape(0)) == count &&
                     static_cast<std::int64_t>(joint->shape(1)) == components),
          "joint must be (n, K)");
  const mixtura::MissingForms forms{components,    dimensions,      constant.data(),
                                    center.data(), whitener.data(), precision.data()};
  const mixtura::MissingTargets targets{packed ? packed->data() : nullptr, joint ? joint->data() : nullptr};
  nb::gil_scoped_release release;
  level.missing(forms, rows.data(), weights ? weights->data() : nullptr, count, targets,
                mixtura::thread_scratch(mixtura::missing_scratch(components, dimensions)));
}

}  // namespace

void bind_missing(nb::module_& module) {
  module.def("missing", &missing, "rows"_a.noconvert(), "weights"_a.none(), "const"_a, "center"_a, "whitener"_a,
             "precision"_a, "level"_a, "packed"_a.noconvert().none(), "joint"_a.noconvert().none(),
             "The E-step of rows with NaN where a value is missing: see missing.hpp.");
}
