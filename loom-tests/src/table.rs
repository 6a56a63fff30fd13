//! What `make loom` prints: the legend, a line for each model and mutant, the progress, and the verdict.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::explore::{End, Report};
use crate::models::Model;
use crate::mutants::Mutant;

/// How to read the tables.
pub const LEGEND: &str = "\
Loom runs small programs over the ring's own source, once for each order in which their loads and stores can take effect.
  model      such a program: a publisher, its subscribers, and the rules (oracles) that every execution must keep
  execution  one order of the loads and stores, and one choice of what each load sees
  bound      how often a thread may be interrupted in an execution; unbounded: all executions are run
  met        what subscribers met: M message, e none yet, L loss, C close, D death, R restart, U restarts unknown, z slept
  control    the model with the source as it is: no oracle may fail
  mutant     the model with one site (one ordering, store or check) weakened: the named oracle must fail, or the control
             would not have noticed either
";

/// The heading of the controls.
pub const CONTROLS: &str = "\
Controls: all executions within the bound, and no oracle fails
model          executions     time  bound          met    what";

/// The heading of the mutants.
pub const MUTANTS: &str = "\
Mutants: one site weakened, and the oracle that notices
site what is weakened                              how it was noticed";

/// The line of a model or a mutant, and whether the result is the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// Whether the result is the expected one.
    pub fine: bool,
}

/// The line of a control.
pub fn control(model: &Model, report: &Report) -> Line {
    let Report { executions, time, end, met } = report;
    let Model { name, about, meets, .. } = model;
    match end {
        End::Complete if !meets.chars().all(|what| met.contains(what)) => {
            Line { text: format!("{name:<14} VACUOUS: met {met} only, of {meets}"), fine: false }
        }
        End::Complete => {
            let bound = model.preemptions.map_or("unbounded".to_owned(), |bound| format!("{bound} preemptions"));
            let time = time.as_secs_f64();
            let text = format!("{name:<14} {executions:>10}  {time:>5.1} s  {bound:<13}  {met:<5}  {about}");
            Line { text, fine: true }
        }
        end => Line { text: format!("{name:<14} FAILED at execution {executions}: {end:?}"), fine: false },
    }
}

/// The line of a mutant.
pub fn mutant(mutant: &Mutant, report: &Report) -> Line {
    let executions = report.executions;
    let &Mutant { site, what, caught: (model, oracle) } = mutant;
    let (said, fine) = match &report.end {
        End::Violated(violation) if violation.oracle == oracle => {
            (format!("caught by {model}/{oracle} at execution {executions}: {}", violation.text), true)
        }
        End::Violated(violation) => (format!("WRONG ORACLE, not {oracle}: {violation:?}"), false),
        End::Complete => (format!("SURVIVED {executions} executions of {model}"), false),
        End::Broken(why) => (format!("BROKEN HARNESS at execution {executions} of {model}: {why}"), false),
    };
    Line { text: format!("{site:<3}  {what:<45} {said}"), fine }
}

/// Puts the lines into the order of the lists, because descriptions refer to the line before. A line is printed as soon as
/// its model and all before it have ended.
#[derive(Debug)]
pub struct Order {
    controls: usize,
    next: usize,
    waiting: BTreeMap<usize, Line>,
}

impl Order {
    /// For this number of controls, which come first.
    pub fn new(controls: usize) -> Self {
        Self { controls, next: 0, waiting: BTreeMap::new() }
    }

    /// The job at this place has ended. Returns the lines to print now, with the heading of the mutants before the first.
    pub fn ended(&mut self, place: usize, line: Line) -> Vec<String> {
        self.waiting.insert(place, line);
        let mut lines = Vec::new();
        while let Some(line) = self.waiting.remove(&self.next) {
            if self.next > 0 && self.next == self.controls {
                lines.push(format!("\n{MUTANTS}"));
            }
            lines.push(line.text);
            self.next += 1;
        }
        lines
    }
}

/// What goes on at present, in one line.
pub fn progress(ended: usize, total: usize, elapsed: Duration, running: &[(&str, Duration)]) -> String {
    let mut line = format!("{ended} of {total} ended after {} s; running:", elapsed.as_secs());
    for (name, time) in running {
        let _ = write!(line, " {name} ({} s)", time.as_secs());
    }
    line
}

/// What was run, for the verdict.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Controls, and how many of them failed.
    pub controls: (usize, usize),
    /// Mutants, and how many of them failed.
    pub mutants: (usize, usize),
    /// Executions.
    pub executions: u64,
    /// Whether all models and mutants were run, not only some by name.
    pub all: bool,
}

/// The closing sentence.
pub fn verdict(totals: Totals) -> String {
    let Totals { controls: (controls, broken), mutants: (mutants, unnoticed), executions, all } = totals;
    if broken + unnoticed > 0 {
        return format!(
            "Verdict: FAILED: {broken} of {controls} controls and {unnoticed} of {mutants} mutants did not end as they must \
             (FAILED, VACUOUS, SURVIVED, WRONG ORACLE or BROKEN HARNESS above)."
        );
    }
    if !all {
        return format!("Verdict: as expected, but not all were run: controls {controls}, mutants {mutants}.");
    }
    format!(
        "Verdict: no oracle fails in any of the {controls} controls, and the named oracle fails for each of the {mutants} \
         mutants: every weakened site shows ({executions} executions)."
    )
}

#[cfg(test)]
mod tests {
    use crate::explore::Violation;
    use crate::{models, mutants};

    use super::*;

    fn report(end: End, met: &str) -> Report {
        Report { executions: 30, time: Duration::from_secs(1), end, met: met.to_owned() }
    }

    fn violated(oracle: &'static str) -> End {
        End::Violated(Violation { oracle, text: "seen".to_owned() })
    }

    #[test]
    fn a_control_must_be_complete_and_meet_its_subject() {
        let model = models::named("stream").unwrap();
        assert!(control(model, &report(End::Complete, "LMe")).fine);
        for (end, met) in [(End::Complete, "Me"), (violated("torn"), "LMe"), (End::Broken("cut short".into()), "LMe")] {
            let line = control(model, &report(end, met));
            assert!(!line.fine, "{line:?}");
        }
    }

    #[test]
    fn a_mutant_must_fail_its_own_oracle() {
        let p1 = mutants::ALL.iter().find(|mutant| mutant.site == "P1").unwrap();
        assert!(mutant(p1, &report(violated("torn"), "")).fine);
        for end in [End::Complete, violated("order"), End::Broken("deadlock".into())] {
            let line = mutant(p1, &report(end, ""));
            assert!(!line.fine, "{line:?}");
        }
    }

    #[test]
    fn lines_come_in_the_order_of_the_lists() {
        let line = |text: &str| Line { text: text.to_owned(), fine: true };
        let mut order = Order::new(2);
        assert!(order.ended(1, line("two")).is_empty());
        assert!(order.ended(2, line("P1")).is_empty());
        let heading = format!("\n{MUTANTS}");
        assert_eq!(order.ended(0, line("one")), ["one", "two", heading.as_str(), "P1"]);
        assert_eq!(order.ended(3, line("P2")), ["P2"]);
        assert_eq!(Order::new(0).ended(0, line("P1")), ["P1"], "its heading is the first");
    }

    #[test]
    fn the_verdict_counts_what_failed() {
        let good = Totals { controls: (40, 0), mutants: (50, 0), executions: 9, all: true };
        assert!(verdict(good).starts_with("Verdict: no oracle fails in any of the 40"));
        assert!(verdict(Totals { all: false, ..good }).contains("not all were run: controls 40, mutants 50"));
        assert!(verdict(Totals { controls: (40, 1), ..good }).starts_with("Verdict: FAILED: 1 of 40"));
        assert!(verdict(Totals { mutants: (50, 2), ..good }).contains("2 of 50 mutants"));
    }

    #[test]
    fn headings_stand_above_their_columns() {
        let model = models::named("stream").unwrap();
        let (heading, line) = (CONTROLS.lines().last().unwrap(), control(model, &report(End::Complete, "LMe")).text);
        assert_eq!(heading.find("what"), line.find(model.about));
        let p1 = mutants::ALL.iter().find(|mutant| mutant.site == "P1").unwrap();
        let (heading, line) = (MUTANTS.lines().last().unwrap(), mutant(p1, &report(violated("torn"), "")).text);
        assert_eq!(heading.find("what"), line.find(p1.what));
        assert_eq!(heading.find("how"), line.find("caught"));
    }
}
