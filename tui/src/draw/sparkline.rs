//! Sparklines: small bar charts of a value over time.

use crate::theme::Glyphs;

/// Draws `values` in at most `columns` bars, the newest at the right. Each bar shows the maximum of its interval; the
/// largest value gets full height and zero is blank.
pub(crate) fn sparkline(values: &[u64], columns: usize, glyphs: &Glyphs) -> String {
    let most = values.iter().copied().max().unwrap_or(0);
    sparkline_to(most, values, columns, glyphs)
}

/// Draws `values` like [`sparkline`], on a scale that ends at `most`.
pub(crate) fn sparkline_to(most: u64, values: &[u64], columns: usize, glyphs: &Glyphs) -> String {
    let each = values.len().div_ceil(columns.max(1)).max(1);
    let peaks: Vec<u64> =
        values.rchunks(each).rev().map(|chunk| chunk.iter().copied().max().unwrap_or(0)).collect();
    let level = |value: u64| (u128::from(value) * 8).div_ceil(u128::from(most.max(1))) as usize;
    let shown = peaks.iter().skip(peaks.len().saturating_sub(columns));
    shown.map(|value| level(*value).checked_sub(1).map_or(" ", |level| glyphs.levels[level.min(7)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::{Appearance, Theme};

    #[test]
    fn the_largest_value_has_full_height() {
        let glyphs = Theme::new(Appearance::default()).glyphs;
        assert_eq!(sparkline(&[0, 1, 4, 8], 4, glyphs), " ▁▄█");
        assert_eq!(sparkline(&[0, 1, 4, 8, 0, 2], 3, glyphs), "▁█▂");
        assert_eq!(sparkline(&[0, 0], 2, glyphs), "  ");
        assert_eq!(sparkline(&[u64::MAX, 1], 2, glyphs), "█▁");
        assert_eq!(sparkline_to(100, &[0, 1, 50, 100, 200], 5, glyphs), " ▁▄██");
        assert_eq!(sparkline(&[], 3, glyphs), "");
        assert_eq!(sparkline(&[5], 0, glyphs), "");
    }
}
