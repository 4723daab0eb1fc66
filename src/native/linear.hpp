// Small dense symmetric matrices, row by row: all that an M-step of a few dozen features needs of linear algebra.
#pragma once

#include <cstdint>
#include <type_traits>

namespace mixtura {

// Calls with the size as a constant where it is small: the compiler then unrolls the loops over it, to the same sums in the
// same order.
template <typename Run>
auto with_size(std::int64_t size, const Run& run) {
  switch (size) {
    case 2: return run(std::integral_constant<std::int64_t, 2>{});
    case 3: return run(std::integral_constant<std::int64_t, 3>{});
    case 4: return run(std::integral_constant<std::int64_t, 4>{});
    case 5: return run(std::integral_constant<std::int64_t, 5>{});
    case 6: return run(std::integral_constant<std::int64_t, 6>{});
    default: return run(size);
  }
}

template <typename Size>
void multiply_of(const double* left, const double* right, Size size, double* product) {
  for (std::int64_t i = 0; i < size; ++i) {
    for (std::int64_t j = 0; j < size; ++j) product[i * size + j] = 0.0;
    for (std::int64_t m = 0; m < size; ++m)
      for (std::int64_t j = 0; j < size; ++j) product[i * size + j] += left[i * size + m] * right[m * size + j];
  }
}

template <typename Size>
void congruence_of(const double* turn, const double* matrix, Size size, double* work, double* product) {
  multiply_of(matrix, turn, size, work);
  for (std::int64_t i = 0; i < size; ++i) {
    for (std::int64_t j = 0; j < size; ++j) product[i * size + j] = 0.0;
    for (std::int64_t m = 0; m < size; ++m)
      for (std::int64_t j = 0; j < size; ++j) product[i * size + j] += turn[m * size + i] * work[m * size + j];
  }
}

// The lower triangular L with L L^T = matrix, zero above the diagonal; false if the matrix is not positive definite.
bool cholesky(const double* matrix, std::int64_t size, double* lower);

// The whiteners of so many covariances, one after the other; false if one is not positive definite.
bool whiten_all(const double* covariances, std::int64_t number, std::int64_t size, double* whiteners);

// The upper triangular U = L^-T, so that U U^T is the inverse of L L^T.
void whitener_of(const double* lower, std::int64_t size, double* upper);

// Eigenvalues in ascending order, and eigenvectors in the columns of `vectors` unless that is null; false if an entry is not
// finite.
bool eigen(const double* matrix, std::int64_t size, double* values, double* vectors);

// left * right, all square.
void multiply(const double* left, const double* right, std::int64_t size, double* product);

// turn^T * matrix * turn, all square; `work` holds size * size values.
void congruence(const double* turn, const double* matrix, std::int64_t size, double* work, double* product);

// vectors * diag(values) * vectors^T.
void assemble(const double* vectors, const double* values, std::int64_t size, double* matrix);

// Solves matrix * X = right for `columns` right-hand sides, in place; false if the matrix is singular.
bool solve(double* matrix, std::int64_t size, double* right, std::int64_t columns);

}  // namespace mixtura
