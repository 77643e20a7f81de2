//! Tables in one piece: rows of the same length.

use std::ops::{Index, IndexMut};

/// Rows of the same length, one after the other; `table[row][column]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows<T> {
    rows: usize,
    width: usize,
    cells: Vec<T>,
}

impl<T> Rows<T> {
    /// So many rows of as many cells, all with the same value.
    pub fn of(value: T, rows: usize, width: usize) -> Rows<T>
    where
        T: Clone,
    {
        Rows { rows, width, cells: vec![value; rows * width] }
    }

    /// So many rows of as many cells, each by its row and column.
    pub fn from_fn(rows: usize, width: usize, mut cell: impl FnMut(usize, usize) -> T) -> Rows<T> {
        let mut cells = Vec::with_capacity(rows * width);
        (0..rows).for_each(|row| cells.extend((0..width).map(|column| cell(row, column))));
        Rows { rows, width, cells }
    }

    /// All cells, row by row.
    pub fn cells(&self) -> &[T] {
        &self.cells
    }

    /// All cells, to change them.
    pub fn cells_mut(&mut self) -> &mut [T] {
        &mut self.cells
    }

    /// The rows, from the first.
    pub fn iter(&self) -> impl Iterator<Item = &[T]> {
        (0..self.rows).map(|row| &self[row])
    }
}

impl<T> Index<usize> for Rows<T> {
    type Output = [T];

    fn index(&self, row: usize) -> &[T] {
        &self.cells[row * self.width..(row + 1) * self.width]
    }
}

impl<T> IndexMut<usize> for Rows<T> {
    fn index_mut(&mut self, row: usize) -> &mut [T] {
        &mut self.cells[row * self.width..(row + 1) * self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_to_themselves() {
        let mut table = Rows::from_fn(3, 2, |row, column| 10 * row + column);
        table[1][0] = 7;
        assert_eq!(table.iter().collect::<Vec<_>>(), [&[0, 1][..], &[7, 11], &[20, 21]]);
        assert_eq!(Rows::of(1.0, 2, 0).iter().count(), 2);
    }
}
