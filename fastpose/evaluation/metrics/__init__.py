"""What predictions are measured with: one file for each family, all in numpy, all by mask.

==================  ===============================================================================
``distances``       joint distances; means over joints and frames; percent and squared
``scores``          per frame and in the mean: as predicted, sides forgiven, sides right
``sides``           flip rates of body, arms and legs, and crossed bodies
``regression``      linear maps from learned landmarks to labelled joints, as papers fit them
``correct_points``  shares of joints within a distance: PCK, PCKh, PDJ, 3D-PCK, curves, areas
``positions3d``     alignments before MPJPE, N-MPJPE and P-MPJPE
``angles``          angles between rotations, and of bent joints
``pictures``        PSNR and SSIM
==================  ===============================================================================
"""
