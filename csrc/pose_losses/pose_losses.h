// Arguments of the pose_losses kernels: plain pointers and counts; nothing of torch.
#pragma once

#include <cstdint>

#include "common/dispatch.h"
#include "common/image.h"

namespace fastpose::pose_losses {

constexpr int kMostScores = 16;  // tensors in one call of least_squares_gan

// Numbers side by side.
struct Numbers {
  void* data;
  Element element;
  int64_t count;
};

// What differences are taken of: a - b, both of one type and count, or a - constant without `b`.
struct Difference {
  Numbers a;
  const void* b;
  double constant;
};

// Means and logarithms of variances, (batch, size) each, row by row.
struct Gaussians {
  const void* mean;
  const void* log_variance;
  Element element;
  int64_t batch, size;
};

// --- CPU -----------------------------------------------------------------------------------------

// Sums are formed part by part, whatever the number of threads, and parts are added in double.
constexpr int64_t kPart = 1024;        // numbers in a row
constexpr int64_t kRowsTogether = 32;  // of Gaussians, coordinate by coordinate

}  // namespace fastpose::pose_losses

namespace fastpose {

// The sum of squared differences first .. last - 1.
FASTPOSE_DECLARE_CPU(double, difference_squares, const pose_losses::Difference& difference,
                     int64_t first, int64_t last)

// factor * difference to grad_a, the negative to grad_b; either may be null.
FASTPOSE_DECLARE_CPU(void, difference_gradients, const pose_losses::Difference& difference,
                     double factor, void* grad_a, void* grad_b, int64_t first, int64_t last)

// The sum of |z| for those of the numbers z that lie outside of [-bound, bound].
FASTPOSE_DECLARE_CPU(double, outside_distances, const pose_losses::Numbers& numbers, double bound,
                     int64_t first, int64_t last)

// factor * sign(z) for those, 0 for the others.
FASTPOSE_DECLARE_CPU(void, outside_gradients, const pose_losses::Numbers& numbers, double bound,
                     double factor, void* grad, int64_t first, int64_t last)

// Means over a batch that is not empty of the divergences of the coordinates first .. last - 1.
FASTPOSE_DECLARE_CPU(void, coordinate_divergences, const pose_losses::Gaussians& gaussians,
                     double* means, int64_t first, int64_t last)

// share[coordinate] * dKL/dmean and so on for the rows first .. last - 1; either may be null.
FASTPOSE_DECLARE_CPU(void, divergence_gradients, const pose_losses::Gaussians& gaussians,
                     const double* share, void* grad_mean, void* grad_log_variance, int64_t first,
                     int64_t last)

}  // namespace fastpose
