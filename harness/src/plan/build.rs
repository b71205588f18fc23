//! From a scenario and a seed to a plan.

use std::time::Duration;

use super::{Plan, Strike};
use crate::fault::Act;
use crate::history::{PhaseSpan, SessionId};
use crate::load::{Operation, Step};
use crate::scenario::{Scenario, Topology};

impl Plan {
    /// Everything that a run of `scenario` with `seed` will do. The same two give the same plan.
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        let load = &scenario.load;
        let setup = PhaseSpan { name: "setup".to_owned(), from: 0, to: nanos(load.setup()) };
        let mut phases = vec![setup];
        let several = scenario.redis.topology != Topology::Standalone;
        let mut strikes = Vec::new();
        let mut start = load.setup();
        for phase in &scenario.phases {
            for fault in &phase.faults {
                let (from, to) = fault.window(phase.length);
                let strike = Strike {
                    what: fault.inject.to_string(),
                    act: fault.inject.act(),
                    of_several: several && matches!(fault.inject.act(), Act::Server(_)),
                    instances: fault.on.iter().map(|target| target.0).collect(),
                    direction: fault.direction.unwrap_or_default(),
                    probability: fault.probability.unwrap_or(1.0),
                    matching: fault.matching.clone().unwrap_or_default(),
                    from: nanos(start + from),
                    to: nanos(start + to),
                };
                let stretches = fault.inject.stretches(to.saturating_sub(from)).into_iter();
                strikes.extend(stretches.map(|(begins, ends)| Strike {
                    from: nanos(start + from + begins),
                    to: nanos(start + from + ends),
                    ..strike.clone()
                }));
            }
            let end = start + phase.length;
            phases.push(PhaseSpan { name: phase.name.clone(), from: nanos(start), to: nanos(end) });
            start = end;
        }
        Self {
            scenario: scenario.name.clone(),
            proves: scenario.proves.clone(),
            origin: scenario.origin.clone(),
            seed,
            settings: serde_json::to_value(&scenario.settings).unwrap_or_default(),
            disk: scenario.disk,
            environment: scenario.environment,
            redis: scenario.redis.clone(),
            instances: load.instances,
            sessions: load.sessions,
            overlap: load.overlap,
            through: load.through,
            phases,
            strikes,
            operations: operations(scenario, seed),
            rules: scenario.rules.clone(),
            expect: scenario.expect.clone(),
            allow: scenario.allow.clone(),
            canary: scenario.canary.clone(),
        }
    }
}

fn operations(scenario: &Scenario, seed: u64) -> Vec<Vec<Operation>> {
    let load = &scenario.load;
    if scenario.operations.is_empty() {
        return load.streams(scenario.length(), seed);
    }
    let steps = scenario.operations.iter().map(|given| Step {
        at: given.at,
        instance: given.on.0,
        kind: given.op,
        session: SessionId(given.session),
        ttl: given.ttl,
    });
    load.given(&steps.collect::<Vec<_>>(), seed)
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::history::Effect;
    use crate::scenario::TEMPLATE;

    fn scenario(text: &str) -> Scenario {
        Scenario::parse("x", Path::new("x.toml"), text.as_bytes()).unwrap()
    }

    #[test]
    fn strikes_are_absolute_and_last_to_the_end_of_their_phase() {
        let plan = Plan::new(&scenario(TEMPLATE), 1);
        let names: Vec<_> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names, ["setup", "steady", "outage", "calm"]);
        let [strike] = plan.strikes.as_slice() else { panic!("{:?}", plan.strikes) };
        assert_eq!((strike.from, strike.to), (plan.phases[2].from, plan.phases[2].to));
        assert_eq!((strike.what.as_str(), strike.instances.as_slice()), ("refuse", [].as_slice()));
        assert_eq!(plan.settings["breaker"]["cool_down"], "1s");
    }

    #[test]
    fn redis_has_all_that_was_accepted_but_while_a_fault_strikes_and_for_a_while_after_it() {
        let plan = Plan::new(&scenario(TEMPLATE), 1);
        let [strike] = plan.strikes.as_slice() else { panic!("{:?}", plan.strikes) };
        let over = strike.to + nanos(plan.rules.resync_within);
        assert!(plan.is_settled(0, strike.from - 1) && plan.is_settled(over + 1, over + 2));
        for (from, to) in [(0, strike.from), (strike.from, strike.from), (strike.to, over), (over, over + 2)]
        {
            assert!(!plan.is_settled(from, to), "{from} to {to}");
        }
    }

    #[test]
    fn a_fault_that_comes_and_goes_is_several_strikes_within_its_window() {
        let text =
            TEMPLATE.replace("\"refuse\"", "{ flap = { up = \"700ms\", down = \"300ms\" } }, at = \"1s\"");
        let plan = Plan::new(&scenario(&text), 1);
        let outage = &plan.phases[2];
        assert!(plan.strikes.len() > 2, "{:?}", plan.strikes);
        assert_eq!(plan.strikes[0].from, outage.from + 1_000_000_000);
        for pair in plan.strikes.windows(2) {
            assert_eq!(pair[1].from - pair[0].to, 700_000_000);
            assert_eq!((pair[0].to - pair[0].from, pair[1].to <= outage.to), (300_000_000, true));
        }
    }

    /// What a fault of the template's outage does, written so, where servers belong together so.
    fn effect(topology: &str, fault: &str) -> Effect {
        // What it expects of a breaker nobody tells in a cluster.
        let (template, _) = TEMPLATE.split_once("[[expect").unwrap();
        let redis = format!("[redis]\ntopology = \"{topology}\"\n[load]");
        let text = template.replace("\"refuse\"", fault).replace("[load]", &redis);
        Plan::new(&scenario(&text), 1).strikes[0].effect()
    }

    #[test]
    fn a_fault_of_one_of_several_servers_stops_nobody_for_good_and_may_lose_what_was_not_sent_on() {
        let told = |topology, fault: &str| {
            let effect = effect(topology, &format!("\"{fault}\""));
            (effect.total, effect.loses_data, effect.spares_redis)
        };
        assert_eq!(told("standalone", "pause"), (true, false, true));
        for topology in ["sentinel", "cluster"] {
            assert_eq!(told(topology, "pause"), (false, true, false));
            assert_eq!(told(topology, "kill"), (false, true, false));
            assert_eq!(told(topology, "flush"), (false, true, false));
            assert_eq!(told(topology, "client_kill"), (false, false, true));
            assert_eq!(effect(topology, "\"refuse\""), effect("standalone", "\"refuse\""));
        }
    }

    #[test]
    fn what_replicas_have_outlives_a_server_that_is_away_until_another_has_its_place() {
        let spares = |topology: &str, fault: &str| effect(topology, fault).spares_replicas;
        for fault in ["\"kill\"", "\"pause\""] {
            assert!(spares("sentinel", fault) && spares("cluster", fault), "{fault}");
            assert!(!spares("standalone", fault), "{fault}");
            assert!(!spares("sentinel", &format!("{fault}, for = \"4s\"")), "{fault}");
        }
        assert!(!spares("sentinel", "\"flush\""));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_plan_is_the_same_every_time_in_order_and_its_faults_stay_within_their_phases(
            seed: u64,
            instances in 1u16..6,
            sessions in 1u32..300,
            rate in 1u32..500,
            lengths in prop::collection::vec(1u64..6000, 1..5),
            window in 0.0..1.0f64,
            zipf: bool,
        ) {
            let mut text = format!(
                "proves = \"x\"\njudge.resync_within = \"1ms\"\n[load]\ninstances = {instances}\nsessions = {sessions}\nrate = \"{rate}/s\"\nkeys = {}\n[[phase]]\nname = \"steady\"\nfor = \"1s\"\n",
                if zipf { "{ zipf = 1.1 }" } else { "\"uniform\"" },
            );
            for (index, length) in lengths.iter().enumerate() {
                let at = (*length as f64 * window) as u64;
                text += &format!("[[phase]]\nname = \"p{index}\"\nfor = \"{length}ms\"\nfaults = [{{ inject = \"stall\", at = \"{at}ms\" }}]\n");
            }
            text += "[[phase]]\nname = \"calm\"\nfor = \"1s\"\n";
            let scenario = scenario(&text);
            let plan = Plan::new(&scenario, seed);

            let again = Plan::new(&scenario, seed);
            prop_assert_eq!(&plan.operations, &again.operations);
            prop_assert_eq!(&plan.strikes, &again.strikes);
            for (index, strike) in plan.strikes.iter().enumerate() {
                let phase = &plan.phases[index + 2];
                prop_assert!(phase.from <= strike.from && strike.from < strike.to && strike.to <= phase.to);
            }
            for pair in plan.phases.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
            }
            prop_assert_eq!(plan.operations.len(), usize::from(instances));
            for stream in &plan.operations {
                prop_assert!(stream.is_sorted_by_key(|operation| operation.due));
                prop_assert!(stream.iter().all(|operation| operation.session.0 < sessions));
            }
        }
    }
}
