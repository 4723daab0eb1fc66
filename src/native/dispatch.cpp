#include "dispatch.hpp"

#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>

namespace mixtura {

#if defined(MIXTURA_X86_64)
namespace x86_64_v2 { extern const Level kLevel; }
namespace x86_64_v3 { extern const Level kLevel; }
namespace x86_64_v4 { extern const Level kLevel; }
#elif defined(MIXTURA_NEON)
namespace neon { extern const Level kLevel; }
#else
namespace generic { extern const Level kLevel; }
#endif

namespace {

std::vector<const Level*> detect() {
  std::vector<const Level*> levels;
#if defined(MIXTURA_X86_64)
  __builtin_cpu_init();
  const bool v2 = __builtin_cpu_supports("sse3") && __builtin_cpu_supports("ssse3") &&
                  __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
                  __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx") && __builtin_cpu_supports("avx2") &&
                  __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v4) levels.push_back(&x86_64_v4::kLevel);
  if (v3) levels.push_back(&x86_64_v3::kLevel);
  if (v2) levels.push_back(&x86_64_v2::kLevel);
#elif defined(MIXTURA_NEON)
  levels.push_back(&neon::kLevel);
#else
  levels.push_back(&generic::kLevel);
#endif
  return levels;
}

struct AlignedDelete {
  void operator()(double* memory) const { ::operator delete(memory, std::align_val_t{64}); }
};

}  // namespace

const std::vector<const Level*>& supported_levels() {
  static const std::vector<const Level*> levels = detect();
  return levels;
}

const Level& find_level(const std::string& name) {
  for (const Level* level : supported_levels())
    if (name == level->name) return *level;
  throw std::invalid_argument("instruction-set level '" + name + "' is not supported here");
}

const Level& preferred_level() {
  const char* forced = std::getenv("MIXTURA_SIMD");
  std::string there;
  for (const Level* level : supported_levels()) {
    if (forced == nullptr || *forced == 0 || std::string(forced) == level->name) return *level;
    there += (there.empty() ? "" : ", ") + std::string(level->name);
  }
  if (there.empty()) throw std::invalid_argument("this processor has no instruction set of this build");
  throw std::invalid_argument("MIXTURA_SIMD='" + std::string(forced) + "' is not one of " + there);
}

double* thread_scratch(std::int64_t doubles) {
  thread_local std::unique_ptr<double, AlignedDelete> memory;
  thread_local std::int64_t size = 0;
  if (doubles > size) {
    size = 0;
    memory.reset();
    memory.reset(static_cast<double*>(::operator new(sizeof(double) * doubles, std::align_val_t{64})));
    size = doubles;
  }
  return memory.get();
}

}  // namespace mixtura
