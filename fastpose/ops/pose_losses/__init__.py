"""Small losses of pose systems, one launch each: anchors and bounds of shape templates, the prior
of a variational autoencoder, the least-squares adversary."""

from fastpose.ops.pose_losses.adversary import least_squares_gan
from fastpose.ops.pose_losses.anchors import anchor_loss, boundary_loss
from fastpose.ops.pose_losses.divergence import gaussian_kl

__all__ = ["anchor_loss", "boundary_loss", "gaussian_kl", "least_squares_gan"]
