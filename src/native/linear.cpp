#include "linear.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace mixtura {
namespace {

constexpr int kSweeps = 60;  // convergence is quadratic: a handful of sweeps is usual

// A rotation in the plane of coordinates p and q that makes entry (p, q) zero (Rutishauser 1966).
struct Rotation {
  double sine, tau, shift;

  Rotation(double difference, double off_diagonal) {
    const double cotangent = 0.5 * difference / off_diagonal;
    // where the square overflows, the tangent is zero to all digits that matter
    const double tangent = std::copysign(1.0, cotangent) / (std::abs(cotangent) + std::sqrt(1.0 + cotangent * cotangent));
    const double cosine = 1.0 / std::sqrt(1.0 + tangent * tangent);
    sine = tangent * cosine;
    tau = sine / (1.0 + cosine);
    shift = tangent * off_diagonal;
  }

  void turn(double& left, double& right) const {
    const double before = left;
    left -= sine * (right + tau * before);
    right += sine * (before - tau * right);
  }
};

// Works on the upper triangle; `vectors` holds one eigenvector a row, if they are wanted.
template <typename Size>
void rotate(double* matrix, Size size, std::int64_t p, std::int64_t q, double* vectors) {
  double& off_diagonal = matrix[p * size + q];
  const Rotation rotation(matrix[q * size + q] - matrix[p * size + p], off_diagonal);
  matrix[p * size + p] -= rotation.shift;
  matrix[q * size + q] += rotation.shift;
  off_diagonal = 0.0;
  for (std::int64_t i = 0; i < p; ++i) rotation.turn(matrix[i * size + p], matrix[i * size + q]);
  for (std::int64_t i = p + 1; i < q; ++i) rotation.turn(matrix[p * size + i], matrix[i * size + q]);
  for (std::int64_t i = q + 1; i < size; ++i) rotation.turn(matrix[p * size + i], matrix[q * size + i]);
  if (vectors != nullptr)
    for (std::int64_t i = 0; i < size; ++i) rotation.turn(vectors[p * size + i], vectors[q * size + i]);
}

// Whether an entry is lost beside the diagonal entries that a rotation would change by it.
bool negligible(double entry, double first, double second) {
  const double size = std::min(std::abs(first), std::abs(second));
  return size + 0.01 * std::abs(entry) == size;
}

// One cyclic sweep; false when nothing was left to rotate.
template <typename Size>
bool sweep(double* matrix, Size size, double* vectors) {
  bool rotated = false;
  for (std::int64_t p = 0; p < size; ++p)
    for (std::int64_t q = p + 1; q < size; ++q) {
      double& entry = matrix[p * size + q];
      if (negligible(entry, matrix[p * size + p], matrix[q * size + q])) {
        entry = 0.0;
        continue;
      }
      rotate(matrix, size, p, q, vectors);
      rotated = true;
    }
  return rotated;
}

template <typename Size>
bool cholesky_of(const double* matrix, Size size, double* lower) {
  std::fill_n(lower, size * size, 0.0);
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      const double *left = lower + i * size, *right = lower + j * size;
      const double rest = matrix[i * size + j] - std::inner_product(left, left + j, right, 0.0);
      if (i == j && !(rest > 0.0)) return false;
      lower[i * size + j] = i == j ? std::sqrt(rest) : rest / right[j];
    }
  return true;
}

template <typename Size>
void transposed_inverse(const double* lower, Size size, double* upper) {
  std::fill_n(upper, size * size, 0.0);
  for (std::int64_t j = 0; j < size; ++j) {
    double* row = upper + j * size;  // the transposed column j of L^-1, by forward substitution
    row[j] = 1.0 / lower[j * size + j];
    for (std::int64_t i = j + 1; i < size; ++i)
      row[i] = -std::inner_product(row + j, row + i, lower + i * size + j, 0.0) / lower[i * size + i];
  }
}

template <typename Size>
void sort_eigen(const double* work, const double* turned, Size size, std::int64_t* order, double* values,
                double* vectors) {
  std::iota(order, order + size, 0);
  std::sort(order, order + size,
            [&](std::int64_t a, std::int64_t b) { return work[a * size + a] < work[b * size + b]; });
  for (std::int64_t j = 0; j < size; ++j) {
    values[j] = work[order[j] * size + order[j]];
    for (std::int64_t i = 0; vectors != nullptr && i < size; ++i) vectors[i * size + j] = turned[order[j] * size + i];
  }
}

template <typename Size>
void assemble_of(const double* vectors, const double* values, Size size, double* matrix) {
  for (std::int64_t i = 0; i < size; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::int64_t m = 0; m < size; ++m) sum += vectors[i * size + m] * values[m] * vectors[j * size + m];
      matrix[i * size + j] = matrix[j * size + i] = sum;
    }
}

// Gaussian elimination with partial pivoting.
template <typename Size>
bool eliminate(double* matrix, Size size, double* right, std::int64_t columns) {
  for (std::int64_t i = 0; i < size; ++i) {
    std::int64_t pivot = i;
    for (std::int64_t row = i + 1; row < size; ++row)
      if (std::abs(matrix[row * size + i]) > std::abs(matrix[pivot * size + i])) pivot = row;
    if (matrix[pivot * size + i] == 0.0) return false;
    if (pivot != i) {
      std::swap_ranges(matrix + i * size, matrix + (i + 1) * size, matrix + pivot * size);
      std::swap_ranges(right + i * columns, right + (i + 1) * columns, right + pivot * columns);
    }
    for (std::int64_t row = i + 1; row < size; ++row) {
      const double factor = matrix[row * size + i] / matrix[i * size + i];
      for (std::int64_t j = i + 1; j < size; ++j) matrix[row * size + j] -= factor * matrix[i * size + j];
      for (std::int64_t j = 0; j < columns; ++j) right[row * columns + j] -= factor * right[i * columns + j];
    }
  }
  for (std::int64_t i = size - 1; i >= 0; --i)
    for (std::int64_t j = 0; j < columns; ++j) {
      double rest = right[i * columns + j];
      for (std::int64_t m = i + 1; m < size; ++m) rest -= matrix[i * size + m] * right[m * columns + j];
      right[i * columns + j] = rest / matrix[i * size + i];
    }
  return true;
}

}  // namespace

bool cholesky(const double* matrix, std::int64_t size, double* lower) {
  return with_size(size, [&](auto known) { return cholesky_of(matrix, known, lower); });
}

bool whiten_all(const double* covariances, std::int64_t number, std::int64_t size, double* whiteners) {
  thread_local std::vector<double> memory;
  memory.resize(size * size);
  double* lower = memory.data();
  return with_size(size, [&](auto known) {
    for (std::int64_t b = 0; b < number; ++b) {
      if (!cholesky_of(covariances + b * known * known, known, lower)) return false;
      transposed_inverse(lower, known, whiteners + b * known * known);
    }
    return true;
  });
}

void whitener_of(const double* lower, std::int64_t size, double* upper) {
  with_size(size, [&](auto known) { transposed_inverse(lower, known, upper); });
}

// Jacobi's method: the small eigenvalues, which the floor is about, come out to high relative accuracy.
bool eigen(const double* matrix, std::int64_t size, double* values, double* vectors) {
  if (!std::all_of(matrix, matrix + size * size, [](double entry) { return std::isfinite(entry); })) return false;
  thread_local std::vector<double> work, turned;
  thread_local std::vector<std::int64_t> order;
  work.assign(matrix, matrix + size * size);
  order.resize(size);
  turned.assign(size * size, 0.0);
  for (std::int64_t i = 0; i < size; ++i) turned[i * size + i] = 1.0;
  double* basis = vectors != nullptr ? turned.data() : nullptr;
  with_size(size, [&](auto known) {
    for (int i = 0; i < kSweeps && sweep(work.data(), known, basis); ++i) {
    }
    sort_eigen(work.data(), basis, known, order.data(), values, vectors);
  });
  return true;
}

void multiply(const double* left, const double* right, std::int64_t size, double* product) {
  with_size(size, [&](auto known) { multiply_of(left, right, known, product); });
}

void congruence(const double* turn, const double* matrix, std::int64_t size, double* work, double* product) {
  with_size(size, [&](auto known) { congruence_of(turn, matrix, known, work, product); });
}

void assemble(const double* vectors, const double* values, std::int64_t size, double* matrix) {
  with_size(size, [&](auto known) { assemble_of(vectors, values, known, matrix); });
}

bool solve(double* matrix, std::int64_t size, double* right, std::int64_t columns) {
  return with_size(size, [&](auto known) { return eliminate(matrix, known, right, columns); });
}

}  // namespace mixtura
