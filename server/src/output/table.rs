//! Tables for people.

use anyhow::Result;
use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::{Output, safe_text};

/// A table without lines: columns two spaces apart, as wide as what they hold.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// A table with these headings. One that begins with `>` heads a column of numbers.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(
            headings
                .iter()
                .map(|heading| heading.trim_start_matches('>')),
        );
        for (column, heading) in table.column_iter_mut().zip(headings) {
            column.set_padding((0, 2));
            if heading.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(table)
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0
            .add_row(cells.into_iter().map(|cell| safe_text(&cell)));
    }

    /// Prints it.
    pub(crate) fn print(&self, to: &mut Output) -> Result<()> {
        self.0.lines().try_for_each(|line| to.line(line.trim_end()))
    }

    /// Prints it without its headings.
    pub(crate) fn print_rows(&self, to: &mut Output) -> Result<()> {
        let mut rows = self.0.lines().skip(1);
        rows.try_for_each(|line| to.line(line.trim_end()))
    }
}
