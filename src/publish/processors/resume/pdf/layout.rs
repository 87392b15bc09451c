//! Characters that stand somewhere to lines in the order in which a person reads them.
//!
//! A page is cut into pieces: what stands on one line without a wide gap. Where pieces leave a gutter
//! free from top to bottom there may be two columns, which are read one after the other; or a table, which
//! is read row by row, such as one with dates on the left. Headings decide: each of two columns has its
//! own, a table's stand all on one side.

use std::collections::HashMap;

use super::super::dates;
use super::super::document::Line;
use super::super::headings;
use super::page::Mark;

/// What is read in one go: characters of one line with no more than spaces between them.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    text: String,
    left: f64,
    right: f64,
    base: f64,
    size: f64,
    is_heading: bool,
    is_dated: bool,
}

/// Pieces of the same height on the page, from left to right.
type Row = Vec<Piece>;

/// In sizes of the font: a gap that is a space between words, and one that divides pieces.
const WORD_GAP: f64 = 0.16;
const PIECE_GAP: f64 = 1.4;

/// A gap that divides pieces if others that are below each other begin where it ends, and how many.
const ALIGNED_GAP: f64 = 0.65;
const MIN_ALIGNED: usize = 3;

/// Fewer letters are not spaced out, but stand apart.
const MIN_SPACED_OUT: usize = 4;

/// The narrowest gutter between columns, in points.
const GUTTER: f64 = 8.0;

/// Fewer rows with something on both sides are no columns.
const MIN_COLUMN_ROWS: usize = 3;

/// More rows above one column only are that column's own.
const MAX_ABOVE: usize = 3;

/// Finding columns takes the square of the rows; pages with more are read row by row.
const MAX_ROWS: usize = 300;

/// The lines of a page.
pub(super) fn lines(marks: Vec<Mark>) -> Vec<Line> {
    let rows = rows(marks);
    let mut ordered = Vec::with_capacity(rows.len());
    if rows.len() <= MAX_ROWS {
        in_reading_order(&rows, &mut ordered);
    } else {
        ordered = rows;
    }
    spaced(ordered)
}

/// Characters to rows. What overlaps by half its height is on the same row.
fn rows(mut marks: Vec<Mark>) -> Vec<Row> {
    marks.retain(|mark| !mark.character.is_control());
    marks.sort_by(|a, b| b.base.total_cmp(&a.base));
    let mut rows: Vec<Vec<Mark>> = Vec::new();
    for mark in marks {
        match rows.last_mut() {
            Some(row) if row[0].base - mark.base < 0.4 * mark.size.min(row[0].size) => {
                row.push(mark);
            }
            _ => rows.push(vec![mark]),
        }
    }
    for row in &mut rows {
        // Stable: what stands at the same place stays in the order in which it was drawn.
        row.sort_by(|a, b| a.left.total_cmp(&b.left));
        row.dedup_by(|mark, last| is_shadow(last, mark));
    }
    let columns = Columns::of(&rows);
    rows.iter().map(|row| pieces(row, &columns)).filter(|row| !row.is_empty()).collect()
}

/// Where pieces begin below each other, in points, and how many.
struct Columns(HashMap<i64, usize>);

impl Columns {
    fn of(rows: &[Vec<Mark>]) -> Self {
        let mut starts = HashMap::new();
        for row in rows {
            let mut end = f64::INFINITY;
            for mark in row.iter().filter(|mark| mark.character != ' ') {
                if mark.left - end > ALIGNED_GAP * mark.size {
                    *starts.entry(mark.left.round() as i64).or_default() += 1;
                }
                end = mark.right;
            }
        }
        Self(starts)
    }

    fn begin_at(&self, left: f64) -> bool {
        let left = left.round() as i64;
        // What lies on the edge of a point may be on either side.
        let nearby = [left - 1, left, left + 1].map(|at| self.0.get(&at).copied().unwrap_or(0));
        nearby.iter().sum::<usize>() >= MIN_ALIGNED
    }
}

fn pieces(marks: &[Mark], columns: &Columns) -> Row {
    let mut groups: Vec<Vec<Mark>> = Vec::new();
    let (mut end, mut is_after_space) = (f64::NEG_INFINITY, false);
    for mark in marks {
        let is_space = mark.character == ' ';
        let gap = (mark.left - end) / mark.size;
        let is_apart = gap > PIECE_GAP || (gap > ALIGNED_GAP && columns.begin_at(mark.left));
        match groups.last_mut() {
            Some(group) if is_space || !is_apart => group.push(*mark),
            None if is_space => {}
            _ => groups.push(vec![*mark]),
        }
        // One space is part of the text; a row of them only keeps apart what stands on both sides.
        if !(is_space && is_after_space) {
            end = end.max(mark.right);
        }
        is_after_space = is_space;
    }
    groups.iter().filter_map(|group| Piece::of(group)).collect()
}

impl Piece {
    fn of(marks: &[Mark]) -> Option<Self> {
        let shown = || marks.iter().filter(|mark| mark.character != ' ');
        let first = shown().next()?;
        let text = text(marks);
        Some(Self {
            left: first.left,
            right: shown().map(|mark| mark.right).fold(first.right, f64::max),
            base: first.base,
            size: shown().map(|mark| mark.size).fold(0.0, f64::max),
            is_heading: headings::kind(&text).is_some(),
            is_dated: dates::is_mostly_date(&text),
            text,
        })
    }
}

/// A piece's characters with the spaces that were drawn, and those that were only left free.
fn text(marks: &[Mark]) -> String {
    let shown: Vec<_> = marks.iter().filter(|mark| mark.character != ' ').collect();
    let gap = |a: &Mark, b: &Mark| (b.left - a.right) / b.size;
    let mut gaps: Vec<_> = shown.windows(2).map(|pair| gap(pair[0], pair[1])).collect();
    gaps.sort_by(f64::total_cmp);
    // Where most letters are spaced apart, words are further apart still.
    let median = gaps.get(gaps.len() / 2).copied().unwrap_or(0.0);
    let is_spaced_out = gaps.len() >= MIN_SPACED_OUT && gaps[gaps.len() / 4] > WORD_GAP;
    let word_gap = if is_spaced_out { median * 1.6 } else { WORD_GAP };
    let mut text = String::new();
    let mut last: Option<&Mark> = None;
    for mark in marks {
        let is_space = mark.character == ' ';
        let is_apart = last.is_some_and(|last| !is_space && gap(last, mark) > word_gap);
        if (is_space || is_apart) && !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
        if !is_space {
            text.push(mark.character);
            last = Some(mark);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Bold letters are sometimes made by writing them twice.
fn is_shadow(last: &Mark, mark: &Mark) -> bool {
    last.character == mark.character
        && last.character != ' '
        && (mark.left - last.left).abs() < 0.1 * mark.size
}

/// The longest run of rows that has columns is read column by column, what is above and below likewise.
fn in_reading_order(rows: &[Row], ordered: &mut Vec<Row>) {
    let Some(Band { first, last, gutter }) = best_band(rows) else {
        ordered.extend_from_slice(rows);
        return;
    };
    in_reading_order(&rows[..first], ordered);
    for is_left in [true, false] {
        let side = |row: &Row| -> Row {
            row.iter().filter(|piece| (piece.right <= gutter) == is_left).cloned().collect()
        };
        let column: Vec<_> =
            rows[first..=last].iter().map(side).filter(|r| !r.is_empty()).collect();
        // Strictly fewer pieces than before, so that this ends.
        in_reading_order(&column, ordered);
    }
    in_reading_order(&rows[last + 1..], ordered);
}

/// Rows that leave a gutter free.
#[derive(Debug, Clone, Copy)]
struct Band {
    first: usize,
    last: usize,
    gutter: f64,
}

fn best_band(rows: &[Row]) -> Option<Band> {
    let mut best: Option<Band> = None;
    let mut first = 0;
    while first < rows.len() {
        let Some(band) = band_from(rows, first) else {
            first += 1;
            continue;
        };
        if best.is_none_or(|best| band.last - band.first > best.last - best.first) {
            best = Some(band);
        }
        // A run that begins within another one is shorter, unless its gutter is elsewhere.
        first += 1;
    }
    best
}

/// The longest run of rows from `first` on that are two columns.
fn band_from(rows: &[Row], first: usize) -> Option<Band> {
    let mut free = gaps(&rows[first], rows);
    let mut best = None;
    for last in first..rows.len() {
        let mut still_free = Vec::new();
        for gap in free {
            let before = still_free.len();
            let rest = if last == first { vec![gap] } else { less(gap, &rows[last]) };
            still_free.extend(rest.into_iter().filter(|(from, to)| to - from >= GUTTER));
            if still_free.len() == before && last > first {
                judge(rows, first, last - 1, gap, &mut best);
            }
        }
        free = still_free;
        if free.is_empty() {
            return best;
        }
    }
    for gap in free {
        judge(rows, first, rows.len() - 1, gap, &mut best);
    }
    best
}

/// A gutter has come to its end: keeps its run of rows if it is a longer one.
fn judge(rows: &[Row], first: usize, last: usize, gap: (f64, f64), best: &mut Option<Band>) {
    let gutter = f64::midpoint(gap.0, gap.1);
    let is_longer = best.is_none_or(|best: Band| last > best.last);
    if is_longer && are_columns(&rows[first..=last], gutter) {
        let above = lines_above(&rows[first..=last], gutter);
        *best = Some(Band { first: first + above, last, gutter });
    }
}

/// How many rows stand above both columns, to be read first: a name over one of them, if there is room
/// between it and what follows there.
fn lines_above(band: &[Row], gutter: f64) -> usize {
    let lefts = |row: &Row| row.iter().filter(|piece| piece.right <= gutter).count();
    let is_one_sided = |row: &&Row| lefts(row) == 0 || lefts(row) == row.len();
    let is_above = |row: &&Row| is_one_sided(row) && !row.iter().any(|piece| piece.is_heading);
    let above = band.iter().take_while(is_above).count();
    let Some(last) = above.checked_sub(1).map(|last| &band[last][0]) else { return 0 };
    let below = band[above..].iter().flatten();
    let next = below.into_iter().find(|piece| (piece.right <= gutter) == (last.right <= gutter));
    let has_room = next.is_some_and(|next| last.base - next.base > 2.2 * last.size);
    if above <= MAX_ABOVE && has_room { above } else { 0 }
}

/// All that is free at first: the width of the page, or between the pieces of a row.
fn gaps(row: &Row, rows: &[Row]) -> Vec<(f64, f64)> {
    let pieces = || rows.iter().flatten();
    let left = pieces().map(|piece| piece.left).fold(f64::INFINITY, f64::min);
    let right = pieces().map(|piece| piece.right).fold(f64::NEG_INFINITY, f64::max);
    less((left, right), row)
}

/// What of a gap a row leaves free.
fn less(gap: (f64, f64), row: &Row) -> Vec<(f64, f64)> {
    let mut free = Vec::new();
    let mut from = gap.0;
    for piece in row.iter().filter(|piece| piece.right > gap.0 && piece.left < gap.1) {
        free.push((from, piece.left));
        from = from.max(piece.right);
    }
    free.push((from, gap.1));
    free.retain(|(from, to)| to > from);
    free
}

/// Whether what stands on both sides of a gutter is two columns rather than a table.
fn are_columns(band: &[Row], gutter: f64) -> bool {
    let (left, right) =
        (Side::of(band, |p| p.right <= gutter), Side::of(band, |p| p.right > gutter));
    let fewest = left.rows.len().min(right.rows.len());
    if fewest < MIN_COLUMN_ROWS || left.is_narrow || right.is_narrow {
        return false;
    }
    if left.is_dated || right.is_dated {
        return false;
    }
    let shared = left.rows.iter().filter(|row| right.rows.binary_search(row).is_ok()).count();
    (left.has_heading && right.has_heading) || shared * 2 < fewest
}

/// What stands on one side of a gutter.
struct Side {
    /// The rows that have something there.
    rows: Vec<usize>,
    /// Bullets, or numbers of pages.
    is_narrow: bool,
    /// Most of it are dates.
    is_dated: bool,
    has_heading: bool,
}

impl Side {
    fn of(band: &[Row], is_there: impl Fn(&Piece) -> bool) -> Self {
        let rows = band.iter().enumerate();
        let found = rows.flat_map(|(index, row)| row.iter().map(move |piece| (index, piece)));
        let found: Vec<_> = found.filter(|(_, piece)| is_there(piece)).collect();
        let mut rows: Vec<_> = found.iter().map(|(index, _)| *index).collect();
        rows.dedup();
        let dated = found.iter().filter(|(_, piece)| piece.is_dated).count();
        Self {
            rows,
            is_narrow: found.iter().all(|(_, piece)| piece.text.chars().count() < 3),
            is_dated: dated * 2 > found.len(),
            has_heading: found.iter().any(|(_, piece)| piece.is_heading),
        }
    }
}

/// Rows to lines, each with what is known of how it stands.
fn spaced(rows: Vec<Row>) -> Vec<Line> {
    let step = |pair: &[Row]| pair[0][0].base - pair[1][0].base;
    let mut steps: Vec<f64> = rows.windows(2).map(step).filter(|step| *step > 0.0).collect();
    steps.sort_by(f64::total_cmp);
    let usual = steps.get(steps.len() / 3).copied().unwrap_or(0.0);
    let mut lines = Vec::with_capacity(rows.len());
    let mut above: Option<f64> = None;
    for row in rows {
        let base = row[0].base;
        let is_apart = above.is_none_or(|above| above < base || above - base > 1.35 * usual);
        let size = row.iter().map(|piece| piece.size).fold(0.0, f64::max);
        let texts: Vec<_> = row.into_iter().map(|piece| piece.text).collect();
        lines.push(Line { text: texts.join("\t"), size, is_apart });
        above = Some(base);
    }
    lines
}
