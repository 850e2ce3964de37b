// feature_distance: what the CPU and CUDA kernels share.
//
// With x, y a layer's features and targets and w the weights, the layer's mean is
//     d = 1 / N sum w (x - y)^2   or   1 / N sum w |x - y|
// and its term of the loss d / (m + eps), m the running mean. The gradient of x is the slope
// w (x - y), or w sign(x - y), times a factor that all of the layer share:
//     (2 or 1) / (L N (m + eps)).
#pragma once

#include <cstdint>

#include "common/math.h"

namespace fastpose::features {

enum Norm : int { l2 = 0, l1 = 1 };

constexpr double kEps = 1e-8;  // added to a running mean

// --- the mask at another size --------------------------------------------------------------------

// Output pixel i of `out` averages the input pixels first_of(i) .. last_of(i) - 1 of `in`.
FASTPOSE_HD int first_of(int i, int in, int out) { return static_cast<int>(int64_t{i} * in / out); }
FASTPOSE_HD int last_of(int i, int in, int out) {
  return static_cast<int>((int64_t{i + 1} * in + out - 1) / out);
}

// --- from a layer's mean to its term and factor --------------------------------------------------

// By what `layers` layers multiply their slopes, but for the running mean.
FASTPOSE_HD double slope_factor(int norm, int layers, int64_t numel) {
  return (norm == l2 ? 2.0 : 1.0) / (static_cast<double>(layers) * static_cast<double>(numel));
}

struct Settled {
  double running_mean;  // a T
  double term;          // of the loss, before the mean over layers
  double factor;        // of the slopes
};

struct Moves {
  bool update, started, through_mean;
  double momentum;
};

// T is the type of running means.
template <typename T>
FASTPOSE_HD Settled settle(double mean, double running_mean, bool has_running_mean,
                           const Moves& moves, double slope) {
  if (!has_running_mean) return {running_mean, mean, slope};
  // As much of the new running mean is no share of `mean`.
  const double before = moves.started ? moves.momentum * running_mean : 0;
  if (moves.update) {
    const double share = moves.started ? 1 - moves.momentum : 1;
    running_mean = static_cast<T>(before + share * mean);
  }
  const double normaliser = running_mean + kEps;
  const double constant = moves.update && moves.through_mean ? (before + kEps) / normaliser : 1;
  return {running_mean, mean / normaliser, slope * constant / normaliser};
}

}  // namespace fastpose::features
