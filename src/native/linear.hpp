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

}  // namespace mixtura
