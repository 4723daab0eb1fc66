// Vectors of doubles through the compiler's vector extensions, and the few functions that the kernel needs on them.
// Included once per instruction-set level. Everything lives in the level's unnamed namespace, so that no symbol compiled
// for one level can be shared with (and called from) another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define MIXTURA_LANES 8
#elif defined(__AVX__)
#define MIXTURA_LANES 4
#else
#define MIXTURA_LANES 2
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
#define MIXTURA_VECTOR_REGISTERS 32
#else
#define MIXTURA_VECTOR_REGISTERS 16
#endif

// Full unrolling is what keeps the accumulator arrays in registers.
#if defined(__clang__)
#define MIXTURA_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MIXTURA_UNROLL _Pragma("GCC unroll 32")
#endif

#define MIXTURA_INLINE inline __attribute__((always_inline))

namespace mixtura::MIXTURA_LEVEL {
namespace {

constexpr int kLanes = MIXTURA_LANES;

typedef double Vector __attribute__((vector_size(8 * MIXTURA_LANES)));
typedef std::int64_t Mask __attribute__((vector_size(8 * MIXTURA_LANES)));
typedef float Floats __attribute__((vector_size(4 * MIXTURA_LANES)));

constexpr double kInfinity = __builtin_inf();

template <std::size_t... Lane>
MIXTURA_INLINE Vector broadcast(double value, std::index_sequence<Lane...>) {
  return Vector{(static_cast<void>(Lane), value)...};
}

// Not Vector{} + value, which compilers take for an addition: -0 + 0 is +0.
MIXTURA_INLINE Vector broadcast(double value) { return broadcast(value, std::make_index_sequence<kLanes>{}); }

MIXTURA_INLINE Vector load(const double* source) {
  Vector result;
  std::memcpy(&result, source, sizeof result);
  return result;
}

MIXTURA_INLINE Vector load(const float* source) {
  Floats narrow;
  std::memcpy(&narrow, source, sizeof narrow);
  return __builtin_convertvector(narrow, Vector);
}

MIXTURA_INLINE void store(double* target, Vector value) { std::memcpy(target, &value, sizeof value); }

MIXTURA_INLINE Mask bits(Vector value) {
  Mask result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

MIXTURA_INLINE Vector from_bits(Mask value) {
  Vector result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

// The larger of the two, and `otherwise` where `value` is NaN. On x86 that is one instruction, which compilers do not see
// where one side is a constant.
MIXTURA_INLINE Vector maximum(Vector value, Vector otherwise) {
#if defined(__AVX512F__)
  return _mm512_max_pd(value, otherwise);
#elif defined(__AVX__)
  return _mm256_max_pd(value, otherwise);
#elif defined(__SSE2__)
  return _mm_max_pd(value, otherwise);
#else
  return value > otherwise ? value : otherwise;
#endif
}

MIXTURA_INLINE bool any(Mask mask) {
  std::int64_t joined = 0;
  for (int lane = 0; lane < kLanes; ++lane) joined |= mask[lane];
  return joined != 0;
}

MIXTURA_INLINE double sum_of_lanes(Vector value) {
  double sum = 0;
  for (int lane = 0; lane < kLanes; ++lane) sum += value[lane];
  return sum;
}

template <typename Scalar, std::size_t... Lane>
MIXTURA_INLINE Vector gather(const Scalar* source, std::int64_t stride, std::index_sequence<Lane...>) {
  return Vector{static_cast<double>(source[static_cast<std::int64_t>(Lane) * stride])...};
}

// One element from each of kLanes rows.
template <typename Scalar>
MIXTURA_INLINE Vector gather(const Scalar* source, std::int64_t stride) {
  return gather(source, stride, std::make_index_sequence<kLanes>{});
}

#if defined(__clang__) || __GNUC__ >= 12
#define MIXTURA_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define MIXTURA_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Mask{__VA_ARGS__})
#endif

// Even picks the lanes l of `a` with (l & Step) == 0 and moves the same lanes of `b` into the gaps; Odd picks the others.
template <int Step, std::size_t... Lane>
MIXTURA_INLINE Vector even_blocks(Vector a, Vector b, std::index_sequence<Lane...>) {
  return MIXTURA_SHUFFLE(a, b, ((Lane & Step) == 0 ? int(Lane) : int(Lane) - Step + kLanes)...);
}

template <int Step, std::size_t... Lane>
MIXTURA_INLINE Vector odd_blocks(Vector a, Vector b, std::index_sequence<Lane...>) {
  return MIXTURA_SHUFFLE(a, b, ((Lane & Step) == 0 ? int(Lane) + Step : int(Lane) + kLanes)...);
}

template <int Step>
MIXTURA_INLINE void exchange(Vector& a, Vector& b) {
  constexpr auto lanes = std::make_index_sequence<kLanes>{};
  const Vector even = even_blocks<Step>(a, b, lanes);
  const Vector odd = odd_blocks<Step>(a, b, lanes);
  a = even;
  b = odd;
}

// Transposes a kLanes x kLanes block by butterfly exchanges.
template <int Step = 1>
MIXTURA_INLINE void transpose(Vector (&block)[kLanes]) {
  if constexpr (Step < kLanes) {
    MIXTURA_UNROLL
    for (int i = 0; i < kLanes; ++i)
      if ((i & Step) == 0) exchange<Step>(block[i], block[i + Step]);
    transpose<Step * 2>(block);
  }
}

// Sums each of kLanes vectors over its lanes: lane l of the result is the sum of block[l].
template <int Step = 1>
MIXTURA_INLINE Vector sum_lanes(Vector (&block)[kLanes]) {
  if constexpr (Step == kLanes) {
    return block[0];
  } else {
    MIXTURA_UNROLL
    for (int i = 0; i < kLanes; i += 2 * Step) {
      exchange<Step>(block[i], block[i + Step]);
      block[i] += block[i + Step];
    }
    return sum_lanes<Step * 2>(block);
  }
}

// exp(x) for x <= 0, within 2 ulp. Below about -708.75 (-708.38 with AVX-512), and for -inf and NaN, the result is exactly
// zero, exp(0) exactly one.
#if defined(__AVX512F__)
// exp(x) = 2^(k / 16) exp(r): sixteen roots of two fit two registers, and so small an r needs half the polynomial. A root's
// bits are less what k's low bits, which name it, add to them when k is shifted into the exponent.
MIXTURA_INLINE Vector exponential(Vector x) {
  alignas(64) static constexpr std::int64_t kRoots[16] = {
      0x3ff0000000000000, 0x3fefb5586cf9890f, 0x3fef72b83c7d517b, 0x3fef387a6e756238,
      0x3fef06fe0a31b715, 0x3feedea64c123422, 0x3feebfdad5362a27, 0x3feeab07dd485429,
      0x3feea09e667f3bcd, 0x3feea11473eb0187, 0x3feeace5422aa0db, 0x3feec49182a3f090,
      0x3feee89f995ad3ad, 0x3fef199bdd85529c, 0x3fef5818dcfba487, 0x3fefa4afa2a490da};
  constexpr double kRound = 0x1.8p52, kSmallest = -708.375;
  const Vector rounded = x * 0x1.71547652b82fep4 + kRound;
  const Vector k = rounded - kRound;
  const Vector r = (x - k * 0x1.62e42fefa3800p-5) - k * 0x1.ef35793c76730p-49;
  const Vector r2 = r * r;
  const Vector high = r2 * 0x1.6c185df03c46fp-10 + (r * 0x1.11123abefd3fbp-7 + 0x1.555555545ea91p-5);
  const Vector p = (high * r2 + (r * 0x1.555555548f729p-3 + 0x1.0000000000005p-1)) * r2 + r;
  const __m512d root = _mm512_permutex2var_pd(_mm512_load_pd(kRoots), _mm512_castpd_si512(rounded), _mm512_load_pd(kRoots + 8));
  const Vector scale = from_bits(bits(root) + (bits(rounded) << 48));
  return _mm512_maskz_fmadd_pd(_mm512_cmp_pd_mask(x, broadcast(kSmallest), _CMP_GT_OQ), scale, p, scale);
}
#else
// The rounding constant also carries the exponent bias, so that its low bits are the exponent field of 2^n; the lower
// clamp makes that field zero, which flushes the result without a comparison.
MIXTURA_INLINE Vector exponential(Vector x) {
  constexpr double kRound = 0x1.8p52 + 1023;
  constexpr double kSmallest = -709.0895657128241;  // -1023 log(2)
  x = maximum(x, broadcast(kSmallest));
  const Vector rounded = x * 0x1.71547652b82fep0 + kRound;
  const Vector n = rounded - kRound;
  const Vector r = (x - n * 0x1.62e42fefa3800p-1) - n * 0x1.ef35793c76730p-45;
  // Estrin's order: Horner's chain of dependent operations is longer than the processor can look ahead.
  const Vector r2 = r * r, r4 = r2 * r2;
  const Vector low = (r * 0x1.5555555555557p-3 + 0x1.0000000000005p-1) * r2 + (r + 1.0);
  const Vector middle = (r * 0x1.a01a01abe683ap-13 + 0x1.6c16c17f44310p-10) * r2 + (r * 0x1.11111111100dep-7 + 0x1.55555555520adp-5);
  const Vector high = (r * 0x1.af4ddfbb33a59p-26 + 0x1.28a2c273b03b8p-22) * r2 + (r * 0x1.71de02364614ap-19 + 0x1.a019a668bb4f4p-16);
  const Vector p = (high * r4 + middle) * r4 + low;
  return p * from_bits(bits(rounded) << 52);
}
#endif

// log(x) for finite x >= 1, within 2 ulp: x = 2^e m with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m - 1) / (m + 1)).
MIXTURA_INLINE Vector logarithm(Vector x) {
  typedef std::uint64_t Bits __attribute__((vector_size(8 * MIXTURA_LANES)));
  constexpr std::int64_t kRootHalf = 0x3FE6A09E667F3BCD;
  const Bits shifted = reinterpret_cast<Bits>(bits(x) - kRootHalf) >> 52;
  const Mask exponent = reinterpret_cast<Mask>(shifted);
  const Vector f = from_bits(bits(x) - (exponent << 52)) - 1.0;
  const Vector e = from_bits(exponent | 0x4330000000000000) - 0x1p52;
  const Vector s = f / (f + 2.0);
  const Vector z = s * s;
  Vector p = broadcast(0.1461703754883715);
  p = p * z + 0.15331674030163508;
  p = p * z + 0.18182890556695763;
  p = p * z + 0.22222211115144158;
  p = p * z + 0.2857142862609589;
  p = p * z + 0.3999999999989924;
  p = p * z + 0.666666666666667;
  const Vector half_square = f * f * 0.5;
  const Vector tail = s * (half_square + z * p) + e * 0x1.ef35793c76730p-45;
  return e * 0x1.62e42fefa3800p-1 + (f - (half_square - tail));
}

}  // namespace
}  // namespace mixtura::MIXTURA_LEVEL
