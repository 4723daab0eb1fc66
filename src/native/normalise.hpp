// From log densities to responsibilities: one log-sum-exp per group of components and row.
#pragma once

#include "kernel.hpp"
#include "simd.hpp"

namespace mixtura::MIXTURA_LEVEL {
namespace {

// Rows for which no component has a finite log density (far outside floating-point range): spread evenly over the group's
// components that are not dead, at log density -inf.
template <int Width, int Sub>
__attribute__((noinline, cold)) void spread_lost(Vector* logs, std::int64_t count, const double* fallback,
                                                 const Vector* weights, const Vector* largest, Vector* factor,
                                                 Vector* density) {
  for (int v = 0; v < Sub; ++v) {
    const Vector finite = largest[v] * 0.0;
    const Mask lost = finite != finite;
    factor[v] = lost ? weights[v] : factor[v];
    density[v] = lost ? broadcast(-kInfinity) : density[v];
    for (std::int64_t k = 0; k < count; ++k)
      logs[k * Width + v] = lost ? broadcast(fallback[k]) : logs[k * Width + v];
  }
}

template <int Width, int Sub>
__attribute__((noinline, cold)) void joint_lost(Vector* logs, std::int64_t count, const double* fallback,
                                                const Vector* weights, const Vector* largest, const Vector* sum,
                                                Vector* factor, Vector* total) {
  Vector density[Sub];
  for (int v = 0; v < Sub; ++v) density[v] = largest[v] + logarithm(sum[v]);
  spread_lost<Width, Sub>(logs, count, fallback, weights, largest, factor, density);
  for (int v = 0; v < Sub; ++v) *total += weights[v] != Vector{} ? weights[v] * density[v] : Vector{};
}

// Sub vectors of rows of one group. `density` receives their log densities; with Joint, which takes weights of zero and one,
// their sum is added to it, whose logarithm is one of a product.
template <int Width, int Sub, bool Joint>
void normalise_group(Vector* logs, std::int64_t count, const double* fallback, const Vector* weights, Vector* counts,
                     Vector* density) {
  Vector largest[Sub], sum[Sub], factor[Sub];
  MIXTURA_UNROLL
  for (int v = 0; v < Sub; ++v) largest[v] = broadcast(-kInfinity), sum[v] = Vector{};
  for (std::int64_t k = 0; k < count; ++k)
    MIXTURA_UNROLL
    for (int v = 0; v < Sub; ++v) largest[v] = maximum(logs[k * Width + v], largest[v]);
  for (std::int64_t k = 0; k < count; ++k)
    MIXTURA_UNROLL
    for (int v = 0; v < Sub; ++v) {
      const Vector share = exponential(logs[k * Width + v] - largest[v]);
      logs[k * Width + v] = share;
      sum[v] += share;
    }
  Vector finite = {};  // zero, or NaN where the largest of any row is not finite
  Vector product = broadcast(1.0), top = {};
  MIXTURA_UNROLL
  for (int v = 0; v < Sub; ++v) {
    finite += largest[v] * 0.0;
    factor[v] = weights[v] / sum[v];
    if constexpr (Joint) {
      product *= weights[v] != Vector{} ? sum[v] : broadcast(1.0);
      top += weights[v] * largest[v];
    } else {
      density[v] = largest[v] + logarithm(sum[v]);
    }
  }
  const bool lost = __builtin_expect(any(finite != finite), 0);
  if constexpr (Joint) {
    if (lost)
      joint_lost<Width, Sub>(logs, count, fallback, weights, largest, sum, factor, density);
    else
      *density += top + logarithm(product);
  } else if (lost) {
    spread_lost<Width, Sub>(logs, count, fallback, weights, largest, factor, density);
  }
  for (std::int64_t k = 0; k < count; ++k) {
    Vector total = counts[k];
    MIXTURA_UNROLL
    for (int v = 0; v < Sub; ++v) {
      const Vector responsibility = logs[k * Width + v] * factor[v];
      logs[k * Width + v] = responsibility;
      total += responsibility;
    }
    counts[k] = total;
  }
}

// A panel of log densities, component after component, becomes responsibilities times the row weights. `counts` gathers
// their sums, lane by lane; `density` receives the groups' log densities, or with Joint the sum of each group's.
template <int Width, bool Joint>
void normalise(const Plan& plan, Vector* logs, const Vector* weights, Vector* counts, Vector* density) {
  constexpr int kSub = Width <= 4 ? Width : Width / 2;
  for (std::int64_t g = 0; g < plan.groups; ++g) {
    const std::int64_t begin = plan.group_offsets.data[g];
    const std::int64_t count = plan.group_offsets.data[g + 1] - begin;
    for (int v = 0; v < Width; v += kSub)
      normalise_group<Width, kSub, Joint>(logs + begin * Width + v, count, plan.fallback.data + begin, weights + v,
                                          counts + begin, Joint ? density + g : density + g * Width + v);
  }
}

// Labels: the first of the largest log densities of each group, counted from the group's first component.
template <int Width>
void label_panel(const Plan& plan, const Vector* logs, Mask* labels) {
  for (std::int64_t g = 0; g < plan.groups; ++g) {
    const std::int64_t begin = plan.group_offsets.data[g];
    const std::int64_t count = plan.group_offsets.data[g + 1] - begin;
    for (int v = 0; v < Width; ++v) {
      Vector largest = broadcast(-kInfinity);
      Mask label = {};
      for (std::int64_t k = 0; k < count; ++k) {
        const Vector value = logs[(begin + k) * Width + v];
        const Mask larger = value > largest;
        largest = larger ? value : largest;
        label = larger ? Mask{} + k : label;
      }
      labels[g * Width + v] = label;
    }
  }
}

}  // namespace
}  // namespace mixtura::MIXTURA_LEVEL
