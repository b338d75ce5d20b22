"""The pictures of a report, and the static ones of the reference project."""

from __future__ import annotations

from ffenergy.report.pictures import energy, learning, map_regions, memory
from ffenergy.report.pictures.drawing import Picture

PICTURES = (
    Picture(
        "traffic",
        "Traffic per layer and phase",
        energy.traffic,
        "Stacked bars of the GB moved in every layer, a colour per phase, a panel per algorithm.",
    ),
    Picture(
        "training-curves",
        "Training curves",
        learning.training_curves,
        "Lines of the training loss and of the error in percent by epoch, and of the error "
        "on other images by the bytes moved so far.",
    ),
    Picture(
        "hybrids",
        "Hybrid negatives",
        learning.hybrid_examples,
        "Six columns of two digits, the mask that blends them, and the hybrid that comes out.",
        chart=False,
    ),
    Picture(
        "receptive-fields",
        "Layer-1 receptive fields",
        learning.receptive_fields,
        "Sixteen images of weights from the pixels to a unit, positive red, negative blue.",
        chart=False,
    ),
    Picture(
        "goodness",
        "Goodness of real and hybrid images",
        learning.goodness_histograms,
        "Histograms of the goodness of real and of hybrid images, a panel per layer, with "
        "the threshold between them.",
    ),
    Picture(
        "energy-waterfall",
        "Energy per training sample, from backprop to Forward-Forward",
        energy.waterfall,
        "Waterfalls, eager, fused and well built: a bar of backprop's energy per training sample, "
        "bars of what Forward-Forward removes and adds, well built of what its order of "
        "computation does, and a bar of Forward-Forward's energy.",
    ),
    Picture(
        "energy-by-phase-and-role",
        "Energy per training sample by phase and by role, compute apart from movement",
        energy.by_phase_and_role,
        "Stacked bars of energy per training sample, a bar per algorithm and accounting: movement, "
        "then hatched compute, once with a colour per phase, once with a colour per role.",
    ),
    Picture(
        "miss-curves",
        "What travels beyond an on-chip memory, by its size (a line ends where nothing does)",
        memory.miss_curve,
        "Falling lines, one per algorithm, of the bytes per training sample that travel beyond an "
        "on-chip memory against its size, with rings where the lines cross, eager and fused.",
    ),
    Picture(
        "reuse-distances",
        "How far back the bytes lie that a training step reads",
        memory.reuse_distances,
        "Histograms of the bytes read per training sample by reuse distance, a colour per role, a "
        "panel per algorithm and accounting.",
    ),
    Picture(
        "live-memory",
        "Live memory over one training step (without the data set)",
        memory.live_memory,
        "Stacked areas of the bytes alive during one training step, a colour per role, with the "
        "peak marked and strips that name layers and phases; Forward-Forward beside backprop.",
    ),
    Picture(
        "map",
        "Who spends less energy in its best order, by on-chip memory and batch size",
        map_regions.of_run,
        "A map of on-chip memory and batch size in regions: Forward-Forward cheaper, proven or by "
        "the best known orders; undecided; backprop cheaper, by orders or proven.",
    ),
)
REFERENCE = (
    Picture("hybrid-examples", "Hybrid negatives", learning.hybrid_examples),
    Picture("goodness-histograms", "Goodness of real and hybrid", learning.goodness_histograms),
    Picture("training-curves", "Loss and error", learning.classifier_curves),
    Picture("receptive-fields", "Layer-1 receptive fields", learning.receptive_fields),
    Picture("preferred-inputs", "Inputs that deeper units prefer", learning.preferred_inputs),
)
"""The same content and scales as the ``viz/`` of hinton-problems' ff-hybrid-mnist."""
