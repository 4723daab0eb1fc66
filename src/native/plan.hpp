// From a mixture's quadratic forms to a plan for one level: features, coefficients, register blocks, packed sums.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernel.hpp"

namespace mixtura {

// log w_k N(z; k) = constant_k - 1/2 ||(z - center_k) @ whitener_k||^2 with z = (x - shift) * inverse_scale.
struct Model {
  Shape shape;
  Form form;
  std::int64_t components, dimensions;
  std::vector<double> constant, center, whitener;
  std::vector<std::int64_t> groups;  // offsets: one more than there are groups
  std::vector<double> shift, inverse_scale;

  std::int64_t group_count() const { return static_cast<std::int64_t>(groups.size()) - 1; }
};

struct Moments {
  std::vector<double> count, first, second, log_likelihood;
};

// Owns what a Plan points to.
class Planner {
 public:
  Planner(Model model, const Level& level);
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  const Model& model() const { return model_; }
  const Plan& plan() const { return plan_; }
  const Level& level() const { return level_; }

  // The same plan for other parameters.
  void refill(const std::vector<double>& constant, const std::vector<double>& center,
              const std::vector<double>& whitener);

  void unpack(const double* packed, Moments& moments) const;

 private:
  template <typename Block>
  struct ChunkParts {
    std::int64_t begin, count;
    bool norm;
    std::vector<Pair> pairs;
    std::int64_t linear_begin, linear_count;
    std::vector<Block> blocks;
    std::vector<Run> runs;
    std::vector<Block> turned;

    Chunk<Block> view() const;
  };

  bool quadratic() const { return model_.form == Form::kQuadratic; }
  bool matrix() const { return model_.shape == Shape::kFull || model_.shape == Shape::kTied; }

  void choose_products();
  void choose_width();
  void choose_chunks();
  void place_coefficients();
  void find_moments();
  void place_whiteners();
  void fill();
  void fill_coefficients();
  void fill_whiteners();
  void place_sums();
  void place_scratch(const Level& level);
  void point();

  std::vector<Pair> all_pairs() const;
  template <typename Block>
  ChunkParts<Block> cut(const std::vector<Pair>& pairs, std::int64_t begin, std::int64_t count) const;
  template <std::int64_t D>
  void full_coefficients(std::integral_constant<std::int64_t, D> dimensions);
  void full_coefficients(std::int64_t dimensions);
  void tied_coefficients();
  void separable_coefficients();
  std::vector<MomentBlock> moment_blocks(std::int64_t left, std::int64_t right_count, bool triangle,
                                         std::int64_t& offset) const;
  void formed_blocks(ChunkParts<MomentBlock>& chunk, std::int64_t& offset) const;
  void find_fallback();

  void unpack_quadratic(const double* packed, Moments& moments) const;
  void unpack_centred(const double* packed, Moments& moments) const;
  void unpack_triangle(const double* packed, double* square) const;

  Model model_;
  const Level& level_;
  Plan plan_ = {};
  std::int64_t lanes_, registers_, accumulators_;
  std::int64_t most_outputs_ = 0;     // of a register block
  std::int64_t output_features_ = 0;  // the most of any chunk
  std::vector<ChunkParts<OutputBlock>> output_parts_;
  std::vector<ChunkParts<MomentBlock>> moment_parts_;
  std::vector<Chunk<OutputBlock>> output_chunks_;
  std::vector<Chunk<MomentBlock>> moment_chunks_;
  std::vector<OutputBlock> whitening_;
  std::vector<MomentBlock> triangle_, linear_;
  std::vector<double> constant_, coefficients_, whiteners_, fallback_, zeros_;
  std::vector<double> dense_, transposed_, precision_, linear_terms_;  // while coefficients are made
  std::vector<std::int32_t> coefficient_sources_, moment_places_;  // of every (component, feature), row by row
};

}  // namespace mixtura
