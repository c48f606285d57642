"""The launches compute every tile once, of matrices that don't overlap in their buffers."""

import torch

from sweeper.engine.kernels.newton_schulz_tiles import TILES, Plan, Tile, Tiles

SHAPES = [(64, 576), (128, 64), (1, 5), (512, 300), (7, 7)]
SMALL = Tiles(Tile(16, 32, 16, 4, 1), Tile(16, 16, 32, 4, 1), Tile(32, 16, 16, 4, 1), Tile(16, 64, 16, 4, 1))


def plans():
    return [Plan(SHAPES, torch.device("cpu"), tiles) for tiles in (TILES, SMALL)]


def test_matrices_lie_and_fill_their_buffers_without_overlap():
    for plan in plans():
        assert [(m.rows, m.columns, m.stands) for m in plan.matrices] == [
            (64, 576, False), (64, 128, True), (1, 5, False), (300, 512, True), (7, 7, False)
        ]  # fmt: skip
        x = gram = 0
        for m in plan.matrices:
            assert (m.x, m.gram) == (x, gram) and m.padded_rows >= m.rows and m.padded_columns >= m.columns
            x += m.padded_rows * m.padded_columns
            gram += m.padded_rows**2
        assert (plan.x_size, plan.gram_size) == (x, gram)


def test_every_tile_is_computed_once():
    for plan in plans():
        tiles = plan.tiles
        for table, tile in ((plan.direction, tiles.direction), (plan.apply, tiles.apply), (plan.update, tiles.update)):
            columns = table[:, [0, -2, -1]]
            expected = {
                (k, i, j)
                for k, m in enumerate(plan.matrices)
                for i in range(m.padded_rows // tile.rows)
                for j in range(m.padded_columns // tile.columns)
            }
            assert len(columns) == len(expected) and set(map(tuple, columns.tolist())) == expected
            assert all(m.padded_rows % tile.rows == m.padded_columns % tile.columns == 0 for m in plan.matrices)


def test_symmetric_products_leave_out_the_tiles_above_the_diagonal_and_begin_with_the_longest():
    for plan in plans():
        for table in (plan.gram, plan.polynomial):
            tiles = {(k, i, j) for k, *_, i, j in table.tolist()}
            side = plan.tiles.symmetric.rows
            counts = [m.padded_rows // side for m in plan.matrices]
            assert len(table) == len(tiles) == sum(n * (n + 1) // 2 for n in counts)
            assert all(j <= i < counts[k] for k, i, j in tiles)
            assert table[:, 2].tolist() == sorted(table[:, 2].tolist(), reverse=True)


def test_each_matrix_has_its_own_sums_of_squares():
    for plan in plans():
        programs = [k for _, _, _, _, _, _, first, count in plan.fields.tolist() for k in range(first, first + count)]
        assert programs == list(range(len(plan.direction)))
        for matrix, fields in enumerate(plan.fields.tolist()):
            first, count = fields[6:]
            assert (plan.direction[first : first + count, 0] == matrix).all()
