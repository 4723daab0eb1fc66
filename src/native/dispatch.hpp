// The instruction-set levels of this build that the processor supports.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel.hpp"

namespace mixtura {

// Best first; empty where the processor supports none.
const std::vector<const Level*>& supported_levels();

// Throws std::invalid_argument for a level that is unknown or not supported here.
const Level& find_level(const std::string& name);

// The one that MIXTURA_SIMD names, or else the best. Throws std::invalid_argument where there is none, or not that one.
const Level& preferred_level();

// This thread's working memory, aligned to 64 bytes and kept for the next call: mapping fresh pages for every block of
// rows would cost more than small blocks themselves.
double* thread_scratch(std::int64_t doubles);

}  // namespace mixtura
