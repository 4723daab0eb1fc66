#include "plan.hpp"

#include <algorithm>
#include <utility>

namespace mixtura {
namespace {

constexpr std::int64_t kTileRows = 192;                 // a multiple of 24 vectors at every level
constexpr std::int64_t kPanelBytes = 20 * 1024;         // of features, to stay in the first-level cache
constexpr std::int64_t kKeptBytes = 512 * 1024;         // of a tile's features, to stay in the second-level cache
constexpr std::int64_t kMomentFeatures = 96;            // of a chunk of the moments, where features are not kept
constexpr std::int64_t kCoefficientBytes = 16 * 1024;   // of a block where features are formed, to stay in the first-level cache

struct Range {
  std::int64_t begin, size;
};

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t value, std::int64_t multiple) { return ceil_div(value, multiple) * multiple; }

// Nearly equal parts, none larger than `largest`.
std::vector<Range> split(std::int64_t count, std::int64_t largest) {
  const std::int64_t parts = ceil_div(count, largest);
  std::vector<Range> ranges;
  for (std::int64_t i = 0; i < parts; ++i) {
    const std::int64_t begin = i * count / parts;
    ranges.push_back({begin, (i + 1) * count / parts - begin});
  }
  return ranges;
}

template <typename T>
Array<T> view(const std::vector<T>& values) {
  return {values.data(), static_cast<std::int64_t>(values.size())};
}

}  // namespace

Planner::Planner(Model model, const Level& level)
    : model_(std::move(model)),
      level_(level),
      lanes_(level.lanes),
      registers_(level.vector_registers),
      accumulators_(level.vector_registers == 32 ? 24 : 12) {
  plan_.shape = model_.shape;
  plan_.form = model_.form;
  plan_.components = static_cast<std::int32_t>(model_.components);
  plan_.dimensions = static_cast<std::int32_t>(model_.dimensions);
  plan_.groups = static_cast<std::int32_t>(model_.group_count());
  choose_products();
  if (quadratic()) {
    choose_chunks();
    place_coefficients();
  }
  if (matrix() && (!quadratic() || model_.shape == Shape::kTied)) place_whiteners();
  fill();
  place_sums();
  place_scratch(level);
  point();
}

// Where features are formed, and where lanes run over components, is what was measured to be faster (of 1 to 100 components
// in 2 to 256 dimensions, with 8 and with 4 lanes).
void Planner::choose_products() {
  const std::int64_t components = model_.components, dimensions = model_.dimensions;
  if (lanes_ == 8) plan_.formed = dimensions >= 16 || (dimensions >= 5 && components < 8);
  if (lanes_ == 4) plan_.formed = dimensions >= 10 && components <= 3;
  plan_.formed = plan_.formed && quadratic() && model_.shape == Shape::kFull;
  if (plan_.formed) {
    plan_.width = kFormedWidth;
    most_outputs_ = accumulators_ / 3;
    if (components >= 2 * lanes_) plan_.turned = static_cast<std::int32_t>(components / lanes_ * lanes_);
  } else {
    choose_width();
    most_outputs_ = std::min<std::int64_t>(accumulators_ / plan_.width, 8);
  }
  plan_.panels = static_cast<std::int32_t>(kTileRows / lanes_ / plan_.width);
}

// The width that needs the fewest loads for a multiplication in the product that yields log densities.
void Planner::choose_width() {
  const std::int64_t outputs = quadratic() || !matrix() ? model_.components : model_.dimensions;
  double best = 1e300;
  for (const int width : {3, 4, 6, 8}) {
    const std::int64_t largest = std::min<std::int64_t>(accumulators_ / width, 8);
    if (largest == 0) continue;
    const double blocks = static_cast<double>(ceil_div(outputs, largest));
    const double loads = blocks / static_cast<double>(outputs) + 1.0 / width;
    if (loads < best) {
      best = loads;
      plan_.width = width;
    }
  }
}

std::vector<Pair> Planner::all_pairs() const {
  const auto dimensions = static_cast<std::int32_t>(model_.dimensions);
  std::vector<Pair> pairs;
  for (std::int32_t i = 0; i < dimensions; ++i) {
    if (model_.shape == Shape::kDiagonal) pairs.push_back({i, i});
    if (model_.shape == Shape::kFull)
      for (std::int32_t j = i; j < dimensions; ++j) pairs.push_back({i, j});
  }
  return pairs;
}

// The chunk of features [begin, begin + count), in the order norm, products, columns.
template <typename Block>
Planner::ChunkParts<Block> Planner::cut(const std::vector<Pair>& pairs, std::int64_t begin, std::int64_t count) const {
  const bool norm = model_.shape == Shape::kSpherical;
  const auto products = static_cast<std::int64_t>(pairs.size());
  const std::int64_t end = begin + count;
  const std::int64_t first = std::clamp<std::int64_t>(begin - norm, 0, products);
  const std::int64_t last = std::clamp<std::int64_t>(end - norm, 0, products);
  const std::int64_t linear = std::max<std::int64_t>(begin - norm - products, 0);
  const std::int64_t linear_count = std::max<std::int64_t>(end - norm - products, 0) - linear;
  std::vector<Pair> mine(pairs.begin() + first, pairs.begin() + last);
  std::vector<Run> runs;
  for (const Pair& pair : mine) {
    if (runs.empty() || runs.back().first != pair.first) runs.push_back({pair.first, pair.second, pair.second});
    ++runs.back().end;
  }
  return {begin, count, norm && begin == 0, std::move(mine), linear, linear_count, {}, std::move(runs), {}};
}

template <typename Block>
Chunk<Block> Planner::ChunkParts<Block>::view() const {
  return {static_cast<std::int32_t>(begin),        static_cast<std::int32_t>(count),        norm,
          mixtura::view(pairs),                    static_cast<std::int32_t>(linear_begin),
          static_cast<std::int32_t>(linear_count), mixtura::view(blocks),
          mixtura::view(runs),                     mixtura::view(turned)};
}

// Left and right sizes fill the accumulators; left sizes that divide the components evenly come first.
std::vector<MomentBlock> Planner::moment_blocks(std::int64_t left, std::int64_t right_count, bool triangle,
                                                std::int64_t& offset) const {
  const bool many = registers_ == 32;
  const std::int64_t wide = many ? 5 : 4, narrow = many ? 4 : 3;
  std::int64_t largest = left % wide == 0 ? wide : narrow;
  largest = std::min(largest, left);
  const std::int64_t widest = many ? (largest <= 3 ? 8 : 26 / largest) : (largest == 1 ? 8 : 12 / largest);
  const std::vector<Range> rights = split(right_count, widest);
  std::vector<MomentBlock> blocks;
  // Some rows of the left side stay in the first-level cache while the right side passes by.
  constexpr std::size_t kTogether = 2;
  const std::vector<Range> lefts = split(left, largest);
  for (std::size_t first = 0; first < lefts.size(); first += kTogether)
    for (const Range& right : rights)
      for (std::size_t i = first; i < std::min(first + kTogether, lefts.size()); ++i) {
        if (triangle && right.begin + right.size <= lefts[i].begin) continue;
        blocks.push_back({static_cast<std::int32_t>(lefts[i].begin), static_cast<std::int32_t>(lefts[i].size),
                          static_cast<std::int32_t>(right.begin), static_cast<std::int32_t>(right.size),
                          offset});
        offset += round_up(lefts[i].size * right.size, lanes_);
      }
  return blocks;
}

// Blocks of moments whose features are formed: of the components that lie along lanes, and of the others.
void Planner::formed_blocks(ChunkParts<MomentBlock>& chunk, std::int64_t& offset) const {
  const auto features = static_cast<std::int64_t>(chunk.pairs.size());
  const auto add = [&](std::vector<MomentBlock>& blocks, std::int64_t begin, std::int64_t size, const Range& right) {
    blocks.push_back({static_cast<std::int32_t>(begin), static_cast<std::int32_t>(size),
                      static_cast<std::int32_t>(right.begin), static_cast<std::int32_t>(right.size), offset});
    offset += round_up(size * right.size, lanes_);
  };
  for (const Range& vectors : split(plan_.turned / lanes_, accumulators_ == 24 ? 4 : 3))
    for (const Range& right : split(features, std::min<std::int64_t>(accumulators_ / vectors.size, kFormedFeatures)))
      add(chunk.turned, vectors.begin * lanes_, vectors.size * lanes_, right);
  for (const Range& left : split(model_.components - plan_.turned, 6))
    for (const Range& right : split(features, std::min<std::int64_t>(accumulators_ / left.size, 8)))
      add(chunk.blocks, plan_.turned + left.begin, left.size, right);
}

// Chunks of the product that yields log densities keep a panel in the first-level cache. Those of the moments keep a tile
// in the second-level cache.
void Planner::choose_chunks() {
  const std::vector<Pair> pairs = all_pairs();
  const std::int64_t features =
      static_cast<std::int64_t>(pairs.size()) + model_.dimensions + (model_.shape == Shape::kSpherical);
  plan_.features = static_cast<std::int32_t>(features);
  const std::int64_t bytes = plan_.formed ? kCoefficientBytes / most_outputs_ : kPanelBytes / (lanes_ * plan_.width);
  const std::int64_t largest = std::max<std::int64_t>(24, bytes / 8);
  for (const Range& range : split(features, largest)) {
    output_parts_.push_back(cut<OutputBlock>(pairs, range.begin, range.size));
    output_features_ = std::max(output_features_, range.size);
  }
  if (plan_.formed) {  // any feature at any time, columns as products with the ones past the last column
    moment_parts_.push_back(cut<MomentBlock>(pairs, 0, features));
    const auto step = static_cast<std::int32_t>(plan_.width * lanes_);
    for (std::int32_t i = 0; i < plan_.dimensions; ++i) moment_parts_[0].pairs.push_back({i, plan_.dimensions});
    for (Pair& pair : moment_parts_[0].pairs) pair = {pair.first * step, pair.second * step};
    return;
  }
  const bool tied = model_.shape == Shape::kTied;
  if (tied) output_features_ = features;
  plan_.keeps_features = !tied && features * kTileRows * 8 <= kKeptBytes;
  const std::int64_t step = tied || plan_.keeps_features ? features : kMomentFeatures;
  for (std::int64_t begin = 0; begin < features; begin += step)
    moment_parts_.push_back(cut<MomentBlock>(pairs, begin, std::min(step, features - begin)));
  plan_.panel_items = static_cast<std::int32_t>(std::min(step, features) | 1);
}

void Planner::place_coefficients() {
  const std::vector<Range> outputs = split(model_.components, most_outputs_);
  std::int64_t offset = 0;
  for (auto& chunk : output_parts_)
    for (const Range& output : outputs) {
      chunk.blocks.push_back({static_cast<std::int32_t>(output.begin), static_cast<std::int32_t>(output.size),
                              static_cast<std::int32_t>(chunk.count), offset});
      offset += chunk.count * output.size;
    }
  coefficients_.resize(offset);
  coefficient_sources_.reserve(offset);
  for (const auto& chunk : output_parts_)
    for (const OutputBlock& block : chunk.blocks)
      for (std::int64_t f = chunk.begin; f < chunk.begin + chunk.count; ++f)
        for (std::int64_t k = block.begin; k < block.begin + block.size; ++k)
          coefficient_sources_.push_back(static_cast<std::int32_t>(k * plan_.features + f));
}

// Upper triangular, so that a block of outputs needs no inputs past its own end.
void Planner::place_whiteners() {
  std::int64_t offset = 0;
  for (const Range& range : split(model_.dimensions, most_outputs_)) {
    const std::int64_t inputs = range.begin + range.size;
    whitening_.push_back({static_cast<std::int32_t>(range.begin), static_cast<std::int32_t>(range.size),
                          static_cast<std::int32_t>(inputs), offset});
    offset += inputs * range.size;
  }
  plan_.whitener_stride = model_.shape == Shape::kTied ? 0 : offset;
  whiteners_.resize((model_.shape == Shape::kTied ? 1 : model_.components) * offset);
}

// Packed sums: counts, the groups' log likelihoods, then the moments block by block.
void Planner::place_sums() {
  std::int64_t offset = round_up(model_.components + model_.group_count(), 8);
  if (quadratic()) {
    for (auto& chunk : moment_parts_)
      if (plan_.formed)
        formed_blocks(chunk, offset);
      else
        chunk.blocks = moment_blocks(model_.components, chunk.count, false, offset);
    plan_.triangle_offset = offset;
    std::int64_t triangle = 0;
    if (model_.shape == Shape::kTied)
      triangle_ = moment_blocks(model_.dimensions, model_.dimensions, true, triangle);
    plan_.packed_size = offset + triangle;
    find_moments();
    return;
  }
  plan_.linear_offset = offset;
  if (matrix()) linear_ = moment_blocks(1, model_.dimensions, false, plan_.linear_size);
  for (std::int64_t begin = 0; begin < model_.dimensions && !matrix(); begin += 4) {
    linear_.push_back({0, 2, static_cast<std::int32_t>(begin), 4, plan_.linear_size});
    plan_.linear_size += 8;
  }
  plan_.triangle_offset = offset + model_.components * plan_.linear_size;
  if (matrix()) triangle_ = moment_blocks(model_.dimensions, model_.dimensions, true, plan_.triangle_size);
  const std::int64_t triangles = model_.shape == Shape::kTied ? model_.group_count() : model_.components;
  plan_.packed_size = plan_.triangle_offset + triangles * plan_.triangle_size;
}

void Planner::place_scratch(const Level& level) {
  std::int64_t offset = 0;
  const auto place = [&](std::int64_t doubles) {
    const std::int64_t at = offset;
    offset += round_up(doubles, 8);
    return at;
  };
  const std::int64_t vectors = std::int64_t(plan_.panels) * plan_.width * level.lanes;
  const bool needs_weighted = matrix() && (!quadratic() || model_.shape == Shape::kTied);
  const std::int64_t row_items = (model_.dimensions + plan_.formed) | 1;
  Scratch& scratch = plan_.scratch;
  scratch.rows = place(row_items * vectors);
  const std::int64_t panel_vectors = std::int64_t(plan_.width) * level.lanes;
  std::int64_t features = std::max(plan_.panel_items * vectors, output_features_ * panel_vectors);
  if (plan_.formed) features = kFormedFeatures * panel_vectors;
  scratch.features = place(quadratic() ? features : 0);
  scratch.logs = place((model_.components | 1) * vectors);
  scratch.shares = place(plan_.turned * vectors);
  scratch.weights = place(vectors);
  scratch.densities = place(model_.group_count() * plan_.width * level.lanes);
  scratch.shifted = place(!quadratic() && matrix() ? row_items * vectors : 0);
  scratch.weighted = place(needs_weighted ? row_items * vectors : 0);
  scratch.counts = place((model_.components + model_.group_count()) * level.lanes);
  scratch.edge = place(model_.dimensions * level.lanes);
  scratch.size = offset;
}

void Planner::point() {
  for (const auto& part : output_parts_) output_chunks_.push_back(part.view());
  for (const auto& part : moment_parts_) moment_chunks_.push_back(part.view());
  zeros_.assign(model_.dimensions, 0.0);
  plan_.group_offsets = view(model_.groups);
  plan_.shift = view(model_.shift);
  plan_.inverse_scale = view(model_.inverse_scale);
  plan_.constant = view(constant_);
  plan_.fallback = view(fallback_);
  plan_.zeros = view(zeros_);
  plan_.center = view(model_.center);
  plan_.coefficients = view(coefficients_);
  plan_.scale = view(model_.whitener);
  plan_.output_chunks = view(output_chunks_);
  plan_.moment_chunks = view(moment_chunks_);
  plan_.whitening = view(whitening_);
  plan_.whiteners = view(whiteners_);
  plan_.triangle = view(triangle_);
  plan_.linear = view(linear_);
}

}  // namespace mixtura
