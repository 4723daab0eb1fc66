#include "orientation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "linear.hpp"
#include "volumes.hpp"

namespace mixtura {
namespace {

constexpr double kTiny = std::numeric_limits<double>::min();

double dot(const Values& left, const Values& right) {
  return std::inner_product(left.begin(), left.end(), right.begin(), 0.0);
}

double largest(const Values& values) {
  double most = 0;
  for (const double value : values) most = std::max(most, std::abs(value));
  return most;
}

// What is minimised over: covariances (K, D, D) with their shares.
struct Problem {
  Volumes objective;
  Values share;
  std::int64_t dimensions;
  Values covariances;

  std::int64_t components() const { return static_cast<std::int64_t>(share.size()); }
  std::int64_t size() const { return dimensions * dimensions; }
};

// An orientation, and what the objective does there.
struct Point {
  Values vectors, rotated, variances, pull;
  double value = 0, bend = 0;
  bool sound = true;

  void evaluate(const Problem& problem);
  void gradient(const Problem& problem, Values& slope, Values& curvatures) const;
  double curvature(const Problem& problem, const Values& rotation) const;

 private:
  template <typename Size>
  void turn_all(const Problem& problem, Size d);
  template <typename Size>
  void slopes_and_bends(std::int64_t components, Size d) const;
  template <typename Size>
  void derivatives(const Problem& problem, Size d, const double* rotation, double& along, double& mean,
                   double& square) const;
  void free_volumes(const Problem& problem);
  void equal_volumes(const Problem& problem);

  Values logs_, work_;
  mutable Values slopes_, bends_;
};

// sum_k n_k / n log |diag(Q^T S_k Q)| (Flury 1984, eq. 2.7).
void Point::free_volumes(const Problem& problem) {
  value = dot(problem.share, logs_);
  pull = problem.share;
  bend = 0;
}

// D log sum_k n_k / n |diag(Q^T S_k Q)|^(1/D) (Celeux and Govaert 1995, section 4.1).
void Point::equal_volumes(const Problem& problem) {
  const Values& logs = logs_;
  const auto dimensions = static_cast<double>(problem.dimensions);
  const double top = *std::max_element(logs.begin(), logs.end()) / dimensions;
  pull.resize(logs.size());
  for (std::size_t k = 0; k < logs.size(); ++k) pull[k] = problem.share[k] * std::exp(logs[k] / dimensions - top);
  const double total = std::accumulate(pull.begin(), pull.end(), 0.0);
  for (double& part : pull) part /= total;
  value = dimensions * (top + std::log(total));
  bend = 1.0 / dimensions;
}

template <typename Size>
void Point::turn_all(const Problem& problem, Size d) {
  const std::int64_t size = d * d;
  for (std::int64_t k = 0; k < problem.components(); ++k) {
    double* turned = rotated.data() + k * size;
    congruence_of(vectors.data(), problem.covariances.data() + k * size, d, work_.data(), turned);
    for (std::int64_t j = 0; j < d; ++j) {
      variances[k * d + j] = turned[j * (d + 1)];
      sound = sound && turned[j * (d + 1)] > 0;  // not so where extrapolated statistics are moments of no data
      logs_[k] += std::log(variances[k * d + j]);
    }
  }
}

void Point::evaluate(const Problem& problem) {
  work_.resize(problem.size());
  logs_.assign(problem.components(), 0.0);
  rotated.resize(problem.covariances.size());
  variances.resize(problem.components() * problem.dimensions);
  sound = true;
  with_size(problem.dimensions, [&](auto d) { turn_all(problem, d); });
  if (!sound) return;
  if (problem.objective == Volumes::kFree)
    free_volumes(problem);
  else
    equal_volumes(problem);
}

template <typename Size>
void Point::slopes_and_bends(std::int64_t components, Size d) const {
  const std::int64_t size = d * d;
  for (std::int64_t k = 0; k < components; ++k)
    for (std::int64_t j = 0; j < d; ++j) {
      const double* of = variances.data() + k * d;
      const double scaled = pull[k] / of[j], steep = 4 * scaled / of[j];
      for (std::int64_t l = 0; l < d; ++l) {
        const double entry = rotated[k * size + j * d + l];
        slopes_[j * d + l] += scaled * entry;
        bends_[j * d + l] += 2 * scaled * of[l] - steep * entry * entry;
      }
    }
}

// Antisymmetric derivatives by the angle of the rotation in each plane, and positive curvatures.
void Point::gradient(const Problem& problem, Values& slope, Values& curvatures) const {
  const std::int64_t d = problem.dimensions, size = problem.size();
  const double pulls = std::accumulate(pull.begin(), pull.end(), 0.0);
  slopes_.assign(size, 0.0);
  bends_.assign(size, 0.0);
  with_size(d, [&](auto known) { slopes_and_bends(problem.components(), known); });
  slope.assign(size, 0.0);
  curvatures.assign(size, 0.0);
  for (std::int64_t j = 0; j < d; ++j)
    for (std::int64_t l = 0; l < d; ++l) {
      slope[j * d + l] = 2 * (slopes_[j * d + l] - slopes_[l * d + j]);
      if (j != l) curvatures[j * d + l] = std::abs(bends_[j * d + l] + bends_[l * d + j] - 4 * pulls);
    }
  const double least = std::max(kSmallestCurvature * largest(curvatures), kTiny);
  for (double& value : curvatures) value = std::max(value, least);
}

template <typename Size>
void Point::derivatives(const Problem& problem, Size d, const double* rotation, double& along, double& mean,
                        double& square) const {
  const std::int64_t size = d * d;
  double* product = slopes_.data();
  for (std::int64_t k = 0; k < problem.components(); ++k) {
    multiply_of(rotated.data() + k * size, rotation, d, product);
    double sum = 0, second = 0;
    for (std::int64_t j = 0; j < d; ++j) {
      const double variance = variances[k * d + j], first = 2 * product[j * (d + 1)] / variance;
      double twice = 0;
      for (std::int64_t m = 0; m < d; ++m)
        twice += product[j * d + m] * rotation[m * d + j] - rotation[j * d + m] * product[m * d + j];
      second += 2 * twice / variance - first * first;
      sum += first;
    }
    along += pull[k] * second;
    mean += pull[k] * sum;
    square += pull[k] * sum * sum;
  }
}

// Second derivative along exp(t X), X antisymmetric.
double Point::curvature(const Problem& problem, const Values& rotation) const {
  double along = 0, mean = 0, square = 0;
  slopes_.resize(problem.size());
  with_size(problem.dimensions,
            [&](auto d) { derivatives(problem, d, rotation.data(), along, mean, square); });
  return along + bend * (square - mean * mean);
}

// vectors * (I - half)^-1 (I + half): Cayley's rotation.
bool turn(const Values& vectors, const Values& rotation, double step, std::int64_t d, Values& turned) {
  thread_local Values minus, plus;
  minus.resize(d * d);
  plus.resize(d * d);
  for (std::int64_t i = 0; i < d * d; ++i) {
    const double half = 0.5 * step * rotation[i], one = i % (d + 1) == 0 ? 1.0 : 0.0;
    minus[i] = one - half;
    plus[i] = one + half;
  }
  if (!solve(minus.data(), d, plus.data(), d)) return false;
  turned.resize(d * d);
  multiply(vectors.data(), plus.data(), d, turned.data());
  return true;
}

// Newton's step along a direction, shortened until the objective does not rise; 0 where it always does.
double line_search(const Problem& problem, const Values& gradient, const Values& direction, double angle, Point& here,
                   Point& there) {
  thread_local Values rotation;
  rotation.resize(direction.size());
  // the derivative by the angle in plane (j, l) belongs to X[l, j] = 1, X[j, l] = -1
  std::transform(direction.begin(), direction.end(), rotation.begin(), [](double value) { return -value; });
  const double curvature = here.curvature(problem, rotation), slope = 0.5 * dot(gradient, direction);
  double step = curvature > 0 ? -slope / curvature : 1.0;
  step = std::min(step, kLargestAngle / angle);
  for (std::int64_t i = 0; i < kShortenings; ++i, step *= kShortening) {
    if (!turn(here.vectors, rotation, step, problem.dimensions, there.vectors)) return 0;
    there.evaluate(problem);
    if (!there.sound || !(there.value <= here.value + kObjectiveRounding * (1.0 + std::abs(here.value)))) continue;
    std::swap(here, there);
    return step;
  }
  return 0;
}

// Polak and Ribiere's conjugate gradients, restarted where they would go uphill.
void conjugate_gradients(const Problem& problem, Values& vectors) {
  thread_local Point here, there;
  here.vectors = vectors;
  here.evaluate(problem);
  if (!here.sound) return;
  thread_local Values gradient, curvatures, downhill, direction, old_gradient;
  direction.clear();
  downhill.resize(problem.size());
  old_gradient.assign(problem.size(), 0.0);
  double old_product = 1.0;
  for (std::int64_t i = 0; i < kAngleSteps; ++i) {
    here.gradient(problem, gradient, curvatures);
    for (std::size_t j = 0; j < gradient.size(); ++j) downhill[j] = -gradient[j] / curvatures[j];
    const double product = -dot(gradient, downhill);
    if (!direction.empty() && old_product > 0) {
      const double turned = std::max((product + dot(old_gradient, downhill)) / old_product, 0.0);
      for (std::size_t j = 0; j < direction.size(); ++j) direction[j] = downhill[j] + turned * direction[j];
    }
    if (direction.empty() || dot(gradient, direction) >= 0) direction = downhill;
    const double angle = largest(direction);
    if (angle == 0.0) break;
    const double step = line_search(problem, gradient, direction, angle, here, there);
    if (step == 0.0) break;
    std::swap(old_gradient, gradient);
    old_product = product;
    if (step * angle <= kAngleTolerance) break;
  }
  vectors = here.vectors;
}

// Mean variance of each matrix.
Values mean_variances(std::int64_t dimensions, const Values& matrices) {
  const std::int64_t size = dimensions * dimensions;
  Values sizes(matrices.size() / size, 0.0);
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    for (std::int64_t i = 0; i < dimensions; ++i) sizes[k] += matrices[k * size + i * (dimensions + 1)];
    sizes[k] /= static_cast<double>(dimensions);
  }
  return sizes;
}

// Common eigenvectors of matrices that have them; a compromise between those of others. Unequal weights: with equal ones,
// eigenvalues of mirrored components could add up to ties.
bool axes(std::int64_t dimensions, const Values& matrices, Values& vectors) {
  const std::int64_t size = dimensions * dimensions;
  const Values sizes = mean_variances(dimensions, matrices);
  Values sum(size, 0.0), values(dimensions);
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    const double trace = sizes[k] * static_cast<double>(dimensions);
    const double weight = std::sqrt(static_cast<double>(k + 1)) / std::max(trace, kTiny);
    for (std::int64_t i = 0; i < size; ++i) sum[i] += weight * matrices[k * size + i];
  }
  vectors.resize(size);
  return eigen(sum.data(), dimensions, values.data(), vectors.data());
}

}  // namespace

bool common_orientation(Volumes objective, const Values& count, std::int64_t dimensions, const Values& covariances,
                        const Values* previous, Values& vectors) {
  const std::int64_t size = dimensions * dimensions;
  const Values sizes = mean_variances(dimensions, covariances);
  // relative to the largest, so that squares of variances do not leave float64
  const double most = *std::max_element(sizes.begin(), sizes.end());
  const double noise = std::max(kNoSpread * most, kSmallestSpread);
  vectors.assign(size, 0.0);
  for (std::int64_t i = 0; i < dimensions; ++i) vectors[i * (dimensions + 1)] = 1.0;
  Problem problem{objective, {}, dimensions, {}};
  double total = 0;
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    if (!(sizes[k] > noise)) continue;
    problem.share.push_back(count[k]);
    total += count[k];
    for (std::int64_t i = 0; i < size; ++i)
      problem.covariances.push_back(covariances[k * size + i] / most +
                                    (i % (dimensions + 1) == 0 ? kRidge * sizes[k] / most : 0.0));
  }
  if (dimensions == 1 || problem.share.empty()) return true;
  for (double& share : problem.share) share /= total;
  if (!axes(dimensions, previous != nullptr ? *previous : problem.covariances, vectors)) return false;
  conjugate_gradients(problem, vectors);
  return true;
}

}  // namespace mixtura
