//! Figures over time as lines of bars.

use super::super::theme::Look;

/// How high a figure is in eighths, from the least to the most; one that is not there is nothing.
fn eighths(figures: &[Option<f32>], least: f32, most: f32, lines: usize) -> Vec<Option<usize>> {
    let range = most - least;
    #[expect(clippy::cast_precision_loss, reason = "a few lines of eight steps")]
    let steps = (lines * 8 - 1) as f32;
    let height = |figure: f32| {
        if range <= 0.0 {
            return 1;
        }
        let share = ((figure - least) / range).clamp(0.0, 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between nothing and the steps"
        )]
        let step = (share * steps).round() as usize;
        step + 1
    };
    figures.iter().map(|figure| figure.map(height)).collect()
}

/// The last figures in one line, between the least and the most of them.
pub(super) fn sparkline<'a>(
    figures: impl DoubleEndedIterator<Item = &'a f32>,
    columns: usize,
    look: Look,
) -> String {
    let mut shown: Vec<Option<f32>> = figures.rev().take(columns).map(|one| Some(*one)).collect();
    shown.reverse();
    let known = || shown.iter().flatten().copied();
    let least = known().fold(f32::INFINITY, f32::min);
    let most = known().fold(f32::NEG_INFINITY, f32::max);
    let heights = eighths(&shown, least, most, 1);
    heights
        .into_iter()
        .map(|height| look.glyphs().levels[height.unwrap_or(0).min(8)])
        .collect()
}

/// Figures from nothing up to the most, in so many lines, the highest first.
pub(super) fn bars(figures: &[Option<f32>], most: f32, lines: usize, look: Look) -> Vec<String> {
    let heights = eighths(figures, 0.0, most, lines);
    let line = |line: usize| {
        let below = (lines - 1 - line) * 8;
        heights
            .iter()
            .map(|height| {
                let here = height.unwrap_or(0).saturating_sub(below).min(8);
                look.glyphs().levels[here]
            })
            .collect()
    };
    (0..lines).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_lowest_the_most_highest_and_what_is_missing_empty() {
        let look = crate::tui::tests::UNICODE;
        assert_eq!(sparkline([1.0, 2.0, 8.0].iter(), 8, look), "▁▂█");
        assert_eq!(sparkline([1.0, 2.0, 8.0].iter(), 2, look), "▁█");
        assert_eq!(sparkline([5.0, 5.0].iter(), 8, look), "▁▁", "nothing moves");
        assert_eq!(sparkline([].iter(), 8, look), "");
        assert_eq!(
            bars(&[Some(0.0), None, Some(50.0), Some(100.0)], 100.0, 2, look),
            ["  ▁█", "▁ ██"]
        );
        assert_eq!(bars(&[Some(3.0)], 0.0, 1, look), ["▁"]);
    }
}
