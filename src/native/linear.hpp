// Small dense symmetric matrices, row by row: all that an M-step of a few dozen features needs of linear algebra.
#pragma once

#include <cstdint>

namespace mixtura {

// The lower triangular L with L L^T = matrix, zero above the diagonal; false if the matrix is not positive definite.
bool cholesky(const double* matrix, std::int64_t size, double* lower);

// The upper triangular U = L^-T, so that U U^T is the inverse of L L^T.
void whitener_of(const double* lower, std::int64_t size, double* upper);

// Eigenvalues in ascending order, and eigenvectors in the columns of `vectors`; false if an entry is not finite.
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
