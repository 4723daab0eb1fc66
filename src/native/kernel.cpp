// The kernel of one instruction-set level: compiled once per level, with MIXTURA_LEVEL naming its namespace and
// MIXTURA_LEVEL_NAME the level as users see it. Exports a single symbol, the level's table.

#include "kernel.hpp"

#include "centred.hpp"
#include "formed.hpp"
#include "normalise.hpp"
#include "products.hpp"
#include "quadratic.hpp"
#include "simd.hpp"
#include "tile.hpp"

namespace mixtura::MIXTURA_LEVEL {
namespace {

template <int Width>
struct Pass {
  const Plan& plan;
  Workspace work;
  std::int64_t tile_rows = std::int64_t(plan.panels) * Width * kLanes;

  // Log densities of one panel; what all components share is left in `offset`.
  void log_densities(int panel, Vector (&offset)[Width]) {
    for (int v = 0; v < Width; ++v) offset[v] = Vector{};
    if (plan.form == Form::kQuadratic)
      quadratic_logs<Width>(plan, work, panel, offset);
    else
      centred_logs<Width>(plan, work, panel);
  }

  void responsibilities(int panel, const Vector (&offset)[Width]) {
    normalise<Width, false>(plan, work.logs.data + panel * work.logs.stride, work.weights + panel * Width, work.counts,
                            work.densities);
    if (plan.shape != Shape::kTied) return;
    for (std::int64_t i = 0; i < std::int64_t(plan.groups) * Width; ++i) work.densities[i] += offset[i % Width];
  }

  // Whether a panel's rows count once or not at all.
  bool counts_once(int panel) const {
    Mask other = {};
    for (int v = 0; v < Width; ++v) {
      const Vector weight = work.weights[panel * Width + v];
      other |= weight * weight != weight;
    }
    return !any(other);
  }

  // Responsibilities of such rows, and their log likelihoods.
  void alike(int panel, const Vector (&offset)[Width]) {
    Vector* likelihood = work.counts + plan.components;
    const Vector* weights = work.weights + panel * Width;
    normalise<Width, true>(plan, work.logs.data + panel * work.logs.stride, weights, work.counts, likelihood);
    if (plan.shape != Shape::kTied) return;
    for (std::int64_t g = 0; g < plan.groups; ++g)
      for (int v = 0; v < Width; ++v) likelihood[g] += weights[v] != Vector{} ? weights[v] * offset[v] : Vector{};
  }

  void add_likelihood(int panel) {
    Vector* likelihood = work.counts + plan.components;
    const Vector* weights = work.weights + panel * Width;
    for (std::int64_t g = 0; g < plan.groups; ++g)
      for (int v = 0; v < Width; ++v)  // a row of weight zero counts for nothing, even at density -inf
        likelihood[g] += weights[v] != Vector{} ? weights[v] * work.densities[g * Width + v] : Vector{};
  }

  void reduce(const Rows& rows, const double* weights, double* packed) {
    std::memset(packed, 0, sizeof(double) * plan.packed_size);
    const std::int64_t totals = plan.components + plan.groups;
    for (std::int64_t i = 0; i < totals; ++i) work.counts[i] = Vector{};
    if (plan.formed) fill_ones(plan, work);
    for (std::int64_t begin = 0; begin < rows.count; begin += tile_rows) {
      const std::int64_t count = rows.count - begin < tile_rows ? rows.count - begin : tile_rows;
      const int panels = load_tile(rows, begin, count, work.to, Width, work.edge, work.rows);
      load_weights(weights, begin, count, std::int64_t(panels) * Width, work.weights);
      for (int panel = 0; panel < panels; ++panel) {
        Vector offset[Width];
        log_densities(panel, offset);
        if (!weights || counts_once(panel)) {
          alike(panel, offset);
        } else {
          responsibilities(panel, offset);
          add_likelihood(panel);
        }
        if (plan.turned) turn(plan, work, panel);
      }
      if (plan.form == Form::kQuadratic)
        quadratic_moments<Width>(plan, work, panels, packed, next_rows(plan, rows, begin + tile_rows, tile_rows));
      else
        centred_moments<Width>(plan, work, panels, packed);
    }
    for (std::int64_t i = 0; i < totals; ++i) packed[i] = sum_of_lanes(work.counts[i]);
  }

  void map_rows(const Rows& rows, const MapTargets& targets) {
    const std::int64_t panel_rows = std::int64_t(Width) * kLanes;
    for (std::int64_t i = 0; i < plan.components; ++i) work.counts[i] = Vector{};
    for (std::int64_t begin = 0; begin < rows.count; begin += panel_rows) {
      const std::int64_t count = rows.count - begin < panel_rows ? rows.count - begin : panel_rows;
      load_tile(rows, begin, count, work.to, Width, work.edge, work.rows);
      for (int v = 0; v < Width; ++v) work.weights[v] = broadcast(1.0);
      Vector offset[Width];
      log_densities(0, offset);
      if (targets.labels) {
        Mask* labels = reinterpret_cast<Mask*>(work.densities);
        label_panel<Width>(plan, work.logs.data, labels);
        write_groups(labels, count, targets.labels + begin * plan.groups);
      }
      if (!targets.log_density && !targets.responsibilities) continue;
      responsibilities(0, offset);
      if (targets.log_density) write_groups(work.densities, count, targets.log_density + begin * plan.groups);
      if (targets.responsibilities) write_components(count, targets.responsibilities + begin * plan.components);
    }
  }

  // Panel order (group, row) to row order (row, group).
  template <typename Lanes, typename Scalar>
  void write_groups(const Lanes* source, std::int64_t count, Scalar* out) {
    for (std::int64_t g = 0; g < plan.groups; ++g)
      for (std::int64_t row = 0; row < count; ++row)
        std::memcpy(out + row * plan.groups + g,
                    reinterpret_cast<const char*>(source + g * Width) + row * sizeof(Scalar), sizeof(Scalar));
  }

  void write_components(std::int64_t count, double* out) {
    const std::int64_t components = plan.components;
    for (int v = 0; v < Width; ++v) {
      const std::int64_t first = std::int64_t(v) * kLanes;
      const std::int64_t present = count - first < kLanes ? count - first : kLanes;
      const Vector* logs = work.logs.data + v;
      double* target = out + first * components;
      std::int64_t k = 0;
      for (; present == kLanes && k + kLanes <= components; k += kLanes) {
        Vector block[kLanes];
        MIXTURA_UNROLL
        for (int i = 0; i < kLanes; ++i) block[i] = logs[(k + i) * Width];
        transpose(block);
        MIXTURA_UNROLL
        for (int i = 0; i < kLanes; ++i) store(target + i * components + k, block[i]);
      }
      for (; k < components; ++k)
        for (std::int64_t lane = 0; lane < present; ++lane) target[lane * components + k] = logs[k * Width][lane];
    }
  }
};

template <typename Run>
void with_width(const Plan& plan, double* scratch, const Run& run) {
  const Workspace work(plan, scratch);
  switch (plan.width) {
    case 3: return run(Pass<3>{plan, work});
    case 4: return run(Pass<4>{plan, work});
    case 6: return run(Pass<6>{plan, work});
    case 8: return run(Pass<8>{plan, work});
  }
}

void reduce(const Plan& plan, const Rows& rows, const double* weights, double* packed, double* scratch) {
  with_width(plan, scratch, [&](auto pass) { pass.reduce(rows, weights, packed); });
}

void map_rows(const Plan& plan, const Rows& rows, const MapTargets& targets, double* scratch) {
  with_width(plan, scratch, [&](auto pass) { pass.map_rows(rows, targets); });
}

}  // namespace

void missing(const MissingForms& forms, const double* rows, const double* weights, std::int64_t count,
             const MissingTargets& targets, double* scratch);  // missing.cpp
double nearer(const NearerRows& rows, const double* point, const double* nearest, double* trial);  // distances.cpp

extern const Level kLevel;
const Level kLevel = {MIXTURA_LEVEL_NAME, kLanes, MIXTURA_VECTOR_REGISTERS, reduce, map_rows, missing, nearer};

}  // namespace mixtura::MIXTURA_LEVEL
