// The quadratic form under full covariances with features that are formed where they are used: in registers for log
// densities, in the first-level cache for moments. Stored ones cost a write and a read of the second-level cache each,
// which is more than the multiplication where there are few components, or where the features of a tile are many.
#pragma once

#include "kernel.hpp"
#include "products.hpp"
#include "simd.hpp"
#include "tile.hpp"

namespace mixtura::MIXTURA_LEVEL {
namespace {

constexpr int kTogether = 3;  // vectors of a panel whose log densities are summed together
constexpr int kOutputs = (MIXTURA_VECTOR_REGISTERS == 32 ? 24 : 12) / kTogether;

MIXTURA_INLINE Vector column(const Vector* panel, std::int32_t doubles) {
  return *reinterpret_cast<const Vector*>(reinterpret_cast<const double*>(panel) + doubles);
}

// outputs[o] (+)= sum_f coefficients[f][o] * feature f, for kTogether vectors of a panel of kFormedWidth.
template <int Outputs>
void multiply_formed(const Chunk<OutputBlock>& chunk, const double* coefficients, const Vector* columns,
                     const double* start, Vector* outputs) {
  Vector sums[Outputs][kTogether], first[kTogether], feature[kTogether];
  begin_sums(sums, start, outputs, kFormedWidth);
  for (std::int64_t i = 0; i < chunk.runs.count; ++i) {
    const Run run = chunk.runs.data[i];
    MIXTURA_UNROLL
    for (int v = 0; v < kTogether; ++v) first[v] = columns[std::int64_t(run.first) * kFormedWidth + v];
    const Vector* end = columns + std::int64_t(run.end) * kFormedWidth;
    for (const Vector* second = columns + std::int64_t(run.second) * kFormedWidth; second != end; second += kFormedWidth) {
      MIXTURA_UNROLL
      for (int v = 0; v < kTogether; ++v) feature[v] = first[v] * second[v];
      add_products(sums, coefficients, feature);
      coefficients += Outputs;
    }
  }
  const Vector* linear = columns + std::int64_t(chunk.linear_begin) * kFormedWidth;
  for (std::int32_t i = 0; i < chunk.linear_count; ++i, linear += kFormedWidth, coefficients += Outputs) {
    MIXTURA_UNROLL
    for (int v = 0; v < kTogether; ++v) feature[v] = linear[v];
    add_products(sums, coefficients, feature);
  }
  keep_sums(sums, outputs, kFormedWidth);
}

void formed_logs(const Plan& plan, const Workspace& work, int panel) {
  const Vector* columns = work.rows.data + panel * work.rows.stride;
  Vector* logs = work.logs.data + panel * work.logs.stride;
  for (std::int64_t c = 0; c < plan.output_chunks.count; ++c) {
    const Chunk<OutputBlock>& chunk = plan.output_chunks.data[c];
    for (std::int64_t i = 0; i < chunk.blocks.count; ++i) {
      const OutputBlock& block = chunk.blocks.data[i];
      with_constant<kOutputs>(block.size, [&](auto outputs) {
        for (int v = 0; v < kFormedWidth; v += kTogether)
          multiply_formed<outputs()>(chunk, plan.coefficients.data + block.offset, columns + v,
                                     c == 0 ? plan.constant.data + block.begin : nullptr,
                                     logs + std::int64_t(block.begin) * kFormedWidth + v);
      });
    }
  }
}

// sums[l * Right + r] += sum over rows of left[l] * feature r. Lanes run over rows.
template <int Left, int Right>
void accumulate_formed(Panels left, const Pair* pairs, Panels columns, int panels, double* sums, Prefetch& wanted) {
  Vector total[Left][Right] = {};
  for (int panel = 0; panel < panels; ++panel) {
    wanted.ask();
    for (std::int64_t v = 0; v < kFormedWidth; ++v) {
      const Vector* at = columns.data + v;
      Vector factor[Right];
      MIXTURA_UNROLL
      for (int r = 0; r < Right; ++r) factor[r] = column(at, pairs[r].first) * column(at, pairs[r].second);
      MIXTURA_UNROLL
      for (int l = 0; l < Left; ++l) {
        const Vector value = left.data[l * kFormedWidth + v];
        MIXTURA_UNROLL
        for (int r = 0; r < Right; ++r) total[l][r] += value * factor[r];
      }
    }
    left.data += left.stride;
    columns.data += columns.stride;
  }
  add_lanes(total, sums);
}

// sums[f][c] += sum over rows of shares[row][c] * feature f. Lanes run over components, so that none are added up.
template <int Vectors, int Features>
void accumulate_turned(const double* shares, std::int64_t shares_stride, const Pair* pairs, Panels columns, int panels,
                       Vector* formed, double* sums, Prefetch& wanted) {
  Vector total[Features][Vectors] = {};
  for (int panel = 0; panel < panels; ++panel, columns.data += columns.stride) {
    wanted.ask();
    for (int f = 0; f < Features; ++f)
      MIXTURA_UNROLL
      for (int v = 0; v < kFormedWidth; ++v)
        formed[f * kFormedWidth + v] =
            column(columns.data + v, pairs[f].first) * column(columns.data + v, pairs[f].second);
    const double* features = reinterpret_cast<const double*>(formed);
    for (int row = 0; row < kFormedWidth * kLanes; ++row, ++features, shares += shares_stride) {
      Vector share[Vectors];
      MIXTURA_UNROLL
      for (int c = 0; c < Vectors; ++c) share[c] = load(shares + c * kLanes);
      MIXTURA_UNROLL
      for (int f = 0; f < Features; ++f) {
        const Vector value = broadcast(features[f * kFormedWidth * kLanes]);
        MIXTURA_UNROLL
        for (int c = 0; c < Vectors; ++c) total[f][c] += value * share[c];
      }
    }
  }
  MIXTURA_UNROLL
  for (int f = 0; f < Features; ++f)
    MIXTURA_UNROLL
    for (int c = 0; c < Vectors; ++c, sums += kLanes) store(sums, load(sums) + total[f][c]);
}

// The responsibilities of a panel, row after row, of the components that lie along lanes.
void turn(const Plan& plan, const Workspace& work, int panel) {
  const Vector* logs = work.logs.data + panel * work.logs.stride;
  double* target = work.shares + std::int64_t(panel) * kFormedWidth * kLanes * plan.turned;
  for (int v = 0; v < kFormedWidth; ++v, target += kLanes * plan.turned)
    for (std::int64_t k = 0; k < plan.turned; k += kLanes) {
      Vector block[kLanes];
      MIXTURA_UNROLL
      for (int i = 0; i < kLanes; ++i) block[i] = logs[(k + i) * kFormedWidth + v];
      transpose(block);
      MIXTURA_UNROLL
      for (int i = 0; i < kLanes; ++i) store(target + i * plan.turned + k, block[i]);
    }
}

// The column past the last one, with which columns are products too.
void fill_ones(const Plan& plan, const Workspace& work) {
  for (int panel = 0; panel < plan.panels; ++panel)
    for (int v = 0; v < kFormedWidth; ++v)
      work.rows.data[panel * work.rows.stride + std::int64_t(plan.dimensions) * kFormedWidth + v] = broadcast(1.0);
}

void formed_moments(const Plan& plan, const Workspace& work, int panels, double* packed, Prefetch wanted) {
  constexpr int kAccumulators = MIXTURA_VECTOR_REGISTERS == 32 ? 24 : 12;
  const Chunk<MomentBlock>& chunk = plan.moment_chunks.data[0];
  for (std::int64_t i = 0; i < chunk.turned.count; ++i) {
    const MomentBlock& block = chunk.turned.data[i];
    with_constant<4>(block.left_size / kLanes, [&](auto vectors) {
      constexpr int kFits = kAccumulators / vectors();
      with_constant<(kFits < kFormedFeatures ? kFits : kFormedFeatures)>(block.right_size, [&](auto features) {
        accumulate_turned<vectors(), features()>(work.shares + block.left, plan.turned, chunk.pairs.data + block.right,
                                                 work.rows, panels, work.features.data, packed + block.offset, wanted);
      });
    });
  }
  for (std::int64_t i = 0; i < chunk.blocks.count; ++i) {
    const MomentBlock& block = chunk.blocks.data[i];
    const Panels left{work.logs.data + std::int64_t(block.left) * kFormedWidth, work.logs.stride};
    with_constant<7>(block.left_size, [&](auto size) {
      with_constant<(kAccumulators / size() < 8 ? kAccumulators / size() : 8)>(block.right_size, [&](auto right) {
        accumulate_formed<size(), right()>(left, chunk.pairs.data + block.right, work.rows, panels,
                                           packed + block.offset, wanted);
      });
    });
  }
}

}  // namespace
}  // namespace mixtura::MIXTURA_LEVEL
