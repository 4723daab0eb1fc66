// The types that the level-independent code (planning, dispatch, bindings) and the kernels of each level share.
// Plain data only: an inline function here would be compiled at every level, and the linker would keep any one of them.
#pragma once

#include <cstdint>

namespace mixtura {

struct MissingForms;  // missing.hpp
struct MissingTargets;

enum class Shape { kFull, kTied, kDiagonal, kSpherical };

// Quadratic: log densities are a matrix product with products of features, moments are about the origin.
// Centred: (z - center) @ whitener computed literally, moments are about the centers.
enum class Form { kQuadratic, kCentred };

template <typename T>
struct Array {
  const T* data = nullptr;
  std::int64_t count = 0;
};

// Rows as the caller stores them, with unit stride within a row; or turned: standardised, in groups of as many rows as the
// level has lanes, of each feature after feature, and zero past the end.
struct Rows {
  const void* data = nullptr;
  bool is_float32 = false;
  std::int64_t count = 0;
  std::int64_t stride = 0;  // in elements
  bool turned = false;
};

// A feature that is the product of two columns of a tile: their places, or where they are formed (formed.hpp) their
// distances from the panel's first vector, in doubles.
struct Pair {
  std::int32_t first, second;
};

// Pairs with the first in common: that column times each from `second` to the one before `end`.
struct Run {
  std::int32_t first, second, end;
};

// Where features are formed: vectors in a panel, and features of a register block at most.
constexpr int kFormedWidth = 6;
constexpr int kFormedFeatures = 12;

// Register blocks of the two matrix products (see products.hpp). Offsets are in doubles, into the packed coefficients
// and into the packed sums.
struct OutputBlock {
  std::int32_t begin, size, inputs;
  std::int64_t offset;
};
struct MomentBlock {
  std::int32_t left, left_size, right, right_size;
  std::int64_t offset;
};

// A run of features that is built and used while it is in cache, with the blocks of one of the products over it.
template <typename Block>
struct Chunk {
  std::int32_t begin, count;
  bool norm;                                // its first feature is the squared norm of the row
  Array<Pair> pairs;                        // then come products
  std::int32_t linear_begin, linear_count;  // and last columns as they are
  Array<Block> blocks;
  Array<Run> runs;                          // the pairs again
  Array<Block> turned;                      // of moments: blocks of the components that lie along lanes
};

// Offsets of the working arrays in a call's scratch memory, in doubles.
struct Scratch {
  std::int64_t rows, features, logs, shares, weights, densities, shifted, weighted, counts, edge, size;
};

// All that a pass over rows needs. Built once per kernel by make_plan, read by any number of threads.
struct Plan {
  Shape shape;
  Form form;
  std::int32_t components, dimensions, groups;
  std::int32_t width;         // vectors in a panel: the register blocks' extent along the rows
  std::int32_t panels;        // panels in a tile
  std::int32_t features;
  bool formed;                // features are formed where they are used, and not stored (formed.hpp)
  std::int32_t turned;        // so many of the first components lie along lanes in the product that yields moments
  std::int32_t panel_items;   // features stored per panel for the moments, padded to an odd number
  bool keeps_features;        // all features of a tile fit in cache: built once, used by both products
  Array<std::int64_t> group_offsets;
  Array<double> shift, inverse_scale;
  Array<double> constant, center;
  Array<double> fallback;            // responsibilities of a row without any finite log density
  Array<double> zeros;               // one per dimension
  Array<Chunk<OutputBlock>> output_chunks;
  Array<Chunk<MomentBlock>> moment_chunks;
  Array<double> coefficients;        // of the output blocks
  Array<double> scale;               // centred, diagonal and spherical: the whitener itself
  // Products of vectors by a triangular whitener: y = z @ U.
  Array<OutputBlock> whitening;
  Array<double> whiteners;
  std::int64_t whitener_stride;      // from one component's packed whitener to the next; 0 when shared
  // Triangles of second moments, one per component or group (centred) or one in all (quadratic, tied).
  Array<MomentBlock> triangle;
  std::int64_t triangle_offset, triangle_size;
  // Centred: each component's first moments; with diagonal and spherical whiteners second moments as well.
  Array<MomentBlock> linear;
  std::int64_t linear_offset, linear_size;
  std::int64_t packed_size;
  Scratch scratch;
};

struct MapTargets {
  double* log_density = nullptr;        // (rows, groups)
  double* responsibilities = nullptr;   // (rows, components)
  std::int64_t* labels = nullptr;       // (rows, groups)
};

// One instruction-set level. `scratch` is aligned to 64 bytes; the results depend on the rows and the plan alone.
// Rows column by column, and their weights, to a whole number of eights: the last ones weigh nothing.
struct NearerRows {
  const double* columns;
  const double* weights;
  std::int64_t padded, dimensions;
};

struct Level {
  const char* name;
  int lanes;
  int vector_registers;
  void (*reduce)(const Plan& plan, const Rows& rows, const double* weights, double* packed, double* scratch);
  void (*map_rows)(const Plan& plan, const Rows& rows, const MapTargets& targets, double* scratch);
  void (*missing)(const MissingForms& forms, const double* rows, const double* weights, std::int64_t count,
                  const MissingTargets& targets, double* scratch);
  // Into `trial`, the lesser of `nearest` and the squared distance to the point; returns their weighted sum.
  double (*nearer)(const NearerRows& rows, const double* point, const double* nearest, double* trial);
};

}  // namespace mixtura
