//! Many runs side by side: carries out jobs, judges what comes back, and gathers the results.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

use crate::check::{Judgement, Verdict};
use crate::history::History;
use crate::plan::Plan;
use crate::report::{RunResult, Sometimes, Trouble, sometimes};
use crate::stop::Stop;
use crate::subject::BoxFuture;

/// How long runs may take to clean up once a stop was requested.
const STOP_WITHIN: Duration = Duration::from_secs(9);

/// Carries out one job, the how-many-eth it is: starts its world and its subject, runs it, and cleans up.
pub type Perform = dyn Fn(usize, Job) -> BoxFuture<'static, Result<History, Trouble>> + Send + Sync;

/// One run to make.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to carry out.
    pub plan: Arc<Plan>,
    /// The world's name.
    pub world: String,
    /// The command that does the same again.
    pub replay: String,
    /// Why the world cannot carry it out, if so; it is then reported as skipped.
    pub skip: Option<String>,
}

/// Watches runs begin and end. Called in order for each run, from the task that gathers.
pub trait Audience: Send + Sync {
    /// A run begins; it is the how-many-eth job.
    fn begins(&self, number: usize, job: &Job);
    /// A run ended.
    fn ended(&self, number: usize, result: &RunResult, history: Option<&History>);
}

/// Runs jobs side by side.
pub struct Suite {
    /// How many at once, at least one.
    pub at_once: usize,
    /// Carries out one.
    pub perform: Arc<Perform>,
    /// Judges what came back.
    pub judge: fn(&History) -> Judgement,
    /// Who watches.
    pub audience: Arc<dyn Audience>,
    /// Ends it early when requested: no further run begins, and those that do not clean up in time are abandoned.
    pub stop: Stop,
}

impl Suite {
    /// Runs every job; the results are in the order of the jobs.
    pub async fn run(&self, jobs: Vec<Job>) -> Vec<RunResult> {
        let mut results: BTreeMap<usize, RunResult> = BTreeMap::new();
        let mut running = Running { tasks: JoinSet::new(), numbers: BTreeMap::new() };
        // The longest first, so that none is left to run alone at the end.
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        order.sort_by_key(|number| Reverse(jobs[*number].plan.length()));
        let mut waiting = order.into_iter().peekable();
        // One for the whole suite: a run that ends in time gives the others no more of it.
        let out_of_patience = self.out_of_patience();
        tokio::pin!(out_of_patience);
        loop {
            while !self.stop.is_requested() && running.tasks.len() < self.at_once.max(1) {
                let Some(number) = waiting.next() else { break };
                match &jobs[number].skip {
                    Some(why) => {
                        let trouble = Trouble::Skipped(why.clone());
                        results.insert(number, self.ended(number, &jobs[number], Err(trouble)));
                    }
                    None => {
                        self.audience.begins(number, &jobs[number]);
                        running.start(number, (self.perform)(number, jobs[number].clone()));
                    }
                }
            }
            let next = tokio::select! {
                biased;
                next = running.next() => next,
                () = &mut out_of_patience => break,
            };
            match next {
                Some((number, outcome)) => {
                    results.insert(number, self.ended(number, &jobs[number], outcome));
                }
                None if self.stop.is_requested() || waiting.peek().is_none() => break,
                None => {}
            }
        }
        running.tasks.abort_all();
        for (number, job) in jobs.iter().enumerate() {
            results.entry(number).or_insert_with(|| self.ended(number, job, Err(Trouble::Stopped)));
        }
        results.into_values().collect()
    }

    fn ended(&self, number: usize, job: &Job, outcome: Result<History, Trouble>) -> RunResult {
        let (mut result, history) = match outcome {
            Ok(history) => (RunResult::new(&history, &(self.judge)(&history)), Some(history)),
            Err(trouble) => (RunResult::without_history(&job.plan, &job.world, trouble), None),
        };
        result.replay.clone_from(&job.replay);
        self.audience.ended(number, &result, history.as_ref());
        result
    }

    async fn out_of_patience(&self) {
        self.stop.requested().await;
        tokio::time::sleep(STOP_WITHIN).await;
    }
}

/// Runs under way, and which job each task is.
struct Running {
    tasks: JoinSet<Result<History, Trouble>>,
    numbers: BTreeMap<Id, usize>,
}

impl Running {
    fn start(&mut self, number: usize, run: BoxFuture<'static, Result<History, Trouble>>) {
        let task = self.tasks.spawn(run);
        self.numbers.insert(task.id(), number);
    }

    /// Waits for the next run to end; `None` when there is none.
    async fn next(&mut self) -> Option<(usize, Result<History, Trouble>)> {
        let (id, outcome) = match self.tasks.join_next_with_id().await? {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(Trouble::Run(panicked(error)))),
        };
        let number = self.numbers.remove(&id)?;
        Some((number, outcome))
    }
}

fn panicked(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(words) => {
            let text = words.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| words.downcast_ref::<&str>().copied());
            format!("a part of Squall panicked: {}", text.unwrap_or("without a word"))
        }
        Err(error) => error.to_string(),
    }
}

/// The exit code of the program: 1 when a check failed in any run, else 3 when a world did not start, else 4 when a run is
/// invalid or unknown, or nothing was judged at all, else 0.
pub fn exit_code(results: &[RunResult]) -> u8 {
    let any = |is: fn(&RunResult) -> bool| results.iter().any(is);
    if any(|result| result.verdict == Verdict::Fail) {
        1
    } else if any(|result| matches!(result.trouble, Some(Trouble::World(_)))) {
        3
    } else if any(|result| matches!(result.verdict, Verdict::Invalid | Verdict::Unknown))
        || !any(|result| result.verdict == Verdict::Pass)
    {
        4
    } else {
        0
    }
}

/// The exit code for a whole suite: that of its runs, or 4 where they are fine and none showed what must happen in some run.
pub fn exit_code_of_suite(results: &[RunResult]) -> u8 {
    match exit_code(results) {
        0 if !sometimes(results).iter().all(Sometimes::is_met) => 4,
        code => code,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::check::Finding;
    use crate::report::samples;

    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Audience for Notes {
        fn begins(&self, number: usize, _job: &Job) {
            self.0.lock().unwrap().push(format!("{number} begins"));
        }

        fn ended(&self, number: usize, result: &RunResult, history: Option<&History>) {
            let kept = if history.is_some() { "" } else { " without history" };
            self.0.lock().unwrap().push(format!("{number} {:?}{kept}", result.verdict));
        }
    }

    fn jobs(count: usize) -> Vec<Job> {
        let job = Job {
            plan: Arc::new(samples::plan()),
            world: "containers".to_owned(),
            replay: "squall run this".to_owned(),
            skip: None,
        };
        vec![job; count]
    }

    fn suite(at_once: usize, perform: Arc<Perform>) -> (Suite, Arc<Notes>) {
        let notes = Arc::new(Notes::default());
        let judge = |_: &History| Judgement { findings: Vec::new(), verdict: Verdict::Pass };
        (Suite { at_once, perform, judge, audience: notes.clone(), stop: Stop::new() }, notes)
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_asked_for_run_at_once_and_results_keep_their_order() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        let perform: Arc<Perform> = Arc::new(move |_, job: Job| {
            let (now, seen) = (Arc::clone(&now), Arc::clone(&seen));
            Box::pin(async move {
                seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // The later the job, the sooner it ends.
                tokio::time::sleep(Duration::from_secs(20 - job.plan.seed)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                let mut history = samples::history();
                history.head.seed = job.plan.seed;
                Ok(history)
            })
        });
        let mut jobs = jobs(7);
        for (job, seed) in jobs.iter_mut().zip(0..) {
            job.plan = Arc::new(Plan { seed, ..samples::plan() });
        }
        let results = suite(3, perform).0.run(jobs).await;
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert_eq!(results.iter().map(|result| result.seed).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
        assert!(results.iter().all(|result| result.replay == "squall run this"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_panics_is_invalid_and_harms_no_other() {
        let perform: Arc<Perform> = Arc::new(|_, job: Job| {
            Box::pin(async move {
                assert_ne!(job.replay, "boom", "as asked");
                Ok(samples::history())
            })
        });
        let mut jobs = jobs(2);
        jobs[0].replay = "boom".to_owned();
        let results = suite(2, perform).0.run(jobs).await;
        assert_eq!(results[0].verdict, Verdict::Invalid);
        assert!(results[0].trouble.as_ref().unwrap().to_string().contains("as asked"));
        assert_eq!(results[1].verdict, Verdict::Pass);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_world_cannot_do_is_skipped_and_never_begun() {
        let perform: Arc<Perform> = Arc::new(|_, _| Box::pin(async { Ok(samples::history()) }));
        let mut jobs = jobs(2);
        jobs[0].skip = Some("no drop_reply".to_owned());
        let (suite, notes) = suite(1, perform);
        let results = suite.run(jobs).await;
        assert_eq!(*notes.0.lock().unwrap(), ["0 Skipped without history", "1 begins", "1 Pass"]);
        assert_eq!(exit_code(&results), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_lets_runs_clean_up_but_not_for_ever() {
        let stop = Stop::new();
        let told = stop.clone();
        let perform: Arc<Perform> = Arc::new(move |_, job: Job| {
            let told = told.clone();
            Box::pin(async move {
                told.requested().await;
                let seconds = if job.replay == "hangs" { 3600 } else { 2 };
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Err(Trouble::Run("cut short".to_owned()))
            })
        });
        let mut jobs = jobs(3);
        jobs[1].replay = "hangs".to_owned();
        let (mut suite, _) = suite(2, perform);
        suite.stop = stop.clone();
        let ask = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            stop.request();
        };
        let run = tokio::time::timeout(Duration::from_secs(15), suite.run(jobs));
        let (results, ()) = tokio::join!(run, ask);
        let troubles = results.unwrap().into_iter().map(|result| result.trouble.unwrap());
        let expected = [Trouble::Run("cut short".to_owned()), Trouble::Stopped, Trouble::Stopped];
        assert_eq!(troubles.collect::<Vec<_>>(), expected);
    }

    #[tokio::test]
    async fn without_jobs_there_is_nothing_to_do() {
        let perform: Arc<Perform> = Arc::new(|_, _| Box::pin(async { Ok(samples::history()) }));
        assert_eq!(suite(4, perform).0.run(Vec::new()).await, []);
    }

    #[test]
    fn the_exit_code_says_the_worst() {
        let unknown = RunResult { verdict: Verdict::Unknown, ..samples::passed() };
        let (pass, fail, skipped, world) =
            (samples::passed(), samples::failed(), samples::skipped(), samples::no_world());
        let cases: [(u8, &[&RunResult]); 7] = [
            (0, &[&pass]),
            (0, &[&pass, &skipped]),
            (1, &[&pass, &fail, &world, &unknown]),
            (3, &[&pass, &world, &unknown]),
            (4, &[&pass, &unknown]),
            (4, &[&skipped]),
            (4, &[]),
        ];
        for (code, results) in cases {
            let results = results.iter().map(|result| (*result).clone()).collect::<Vec<_>>();
            assert_eq!(
                exit_code(&results),
                code,
                "{:?}",
                results.iter().map(|r| r.verdict).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn what_no_run_shows_leaves_the_suite_unknown_and_outweighs_nothing() {
        let some_run = |verdict| {
            let mut result = samples::passed();
            let check = "expect.sometimes[0]".to_owned();
            result.findings.push(Finding { check, verdict, ..result.findings[0].clone() });
            result
        };
        let (shows, does_not) = (some_run(Verdict::Pass), some_run(Verdict::Unknown));
        assert_eq!(exit_code(std::slice::from_ref(&does_not)), 0);
        assert_eq!(exit_code_of_suite(&[shows, does_not.clone()]), 0);
        assert_eq!(exit_code_of_suite(std::slice::from_ref(&does_not)), 4);
        assert_eq!(exit_code_of_suite(&[does_not, samples::failed()]), 1);
    }
}
