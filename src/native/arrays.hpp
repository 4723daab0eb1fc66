// NumPy arrays in and out: what the files of bindings share.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernel.hpp"

namespace mixtura::arrays {

using AnyRows = nanobind::ndarray<nanobind::ro, nanobind::ndim<2>, nanobind::device::cpu>;
using Doubles = nanobind::ndarray<const double, nanobind::c_contig, nanobind::device::cpu>;
using DoubleVector = nanobind::ndarray<const double, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;
using DoubleMatrix = nanobind::ndarray<const double, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;
using DoubleCube = nanobind::ndarray<const double, nanobind::ndim<3>, nanobind::c_contig, nanobind::device::cpu>;
using Offsets = nanobind::ndarray<const std::int64_t, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;
using OutVector = nanobind::ndarray<double, nanobind::ndim<1>, nanobind::c_contig, nanobind::device::cpu>;
using OutMatrix = nanobind::ndarray<double, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;
using OutLabels = nanobind::ndarray<std::int64_t, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;

inline void require(bool condition, const char* message) {
  if (!condition) throw nanobind::value_error(message);
}

inline Rows to_rows(const AnyRows& array, std::int64_t dimensions) {
  const bool is_float32 = array.dtype() == nanobind::dtype<float>();
  if (!is_float32 && array.dtype() != nanobind::dtype<double>()) throw nanobind::type_error("rows must be float64 or float32");
  require(static_cast<std::int64_t>(array.shape(1)) == dimensions, "rows have the wrong number of columns");
  require(dimensions <= 1 || array.shape(0) == 0 || array.stride(1) == 1, "rows must have unit stride within a row");
  return {array.data(), is_float32, static_cast<std::int64_t>(array.shape(0)), array.stride(0)};
}

inline const double* to_weights(const std::optional<DoubleVector>& weights, const Rows& rows) {
  if (!weights) return nullptr;
  require(static_cast<std::int64_t>(weights->shape(0)) == rows.count, "one weight per row is needed");
  return weights->data();
}

template <typename Array>
auto copy_of(const Array& array) {
  return std::vector<std::remove_const_t<typename Array::Scalar>>(array.data(), array.data() + array.size());
}

inline nanobind::object to_array(std::vector<double>&& values, std::initializer_list<std::size_t> shape) {
  auto* owned = new std::vector<double>(std::move(values));
  nanobind::capsule owner(owned, [](void* memory) noexcept { delete static_cast<std::vector<double>*>(memory); });
  return nanobind::cast(nanobind::ndarray<nanobind::numpy, double>(owned->data(), shape, owner));
}

}  // namespace mixtura::arrays
