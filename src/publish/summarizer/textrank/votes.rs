//! The votes of sentences for each other, counted until they settle.

use super::Stopped;
use super::words::Bags;

/// The share of a score that comes from votes, as in the paper (and as for web pages before it).
const DAMPING: f64 = 0.85;

/// Scores have settled when none moves by more; the mean score is 1.
const TOLERANCE: f64 = 1e-4;

/// Scores settle in 10 to 30 rounds; this is the end whatever happens.
const MAX_ROUNDS: usize = 100;

/// Less than this in common with all others is rounding, not resemblance.
const NEGLIGIBLE: f64 = 1e-9;

/// Every sentence's score; `watch` is called with the round and the number of rounds at most.
pub(super) fn scores(
    bags: &Bags,
    watch: &mut dyn FnMut(usize, usize) -> Result<(), Stopped>,
) -> Result<Vec<f64>, Stopped> {
    let degrees = resemblances(bags, &vec![1.0; bags.len()]);
    let mut scores = vec![1.0; bags.len()];
    for round in 0..MAX_ROUNDS {
        watch(round, MAX_ROUNDS)?;
        // Each sentence divides its score among those it resembles.
        let given: Vec<_> = scores.iter().zip(&degrees).map(|(s, d)| share(*s, *d)).collect();
        let received = resemblances(bags, &given);
        let next: Vec<_> = received.iter().map(|r| (1.0 - DAMPING) + DAMPING * r).collect();
        let moved = next.iter().zip(&scores).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        scores = next;
        if moved < TOLERANCE {
            break;
        }
    }
    Ok(scores)
}

fn share(score: f64, degree: f64) -> f64 {
    if degree < NEGLIGIBLE { 0.0 } else { score / degree }
}

/// For every sentence the sum, over all others, of their resemblance to it times their `values`.
///
/// With the sentences' vectors as rows of X, the resemblances are X·Xᵀ without its diagonal of ones.
/// Multiplying by Xᵀ first and by X then costs as much as X has entries, however alike they are.
fn resemblances(bags: &Bags, values: &[f64]) -> Vec<f64> {
    let mut by_word = vec![0.0; bags.vocabulary()];
    for (index, value) in values.iter().enumerate() {
        for entry in bags.row(index) {
            by_word[entry.word] += entry.weight * value;
        }
    }
    let sum = |(index, value): (usize, &f64)| {
        let row = bags.row(index);
        if row.is_empty() {
            return 0.0;
        }
        let with_itself: f64 = row.iter().map(|e| e.weight * by_word[e.word]).sum();
        (with_itself - value).max(0.0)
    };
    values.iter().enumerate().map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::summarizer::sentences::Sentences;
    use crate::publish::summarizer::transcript::Cue;

    fn bags(text: &str) -> Bags {
        let cue = Cue { start: None, end: None, text: text.into() };
        Bags::of(&Sentences::of(&[cue]), &mut |_| Ok(())).unwrap()
    }

    const TALK: &str = "Boats cross the wide river. The river is deep and wide. Hills are green. \
                        Boats fear the deep river. Green boats rest. It is what it is. Nothing.";

    /// The paper's formula, sentence by sentence, with every resemblance spelt out.
    fn by_the_book(bags: &Bags) -> Vec<f64> {
        let n = bags.len();
        let like = |i, j| if i == j { 0.0 } else { bags.resemblance(i, j) };
        let degree = |j| (0..n).map(|k| like(j, k)).sum::<f64>();
        let mut scores = vec![1.0; n];
        for _ in 0..MAX_ROUNDS {
            let votes = |i| -> f64 {
                (0..n)
                    .filter(|&j| degree(j) > NEGLIGIBLE)
                    .map(|j| like(j, i) / degree(j) * scores[j])
                    .sum()
            };
            scores = (0..n).map(|i| 0.15 + 0.85 * votes(i)).collect();
        }
        scores
    }

    #[test]
    fn counting_through_words_agrees_with_the_book() {
        let bags = bags(TALK);
        let scores = scores(&bags, &mut |_, _| Ok(())).unwrap();
        for (ours, theirs) in scores.iter().zip(by_the_book(&bags)) {
            assert!((ours - theirs).abs() < 1e-3, "{ours} {theirs}");
        }
    }

    #[test]
    fn a_sentence_that_resembles_none_gets_no_votes() {
        let bags = bags(TALK);
        let scores = scores(&bags, &mut |_, _| Ok(())).unwrap();
        assert!((scores[5] - 0.15).abs() < 1e-9 && (scores[6] - 0.15).abs() < 1e-9, "{scores:?}");
    }

    #[test]
    fn scores_settle_before_the_last_round() {
        let mut rounds = 0;
        scores(&bags(TALK), &mut |round, _| {
            rounds = round;
            Ok(())
        })
        .unwrap();
        assert!((2..MAX_ROUNDS - 1).contains(&rounds), "{rounds}");
    }
}
