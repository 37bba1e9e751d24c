//! Many small worlds from seeds: clients, hosts and links around one broker, with everything that can go wrong. After
//! every step the invariants must hold; when the faults stop, everything that was asked must be answered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod events;
mod invariants;
mod rave;
mod world;

use world::World;

/// Enough to meet every pair of events many times, few enough for a second in a debug build.
const SEEDS: u64 = 300;
const STEPS: usize = 250;

/// `SIMULATION_SEEDS=from..to` looks further; `SIMULATION_SEEDS=n` repeats one.
fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("SIMULATION_SEEDS") else { return 0..SEEDS };
    match text.split_once("..") {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => {
            let seed = text.parse().unwrap();
            seed..seed + 1
        }
    }
}

#[test]
fn the_invariants_hold_in_every_world() {
    let mut did = world::Tally::default();
    for seed in seeds() {
        let mut world = World::new(seed);
        let result = (0..STEPS).try_for_each(|_| {
            world.step();
            invariants::check(&world)
        });
        let result = result
            .and_then(|()| invariants::check_history(&world))
            .and_then(|()| world.drain())
            .and_then(|()| invariants::check_drained(&world))
            .and_then(|()| invariants::check_history(&world));
        if let Err(broken) = result {
            for line in world.diary() {
                eprintln!("{line}");
            }
            panic!("seed {seed}: {broken}\nrepeat with SIMULATION_SEEDS={seed}");
        }
        did.add(&world.tally);
    }
    if seeds() == (0..SEEDS) {
        did.assert_everything_happened();
    }
}
