//! Runs the models and the mutants: `make loom`, `make loom-deep`. Each result is printed as soon as it and those before it
//! are known.
//!
//! `models [--deep] [MODEL or SITE...]`. The tables go to standard output, the progress to standard error. The last line
//! is the verdict. Exits with 1 if a result is not the expected one.

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    eprintln!("models: built without loom: run `make loom`");
    std::process::ExitCode::from(2)
}

#[cfg(loom)]
fn main() -> std::process::ExitCode {
    runner::main()
}

#[cfg(loom)]
mod runner {
    use std::collections::VecDeque;
    use std::io::{IsTerminal, Write};
    use std::process::ExitCode;
    use std::sync::{Condvar, Mutex};
    use std::time::{Duration, Instant};

    use feed_ring::sync::model::weaken;
    use loom_tests::explore::{Report, explore};
    use loom_tests::incident;
    use loom_tests::models::{self, Model};
    use loom_tests::mutants::{self, Mutant};
    use loom_tests::table::{self, CONTROLS, LEGEND, Order, Totals};

    /// A model to explore, unchanged or with one site weakened.
    #[derive(Clone, Copy)]
    struct Job {
        place: usize,
        model: &'static Model,
        mutant: Option<&'static Mutant>,
    }

    impl Job {
        fn name(self) -> &'static str {
            self.mutant.map_or(self.model.name, |mutant| mutant.site)
        }

        fn run(self) -> Report {
            weaken(self.mutant.map(|mutant| mutant.site));
            let report = explore(self.model.bound(), self.model.every_store, self.model.run);
            weaken(None);
            report
        }
    }

    /// What all threads share.
    struct State {
        queue: VecDeque<Job>,
        running: Vec<(&'static str, Instant)>,
        ended: usize,
        order: Order,
        totals: Totals,
        /// An error of standard output.
        broken: Option<std::io::Error>,
    }

    impl State {
        fn ended(&mut self, job: Job, report: &Report) {
            self.running.retain(|(name, _)| *name != job.name());
            self.ended += 1;
            self.totals.executions += report.executions;
            let (line, count) = match job.mutant {
                None => (table::control(job.model, report), &mut self.totals.controls),
                Some(mutant) => (table::mutant(mutant, report), &mut self.totals.mutants),
            };
            count.0 += 1;
            count.1 += usize::from(!line.fine);
            let lines = self.order.ended(job.place, line);
            let mut out = std::io::stdout().lock();
            if let Err(error) = lines.iter().try_for_each(|line| writeln!(out, "{line}")) {
                self.broken.get_or_insert(error);
            }
        }
    }

    /// The line with the progress: on a terminal overwritten twice a second, else a new one every ten seconds.
    struct Progress {
        begun: Instant,
        total: usize,
        terminal: bool,
    }

    impl Progress {
        fn interval(&self) -> Duration {
            if self.terminal { Duration::from_millis(500) } else { Duration::from_secs(10) }
        }

        fn show(&self, state: &State) {
            let running: Vec<_> = state.running.iter().map(|(name, begun)| (*name, begun.elapsed())).collect();
            let line = table::progress(state.ended, self.total, self.begun.elapsed(), &running);
            if self.terminal { eprint!("\r\x1b[K{line}") } else { eprintln!("models: {line}") }
        }

        fn clear(&self) {
            if self.terminal {
                eprint!("\r\x1b[K");
            }
        }
    }

    /// Everything that was asked for, controls first. `Err` is the exit code.
    fn jobs(deep: bool, only: &[String]) -> Result<VecDeque<Job>, ExitCode> {
        let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
        let controls =
            models::ALL.iter().filter(|model| if only.is_empty() { deep || !model.deep } else { wanted(model.name) });
        let mut jobs: VecDeque<Job> = controls.map(|model| Job { place: 0, model, mutant: None }).collect();
        for mutant in mutants::ALL.iter().filter(|mutant| wanted(mutant.site)) {
            let Some(model) = models::named(mutant.caught.0) else {
                eprintln!("models: {} is to be caught by {}, which is no model", mutant.site, mutant.caught.0);
                return Err(ExitCode::FAILURE);
            };
            jobs.push_back(Job { place: 0, model, mutant: Some(mutant) });
        }
        jobs.iter_mut().enumerate().for_each(|(place, job)| job.place = place);
        Ok(jobs)
    }

    pub(super) fn main() -> ExitCode {
        let mut deep = false;
        let mut only = Vec::new();
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--deep" => deep = true,
                name if models::named(name).is_some() || mutants::ALL.iter().any(|mutant| mutant.site == name) => {
                    only.push(argument);
                }
                name => {
                    eprintln!("models: no model and no site {name}: leave it out to run all, --deep for the long ones");
                    return ExitCode::from(2);
                }
            }
        }
        match jobs(deep, &only).map(|jobs| run(jobs, only.is_empty())) {
            Ok(Ok(code)) | Err(code) => code,
            Ok(Err(error)) => {
                eprintln!("models: standard output: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn run(jobs: VecDeque<Job>, all: bool) -> std::io::Result<ExitCode> {
        let (total, controls) = (jobs.len(), jobs.iter().filter(|job| job.mutant.is_none()).count());
        let mut out = std::io::stdout();
        writeln!(out, "{LEGEND}")?;
        if all {
            writeln!(out, "The incident: one store and one load of 8 bytes, lines of 64 bytes, all executions")?;
            writeln!(out, "{}", incident::table())?;
        }
        writeln!(out, "{}", if controls > 0 { CONTROLS } else { table::MUTANTS })?;

        let progress = Progress { begun: Instant::now(), total, terminal: std::io::stderr().is_terminal() };
        let (order, totals) = (Order::new(controls), Totals { all, ..Totals::default() });
        let state = State { queue: jobs, running: Vec::new(), ended: 0, order, totals, broken: None };
        let (state, ended) = (Mutex::new(state), Condvar::new());
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).min(total) {
                scope.spawn(|| {
                    loop {
                        let job = {
                            let mut state = state.lock().expect("no panic holds it");
                            let Some(job) = state.queue.pop_front() else { return };
                            state.running.push((job.name(), Instant::now()));
                            job
                        };
                        let report = job.run();
                        let mut state = state.lock().expect("no panic holds it");
                        progress.clear();
                        state.ended(job, &report);
                        ended.notify_all();
                    }
                });
            }
            let mut state = state.lock().expect("no panic holds it");
            let mut shown = Instant::now();
            while state.ended < total {
                let left = progress.interval().saturating_sub(shown.elapsed());
                state = ended.wait_timeout(state, left).expect("no panic holds it").0;
                if shown.elapsed() >= progress.interval() {
                    progress.show(&state);
                    shown = Instant::now();
                }
            }
            progress.clear();
        });
        let state = state.into_inner().expect("no panic holds it");
        if let Some(error) = state.broken {
            return Err(error);
        }
        let Totals { controls: (controls, broken), mutants: (mutants, unnoticed), executions, .. } = state.totals;
        let seconds = progress.begun.elapsed().as_secs_f64();
        let failed = broken + unnoticed;
        writeln!(
            out,
            "\n{controls} controls, {mutants} mutants, {executions} executions, {seconds:.0} s, {failed} failed"
        )?;
        writeln!(out, "{}", table::verdict(state.totals))?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
