"""Rays against ellipsoids, exactly.

Along the ray o + t d the point lies on the ellipsoid with center c and half-axes r where

    |u + t v|² = 1,   u = (o − c) / r,   v = d / r   (by components),

a quadratic equation in t. Its smaller root is where a ray from outside enters. All rays of an image
are set against all of its ellipsoids by two products of matrices.
"""

import torch
from torch import Tensor


def depths(eye: Tensor, rays: Tensor, centers: Tensor, radii: Tensor) -> Tensor:
    """How far along each ray it enters each ellipsoid.

    Args:
        eye: where the rays of an image begin, (n, 3), outside of all ellipsoids.
        rays: their directions (n, p, 3), of any length.
        centers: of the ellipsoids, (n, k, 3).
        radii: their half-axes along the coordinates, (n, k, 3).

    Returns:
        t, (n, p, k), in lengths of the ray's direction; infinity where the ray misses.
    """
    inverse = radii.reciprocal()
    u = (eye[:, None] - centers) * inverse
    a = rays.square() @ inverse.square().mT  # (n, p, k), as b and the root
    b = rays @ (u * inverse).mT
    c = u.square().sum(-1)[:, None] - 1
    root = b.square() - a * c
    t = c / (root.clamp(min=0).sqrt() - b)  # the smaller root, without cancellation
    return torch.where((root >= 0) & (b < 0), t, torch.inf)


def normals(points: Tensor, centers: Tensor, radii: Tensor) -> Tensor:
    """Outward unit normals (m, 3) at points (m, 3), each on an ellipsoid of its own."""
    return torch.nn.functional.normalize((points - centers) / radii.square(), dim=1)
