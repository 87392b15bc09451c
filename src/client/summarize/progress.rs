//! What happens meanwhile, for people: bars on a terminal, else a line for each step.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::page::clock;
use crate::client::terminal::{shown, tell};

/// Where progress is shown.
pub(super) struct Display {
    kind: Kind,
    /// What was said last of each talk: its bar, or only its stage.
    talks: Mutex<HashMap<String, (String, ProgressBar)>>,
}

enum Kind {
    /// Standard error is a terminal: one bar for the batch, one for each talk that is being done.
    Bars { all: MultiProgress, batch: ProgressBar },
    /// It is not.
    Lines,
    /// A program reads; only failures are told.
    Silent,
}

/// Bars are this fine.
const STEPS: u64 = 1_000;
const BATCH: &str = "{prefix} [{bar:30}] {percent:>3}%  {msg}";
/// The title comes last, and is cut where the terminal ends: a line that is broken in two is no bar any more.
const TALK: &str = "  {spinner} [{bar:16}] {percent:>3}%  {prefix:10} {wide_msg}";
const TICK: Duration = Duration::from_millis(100);

impl Display {
    pub fn new(is_silent: bool, talks: usize) -> Self {
        let kind = if is_silent {
            Kind::Silent
        } else if io::stderr().is_terminal() {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let batch = all.add(bar(BATCH));
            batch.set_prefix(if talks == 1 { "1 talk".into() } else { format!("{talks} talks") });
            batch.tick();
            Kind::Bars { all, batch }
        } else {
            Kind::Lines
        };
        Self { kind, talks: Mutex::default() }
    }

    /// How far the whole is.
    pub fn batch(&self, percent: f64, eta_seconds: Option<u64>) {
        if let Kind::Bars { batch, .. } = &self.kind {
            batch.set_position(steps(percent));
            let left = eta_seconds.map(|seconds| format!("{} left", clock(seconds as f64)));
            batch.set_message(left.unwrap_or_default());
        }
    }

    /// How far a talk is.
    pub fn talk(&self, id: &str, title: &str, stage: &str, percent: Option<f64>) {
        let (title, stage) = (shown(title), shown(stage));
        let mut talks = self.talks.lock();
        let (last, bar) = talks.entry(id.to_owned()).or_insert_with(|| match &self.kind {
            Kind::Bars { all, .. } => {
                let bar = all.add(bar(TALK));
                bar.enable_steady_tick(TICK);
                (String::new(), bar)
            }
            Kind::Lines | Kind::Silent => (String::new(), ProgressBar::hidden()),
        });
        if matches!(self.kind, Kind::Lines) && *last != stage {
            let percent = percent.unwrap_or_default();
            tell(&format!("{title}: {stage} ({percent:.0} %)"));
        }
        bar.set_prefix(stage.clone());
        bar.set_position(steps(percent.unwrap_or_default()));
        bar.set_message(title);
        *last = stage;
    }

    /// A talk has ended, with a summary or with this error.
    pub fn ended(&self, id: &str, title: &str, error: Option<&str>) {
        if let Some((_, bar)) = self.talks.lock().remove(id) {
            bar.finish_and_clear();
        }
        match error {
            Some(error) => self.note(&format!("{title}: failed: {error}")),
            None if matches!(self.kind, Kind::Silent) => {}
            None => self.note(&format!("{title}: done")),
        }
    }

    /// Says something in between.
    pub fn note(&self, sentence: &str) {
        match &self.kind {
            // Nobody may be left to see it.
            Kind::Bars { all, .. } => drop(all.println(format!("tidings: {}", shown(sentence)))),
            Kind::Lines | Kind::Silent => tell(sentence),
        }
    }

    /// Makes room for what comes after.
    pub fn close(&self) {
        let Kind::Bars { all, .. } = &self.kind else { return };
        let mut talks = self.talks.lock();
        for (_, bar) in talks.values() {
            bar.disable_steady_tick();
        }
        // All at once: bars that go one by one, and not from the last, leave lines behind.
        let _ = all.clear();
        all.set_draw_target(ProgressDrawTarget::hidden());
        talks.clear();
    }
}

fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(STEPS);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("█▉▊▋▌▍▎▏ ")),
        Err(_) => bar,
    }
}

/// Percents of others, which may be anything.
fn steps(percent: f64) -> u64 {
    let share = (percent / 100.0).clamp(0.0, 1.0);
    #[expect(clippy::cast_sign_loss)]
    let steps = (share * STEPS as f64) as u64;
    steps
}
