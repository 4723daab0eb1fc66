// The Python surface: checks shapes and types, releases the GIL, calls the level that was asked for.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "dispatch.hpp"
#include "kernel.hpp"
#include "plan.hpp"

namespace nb = nanobind;
using namespace nb::literals;

void bind_climb(nb::module_& module);
void bind_starts(nb::module_& module);
void bind_missing(nb::module_& module);

namespace {

using namespace mixtura::arrays;
using mixtura::Level;
using mixtura::Rows;

mixtura::Model to_model(int shape, int form, const DoubleVector& constant, const DoubleMatrix& center,
                        const Doubles& whitener, const Offsets& groups, const DoubleVector& shift,
                        const DoubleVector& inverse_scale) {
  require(shape >= 0 && shape <= 3, "shape must be 0 (full), 1 (tied), 2 (diagonal) or 3 (spherical)");
  require(form == 0 || form == 1, "form must be 0 (quadratic) or 1 (centred)");
  const auto components = static_cast<std::int64_t>(center.shape(0));
  const auto dimensions = static_cast<std::int64_t>(center.shape(1));
  require(components > 0 && dimensions > 0, "at least one component and one dimension are needed");
  require(components < 1 << 24 && dimensions < 1 << 13, "too many components or dimensions");
  require(static_cast<std::int64_t>(constant.size()) == components, "const must have one value per component");
  const std::int64_t sizes[] = {components * dimensions * dimensions, dimensions * dimensions, components * dimensions,
                                components};
  require(static_cast<std::int64_t>(whitener.size()) == sizes[shape], "whitener does not fit the shape");
  require(static_cast<std::int64_t>(shift.size()) == dimensions, "shift must have one value per dimension");
  require(static_cast<std::int64_t>(inverse_scale.size()) == dimensions,
          "inverse_scale must have one value per dimension");
  mixtura::Model model{static_cast<mixtura::Shape>(shape), static_cast<mixtura::Form>(form), components, dimensions,
                       copy_of(constant), copy_of(center), copy_of(whitener), copy_of(groups), copy_of(shift),
                       copy_of(inverse_scale)};
  require(model.groups.size() >= 2 && model.groups.front() == 0 && model.groups.back() == components,
          "groups must run from 0 to the number of components");
  for (std::size_t g = 1; g < model.groups.size(); ++g)
    require(model.groups[g - 1] < model.groups[g], "groups must not be empty");
  return model;
}

class Kernel {
 public:
  Kernel(int shape, int form, DoubleVector constant, DoubleMatrix center, Doubles whitener, Offsets groups,
         DoubleVector shift, DoubleVector inverse_scale, const std::string& level)
      : level_(mixtura::find_level(level)),
        planner_(to_model(shape, form, constant, center, whitener, groups, shift, inverse_scale), level_) {}

  std::int64_t packed_size() const { return planner_.plan().packed_size; }

  void reduce(AnyRows array, std::optional<DoubleVector> weights, OutVector out) const {
    const Rows rows = to_rows(array, planner_.model().dimensions);
    const double* weight = to_weights(weights, rows);
    require(static_cast<std::int64_t>(out.shape(0)) == packed_size(), "out must have packed_size values");
    nb::gil_scoped_release release;
    level_.reduce(planner_.plan(), rows, weight, out.data(), mixtura::thread_scratch(planner_.plan().scratch.size));
  }

  void map_rows(AnyRows array, std::optional<OutMatrix> log_density, std::optional<OutMatrix> responsibilities,
                std::optional<OutLabels> labels) const {
    const Rows rows = to_rows(array, planner_.model().dimensions);
    const auto fits = [&](const auto& target, std::int64_t columns) {
      if (!target) return;
      require(static_cast<std::int64_t>(target->shape(0)) == rows.count &&
                  static_cast<std::int64_t>(target->shape(1)) == columns,
              "an output has the wrong shape");
    };
    fits(log_density, planner_.model().group_count());
    fits(responsibilities, planner_.model().components);
    fits(labels, planner_.model().group_count());
    const mixtura::MapTargets targets{log_density ? log_density->data() : nullptr,
                                      responsibilities ? responsibilities->data() : nullptr,
                                      labels ? labels->data() : nullptr};
    nb::gil_scoped_release release;
    level_.map_rows(planner_.plan(), rows, targets, mixtura::thread_scratch(planner_.plan().scratch.size));
  }

  nb::tuple unpack(DoubleVector packed) const {
    require(static_cast<std::int64_t>(packed.shape(0)) == packed_size(), "packed must have packed_size values");
    const mixtura::Model& model = planner_.model();
    const auto components = static_cast<std::size_t>(model.components);
    const auto dimensions = static_cast<std::size_t>(model.dimensions);
    const auto groups = static_cast<std::size_t>(model.group_count());
    mixtura::Moments moments;
    planner_.unpack(packed.data(), moments);
    nb::object second;
    switch (model.shape) {
      case mixtura::Shape::kFull:
        second = to_array(std::move(moments.second), {components, dimensions, dimensions});
        break;
      case mixtura::Shape::kTied: second = to_array(std::move(moments.second), {groups, dimensions, dimensions}); break;
      case mixtura::Shape::kDiagonal: second = to_array(std::move(moments.second), {components, dimensions}); break;
      case mixtura::Shape::kSpherical: second = to_array(std::move(moments.second), {components}); break;
    }
    return nb::make_tuple(to_array(std::move(moments.count), {components}),
                          to_array(std::move(moments.first), {components, dimensions}), second,
                          to_array(std::move(moments.log_likelihood), {groups}));
  }

 private:
  const Level& level_;
  mixtura::Planner planner_;
};

std::vector<std::string> levels() {
  std::vector<std::string> names;
  for (const Level* level : mixtura::supported_levels()) names.emplace_back(level->name);
  return names;
}

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "The native kernel: one pass over a block of rows, single-threaded, without the GIL.";
  module.def("levels", &levels, "Instruction-set levels that this processor supports, best first.");
  module.def("preferred_level", [] { return std::string(mixtura::preferred_level().name); },
             "The level that MIXTURA_SIMD names, or else the best.");
  nb::class_<Kernel>(module, "Kernel", "Gaussian log densities and their moments for fixed quadratic forms.")
      .def(nb::init<int, int, DoubleVector, DoubleMatrix, Doubles, Offsets, DoubleVector, DoubleVector,
                    const std::string&>(),
           "shape"_a, "form"_a, "const"_a, "center"_a, "whitener"_a, "groups"_a, "shift"_a, "inverse_scale"_a,
           "level"_a)
      .def_prop_ro("packed_size", &Kernel::packed_size)
      .def("reduce", &Kernel::reduce, "rows"_a.noconvert(), "weights"_a.none(), "out"_a.noconvert(),
           "Overwrites out with the packed sums over the rows. Packed sums of several blocks may be added.")
      .def("unpack", &Kernel::unpack, "packed"_a, "(count, first, second, log_likelihood) of packed sums.")
      .def("map_rows", &Kernel::map_rows, "rows"_a.noconvert(), "log_density"_a.noconvert().none(),
           "responsibilities"_a.noconvert().none(), "labels"_a.noconvert().none(),
           "Writes what is given, row by row. A row without any finite log density gets -inf, and responsibilities "
           "spread evenly over the group's components with finite const.");
  bind_climb(module);
  bind_starts(module);
  bind_missing(module);
}
