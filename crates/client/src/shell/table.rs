//! Columns of text.

use std::fmt;
use unicode_width::UnicodeWidthStr;

/// A table whose columns are as wide as they have to be; empty columns are left out.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    head: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(head: [&'static str; N]) -> Table<N> {
        Table { head, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |column: usize| self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..N).map(widest).collect();
        let shown: Vec<usize> = (0..N).filter(|column| widths[*column] > 0).collect();
        let line = |cell: &dyn Fn(usize) -> String| {
            let padded = shown.iter().map(|column| {
                let text = cell(*column);
                let width = widths[*column].max(self.head[*column].width());
                let padding = " ".repeat(width.saturating_sub(text.width()));
                text + &padding
            });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        f.write_str(&line(&|column| self.head[column].to_owned()))?;
        for row in &self.rows {
            write!(f, "\n{}", line(&|column| row[column].clone()))?;
        }
        Ok(())
    }
}
