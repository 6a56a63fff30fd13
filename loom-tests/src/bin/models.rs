//! Runs the models and the mutants, and prints the result of each: `make loom`, `make loom-deep`.

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
    use std::process::ExitCode;
    use std::sync::Mutex;
    use std::time::Instant;

    use feed_ring::sync::model::weaken;
    use loom_tests::explore::{End, Report, explore};
    use loom_tests::incident;
    use loom_tests::models::{self, Model};
    use loom_tests::mutants::{self, Mutant};

    /// A model to explore, unchanged or with one site weakened.
    struct Job {
        place: usize,
        model: &'static Model,
        mutant: Option<&'static Mutant>,
    }

    fn run(job: &Job) -> Report {
        weaken(job.mutant.map(|mutant| mutant.site));
        let report = explore(job.model.bound(), job.model.every_store, job.model.run);
        weaken(None);
        report
    }

    /// A row of the table, and whether the result is the expected one.
    fn line(job: &Job, report: &Report) -> (String, bool) {
        let Report { executions, time, end, met } = report;
        let time = time.as_secs_f64();
        match (job.mutant, end) {
            (None, End::Complete) if !job.model.meets.chars().all(|what| met.contains(what)) => {
                let Model { name, meets, .. } = job.model;
                (format!("{name:<14} VACUOUS: met {met} only, of {meets}"), false)
            }
            (None, End::Complete) => {
                let bound =
                    job.model.preemptions.map_or("unbounded".to_owned(), |bound| format!("{bound} preemptions"));
                let Model { name, about, .. } = job.model;
                (format!("{name:<14} {executions:>9}  {time:>5.1} s  {bound:<13}  {met:<5}  {about}"), true)
            }
            (None, end) => (format!("{:<14} FAILED at execution {executions}: {end:?}", job.model.name), false),
            (Some(mutant), end) => {
                let &Mutant { site, what, caught: (model, oracle) } = mutant;
                let (said, fine) = match end {
                    End::Violated(violation) if violation.oracle == oracle => {
                        (format!("caught by {model}/{oracle} at execution {executions}: {}", violation.text), true)
                    }
                    End::Violated(violation) => (format!("WRONG ORACLE, not {oracle}: {violation:?}"), false),
                    End::Complete => (format!("SURVIVED {executions} executions of {model}"), false),
                    End::Broken(why) => (format!("BROKEN HARNESS at execution {executions} of {model}: {why}"), false),
                };
                (format!("{site:<3} {what:<45} {said}"), fine)
            }
        }
    }

    pub(super) fn main() -> ExitCode {
        let begun = Instant::now();
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
        let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
        let controls =
            models::ALL.iter().filter(|model| if only.is_empty() { deep || !model.deep } else { wanted(model.name) });
        let mut jobs: VecDeque<Job> = controls.map(|model| Job { place: 0, model, mutant: None }).collect();
        for mutant in mutants::ALL.iter().filter(|mutant| wanted(mutant.site)) {
            let Some(model) = models::named(mutant.caught.0) else {
                eprintln!("models: {} is to be caught by {}, which is no model", mutant.site, mutant.caught.0);
                return ExitCode::FAILURE;
            };
            jobs.push_back(Job { place: 0, model, mutant: Some(mutant) });
        }
        jobs.iter_mut().enumerate().for_each(|(place, job)| job.place = place);
        let (total, controls) = (jobs.len(), jobs.iter().filter(|job| job.mutant.is_none()).count());

        let queue = Mutex::new(jobs);
        let lines = Mutex::new(vec![(String::new(), false, 0); total]);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).min(total) {
                scope.spawn(|| {
                    loop {
                        let Some(job) = queue.lock().expect("no panic holds it").pop_front() else { return };
                        let report = run(&job);
                        let (text, fine) = line(&job, &report);
                        eprintln!("{text}");
                        lines.lock().expect("no panic holds it")[job.place] = (text, fine, report.executions);
                    }
                });
            }
        });
        let lines = lines.into_inner().expect("no panic holds it");

        if only.is_empty() {
            println!("The incident: one store and one load of 8 bytes, lines of 64 bytes, all executions");
            println!("{}", incident::table());
        }
        println!("Controls: all executions within the bound, no oracle fails");
        println!("{:<14} {:>9}  {:>7}  {:<13}  {:<5}  what", "model", "executions", "time", "bound", "met");
        lines[..controls].iter().for_each(|(text, ..)| println!("{text}"));
        println!("\nMutants: one site weakened, and the oracle that is to notice");
        lines[controls..].iter().for_each(|(text, ..)| println!("{text}"));
        let executions: u64 = lines.iter().map(|(.., executions)| executions).sum();
        let failed = lines.iter().filter(|(_, fine, _)| !fine).count();
        println!(
            "\n{controls} controls, {} mutants, {executions} executions, {:.0} s, {failed} failed",
            total - controls,
            begun.elapsed().as_secs_f64()
        );
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
