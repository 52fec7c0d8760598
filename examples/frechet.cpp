#include "examples/frechet.h"

#include <Eigen/Dense>

namespace tessera::examples {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Moments {
  Eigen::RowVectorXd mean;
  Eigen::MatrixXd covariance;
};

Moments moments(const std::vector<double>& rows, int64_t dim) {
  Eigen::Map<const Matrix> x(rows.data(), static_cast<Eigen::Index>(rows.size()) / dim, dim);
  Moments m{x.colwise().mean(), {}};
  Eigen::MatrixXd centred = x.rowwise() - m.mean;
  m.covariance = centred.transpose() * centred / static_cast<double>(x.rows() - 1);
  return m;
}

// Of a symmetric positive semidefinite matrix; tiny negative eigenvalues are rounding.
Eigen::MatrixXd square_root(const Eigen::MatrixXd& a) {
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(a);
  Eigen::VectorXd roots = solver.eigenvalues().cwiseMax(0).cwiseSqrt();
  return solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose();
}

}  // namespace

double frechet_distance(const std::vector<double>& a, const std::vector<double>& b, int64_t dim) {
  Moments p = moments(a, dim), q = moments(b, dim);
  Eigen::MatrixXd root = square_root(p.covariance);
  double cross = square_root(root * q.covariance * root).trace();
  return (p.mean - q.mean).squaredNorm() + p.covariance.trace() + q.covariance.trace() - 2 * cross;
}

}  // namespace tessera::examples
