"""Operations held against XLA that make, show or move arrays, or go through an index."""

from __future__ import annotations

from validation.xla_calls import (
    ANY,
    MATRIX,
    MATRIX_AND_ROW,
    VECTOR,
    VECTORS,
    Group,
    changed,
    like,
    mask,
    named,
    regular,
    stored,
    whole,
)

MOVES: tuple[Group, ...] = (
    (
        ANY,
        {
            **named(
                "atleast_1d atleast_2d atleast_3d ravel squeeze transpose flip zeros_like "
                "ones_like empty_like fft.fftshift fft.ifftshift"
            ),
            "array": lambda m, x: m.array(x, **like(m, x)),
            "asarray": lambda m, x: m.asarray(x, **like(m, x)),
            "reshape": lambda m, x: m.reshape(x, (-1,)),
            "expand_dims": lambda m, x: m.expand_dims(x, 0),
            "broadcast_to": lambda m, x: m.broadcast_to(x, (3, *x.shape)),
            "split": lambda m, x: m.split(x, [3]),
            "array_split": lambda m, x: m.array_split(x, 3),
            "unstack": lambda m, x: m.unstack(x[:3]),
            "resize": lambda m, x: m.resize(x, (2 * x.size,)),
            "insert": lambda m, x: m.insert(x, 2, 0),
            "delete": lambda m, x: m.delete(x, 2),
            "x[2:5]": lambda m, x: x[2:5],
            "copy of x[::2]": lambda m, x: m.copy(x[::2]),
            "full_like": lambda m, x: m.full_like(x, 2),
            "zeros": lambda m, x: m.zeros(x.shape, x.dtype, **like(m, x)),
            "ones": lambda m, x: m.ones(x.shape, x.dtype, **like(m, x)),
            "full": lambda m, x: m.full(x.shape, 2, x.dtype, **like(m, x)),
            "empty": lambda m, x: m.empty(x.shape, x.dtype, **like(m, x)),
            "arange": lambda m, x: m.arange(x.size, dtype=x.dtype, **like(m, x)),
            "eye": lambda m, x: m.eye(len(x), dtype=x.dtype, **like(m, x)),
            "identity": lambda m, x: m.identity(len(x), dtype=x.dtype, **like(m, x)),
            "tri": lambda m, x: m.tri(len(x), dtype=x.dtype, **like(m, x)),
        },
    ),
    (
        MATRIX,
        {
            **named(
                "matrix_transpose linalg.matrix_transpose rot90 fliplr flipud diagonal diag "
                "linalg.diagonal tril_indices_from triu_indices_from"
            ),
            "swapaxes": lambda m, x: m.swapaxes(x, 0, 1),
            "moveaxis": lambda m, x: m.moveaxis(x, 0, 1),
            "rollaxis": lambda m, x: m.rollaxis(x, 1),
            "hsplit": lambda m, x: m.hsplit(x, 2),
            "vsplit": lambda m, x: m.vsplit(x, 2),
        },
    ),
    ((((4, 8, 16),), ((3, 5, 7),)), {"dsplit": lambda m, x: m.dsplit(x, [2])}),
    (VECTOR, {**named("diagflat ix_")}),
    (VECTORS, {"meshgrid": lambda m, x, y: m.meshgrid(x, y)}),
    (MATRIX_AND_ROW, named("broadcast_arrays")),
    (
        ((regular(9),), (regular(5),)),
        {**named("diag_indices_from"), "fill_diagonal": changed("fill_diagonal", 2)},
    ),
    (
        (((30, 20), whole(3)), ((6, 8), whole(5))),
        {"take": lambda m, t, i: m.take(t, i, axis=0), "gather": lambda m, t, i: t[i]},
    ),
    (
        (((30, 20), whole(3, 20)), ((6, 8), whole(2, 8))),
        {"take_along_axis": lambda m, t, i: m.take_along_axis(t, i, 0)},
    ),
    ((((30, 20), whole(3), (3, 20)), ((6, 8), whole(5), (5, 8))), {"x[i] = v": stored}),
    (
        (((30, 20), whole(3, 20), (3, 20)), ((6, 8), whole(2, 8), (2, 8))),
        {"put_along_axis": changed("put_along_axis", 0)},
    ),
    (
        (((40,), whole(5), (5,)), ((10,), whole(3), (3,))),
        {"put": changed("put"), "add.at": changed("add.at")},
    ),
    ((((40,), mask(40), (20,)), ((10,), mask(10), (5,))), {"place": changed("place")}),
)
